//! What a file is cut into, how, and by what.

use super::blocks::Blocks;
use crate::DataError;
use serde_json::{Map, Value};

/// A text with what stands beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The text.
    pub text: String,
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// The fields of its row or object, in their order; none in plain text. Where the text stood there is
    /// an empty value.
    pub fields: Map<String, Value>,
    /// The name of the field with the text; empty in plain text.
    pub text_field: String,
}

impl Document {
    /// A document without fields.
    pub fn plain(text: String, line: u64) -> Self {
        Self { text, line, ..Self::default() }
    }
}

/// How to read a file.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format's name, one of [`FORMATS`](super::FORMATS); by the file's extension if none.
    pub format: Option<String>,
    /// The encoding's name in the WHATWG Encoding Standard; detected if none.
    pub encoding: Option<String>,
    /// The column or field with the text; `text` if none.
    pub text_column: Option<String>,
    /// What separates the fields of a CSV row, an ASCII character; that of the format if none.
    pub delimiter: Option<u8>,
    /// The longest line, row or document allowed, in bytes of UTF-8. This is what bounds the memory.
    pub longest: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { format: None, encoding: None, text_column: None, delimiter: None, longest: 16 << 20 }
    }
}

/// What cuts a text into documents.
pub(super) trait Source: Send {
    /// The next document; none at the end.
    fn next(&mut self) -> Result<Option<Document>, DataError>;
    /// The text that is cut.
    fn blocks(&self) -> &Blocks;
}

/// Names in a message, at most ten of them.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => "(none)".into(),
        n if n > 10 => format!("{} and {} more", names[..10].join(", "), n - 10),
        _ => names.join(", "),
    }
}
