//! Tokenizers: from text to token ids and back.

mod char;
mod json;

pub use self::char::CharTokenizer;
