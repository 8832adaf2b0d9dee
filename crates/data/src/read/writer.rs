//! Documents to a file: what [`super::Documents`] reads again.

use super::{Document, format_of, malformed};
use crate::DataError;
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;

/// A format to write.
///
/// | format | a document is | what does not fit in |
/// |---|---|---|
/// | `text` | lines, with a blank line between documents | blank lines within become line ends; fields are left out |
/// | `lines` | a line | line ends within become spaces; fields are left out |
/// | `csv`, `tsv` | a row, with the columns of the input | nothing is lost |
/// | `jsonl` | an object with the fields of the input, or with `text` alone | nothing is lost |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFormat {
    /// Documents separated by blank lines.
    Text,
    /// A document a line.
    Lines,
    /// Rows with this delimiter, quoted as RFC 4180 wants it.
    Rows(u8),
    /// Rows with this delimiter and no quoting.
    BareRows(u8),
    /// An object a line.
    Jsonl,
}

impl OutFormat {
    /// The format for a file of this name, of documents that come from `input`, a format's name.
    ///
    /// # Errors
    /// If rows are to be written of what has no columns.
    pub fn of(path: &Path, input: &str) -> Result<Self, DataError> {
        let tabular = ["csv", "tsv"].contains(&input);
        match format_of(path).name {
            "jsonl" => Ok(OutFormat::Jsonl),
            "csv" if tabular => Ok(OutFormat::Rows(b',')),
            "tsv" if tabular => Ok(OutFormat::Rows(b'\t')),
            "csv" | "tsv" => Err(malformed(
                &path.display().to_string(),
                "",
                "a name that ends in .txt or .jsonl",
                format!("a table, for documents from the format {input}, which has no columns"),
                "choose another name",
            )),
            _ if input == "lines" => Ok(OutFormat::Lines),
            _ => Ok(OutFormat::Text),
        }
    }
}

/// Writes documents one after the other.
///
/// ```
/// use data::read::{Document, DocumentWriter, OutFormat};
/// let mut out = Vec::new();
/// let mut writer = DocumentWriter::new(&mut out, OutFormat::Text);
/// writer.write(&Document::plain("one\ntwo".into(), 1))?;
/// writer.write(&Document::plain("three".into(), 4))?;
/// assert_eq!(out, b"one\ntwo\n\nthree\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct DocumentWriter<W> {
    out: W,
    format: OutFormat,
    /// No document has been written.
    at_start: bool,
}

impl<W: Write> DocumentWriter<W> {
    /// A writer that has written nothing.
    pub fn new(out: W, format: OutFormat) -> Self {
        Self { out, format, at_start: true }
    }

    /// Writes a document.
    ///
    /// # Errors
    /// Those of the writer underneath.
    pub fn write(&mut self, document: &Document) -> io::Result<()> {
        let first = std::mem::take(&mut self.at_start);
        let lines = document.text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        match self.format {
            OutFormat::Text => {
                if !first {
                    self.out.write_all(b"\n")?;
                }
                lines.into_iter().try_for_each(|line| writeln!(self.out, "{line}"))
            }
            OutFormat::Lines => {
                for (i, line) in lines.enumerate() {
                    write!(self.out, "{}{line}", if i > 0 { " " } else { "" })?;
                }
                self.out.write_all(b"\n")
            }
            OutFormat::Rows(delimiter) | OutFormat::BareRows(delimiter) => {
                if first {
                    self.header(document.fields.keys())?;
                }
                let values = document.fields.iter().map(|(name, value)| match value {
                    _ if *name == document.text_field => &document.text,
                    Value::String(text) => text,
                    _ => "", // a row has strings alone
                });
                self.row(values, delimiter)
            }
            OutFormat::Jsonl if let Some(at) = &document.text_at => {
                // Everything but the text stays as it stands: numbers of any size, spaces, repeated names.
                self.out.write_all(&document.raw.as_bytes()[..at.start])?;
                serde_json::to_writer(&mut self.out, &document.text)?;
                self.out.write_all(&document.raw.as_bytes()[at.end..])?;
                self.out.write_all(b"\n")
            }
            OutFormat::Jsonl => {
                let mut fields = document.fields.clone();
                let name = if document.text_field.is_empty() { "text" } else { &document.text_field };
                fields.insert(name.into(), Value::String(document.text.clone()));
                serde_json::to_writer(&mut self.out, &fields)?;
                self.out.write_all(b"\n")
            }
        }
    }

    /// Writes the names of the columns, for a table without rows; with rows it is written by itself. Formats without columns
    /// have none.
    ///
    /// # Errors
    /// Those of the writer underneath.
    pub fn header(&mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
        let (OutFormat::Rows(delimiter) | OutFormat::BareRows(delimiter)) = self.format else {
            return Ok(());
        };
        let names: Vec<_> = names.into_iter().collect();
        self.row(names.iter().map(AsRef::as_ref), delimiter)
    }

    /// Writes a row, as RFC 4180 wants it unless it is to be bare.
    fn row<'a>(&mut self, fields: impl Iterator<Item = &'a str>, delimiter: u8) -> io::Result<()> {
        for (i, field) in fields.enumerate() {
            if i > 0 {
                self.out.write_all(&[delimiter])?;
            }
            if matches!(self.format, OutFormat::BareRows(_)) {
                if field.bytes().any(|b| [delimiter, b'\n', b'\r'].contains(&b)) {
                    let problem =
                        format!("a field with a delimiter or a line end, without quoting: {field:?}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
                self.out.write_all(field.as_bytes())?;
                continue;
            }
            // A row that is one empty field would be a blank line.
            if field.is_empty() || field.bytes().any(|b| [delimiter, b'"', b'\n', b'\r'].contains(&b)) {
                write!(self.out, "\"{}\"", field.replace('"', "\"\""))?;
            } else {
                self.out.write_all(field.as_bytes())?;
            }
        }
        self.out.write_all(b"\n")
    }

    /// Hands back what was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}
