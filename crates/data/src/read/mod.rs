//! Reading: from the bytes of a file to text.

mod text;
mod text_reader;

pub use text::read_text;
pub(crate) use text::{check_regular_file, io_error, refuse_wide_encodings};
pub use text_reader::TextReader;
