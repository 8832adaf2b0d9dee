//! What a file is cut into, how, and by what.

use super::blocks::Blocks;
use super::notes::Notes;
use crate::DataError;
use serde_json::{Map, Value};
use std::ops::Range;

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
    /// The name of the field with the text; empty in plain text, and where a row has no such field
    /// ([`Wanted`]).
    pub text_field: String,
    /// The row or object as it stands in the file, without the line end after it; empty if that is the text.
    pub(super) raw: String,
    /// Where in the object `raw` the value of the text field stands, quotation marks included.
    pub(super) text_at: Option<Range<usize>>,
}

impl Document {
    /// A document without fields.
    pub fn plain(text: String, line: u64) -> Self {
        Self { text, line, ..Self::default() }
    }

    /// The document as it stands in its file, decoded, without the line end after it.
    pub fn raw(&self) -> &str {
        if self.raw.is_empty() { &self.text } else { &self.raw }
    }
}

/// What quotation marks around a field mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quotes {
    /// As [`Quotes::Double`], but a row with tabs whose quotation marks are not in pairs is read as it stands where
    /// that gives the columns of the header: TSV is written without quoting as often as with it.
    #[default]
    Auto,
    /// Quotation marks are ordinary characters.
    None,
    /// A field in quotation marks may hold delimiters, line ends and doubled quotation marks, as RFC 4180 says.
    Double,
}

/// What a document of a format with fields must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The field with the text.
    #[default]
    Text,
    /// The same, but where [`Options::text_column`] names none and there is no field `text`, the row as it stands is the
    /// text.
    TextOrRow,
    /// Fields alone: the text is empty.
    Fields,
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
    /// What quotation marks in rows mean.
    pub quotes: Quotes,
    /// The line between two documents of the format `text`. If none, `<|endoftext|>` where the beginning of the
    /// file has such a line, otherwise blank lines.
    pub mark: Option<String>,
    /// What a document must have.
    pub wanted: Wanted,
    /// Rows that are not as the format wants them are left out and counted, and are no errors.
    pub skip_bad: bool,
    /// The longest line, row or document allowed, in bytes of UTF-8. This is what bounds the memory.
    pub longest: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            encoding: None,
            text_column: None,
            delimiter: None,
            quotes: Quotes::Auto,
            mark: None,
            wanted: Wanted::Text,
            skip_bad: false,
            longest: 16 << 20,
        }
    }
}

/// What cuts a text into documents.
pub(super) trait Source: Send {
    /// The next document; none at the end.
    fn next(&mut self) -> Result<Option<Document>, Refused>;
    /// The text that is cut.
    fn blocks(&self) -> &Blocks;
    /// The header as it stands in the file, its line end included; empty in formats that have none.
    fn header(&self) -> &str {
        ""
    }
    /// What stands in a line of its own between two documents; an empty line, if it is empty.
    fn between(&self) -> Option<&str> {
        None
    }
    /// What separates the fields of a row.
    fn delimiter(&self) -> Option<u8> {
        None
    }
    /// What was not read as it stands.
    fn notes(&self) -> Notes {
        Notes::default()
    }
}

/// Why there is no document.
pub(super) enum Refused {
    /// One row is wrong; the next call reads the row after it.
    Row(DataError),
    /// The file cannot be read on.
    File(DataError),
}

impl From<DataError> for Refused {
    fn from(error: DataError) -> Self {
        Refused::File(error)
    }
}
