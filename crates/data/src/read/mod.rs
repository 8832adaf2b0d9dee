//! Reading: from the bytes of a file to text.

mod text;

pub use text::read_text;
