//! Distribution shift.

mod passages;

pub use passages::shuffled_split;
