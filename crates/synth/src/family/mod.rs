//! What generators of one family share.

pub mod grammar_lines;
pub mod hmm_stream;
pub mod sequence_task;
pub mod sums;
