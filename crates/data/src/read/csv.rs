//! CSV and TSV: a header, and rows of as many fields (rows.rs cuts them).

use super::blocks::Blocks;
use super::malformed;
use super::notes::Notes;
use super::rows::Rows;
use super::source::{Document, Options, Quotes, Refused, Source, Wanted};
use crate::DataError;
use crate::error::listed;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A reader of rows. The text of a document is in the column `text_column`; without one it is the whole row.
pub(super) struct Csv {
    rows: Rows,
    header: Vec<String>,
    /// As it stands in the file.
    raw_header: String,
    text_column: Option<usize>,
    wanted: Wanted,
    whole_rows: u64,
}

impl Csv {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Self::with_delimiter(blocks, options, b',')
    }

    pub(super) fn open_tsv(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Self::with_delimiter(blocks, options, b'\t')
    }

    fn with_delimiter(blocks: Blocks, options: &Options, usual: u8) -> Result<Box<dyn Source>, DataError> {
        let delimiter = options.delimiter.unwrap_or(usual);
        let mut rows = Rows::new(blocks, delimiter, options.quotes, options.longest);
        let (mut header, mut raw_header) = rows.header()?;
        if let Some(stated) = stated_delimiter(&header, delimiter) {
            if options.delimiter.is_some_and(|given| given != stated) {
                let (expected, found) = ("the delimiter that the file states", "another --delimiter");
                return Err(rows.wrong(1, expected, found, "leave out --delimiter"));
            }
            rows.delimiter = stated;
            let (names, raw) = rows.header()?;
            (header, raw_header) = (names, raw_header + &raw);
        } else if let (None, [only]) = (options.delimiter, &header[..])
            && let Some(other) = [';', '\t', ',', '|'].into_iter().find(|other| only.contains(*other))
        {
            // A name that holds a delimiter is more likely several names: a decimal comma goes with semicolons.
            let remedy = format!(
                "give --delimiter {other:?} if that is what stands between columns, or --delimiter {:?} if this is one name",
                char::from(delimiter)
            );
            return Err(rows.wrong(1, "column names", &format!("one column, {only:?}"), &remedy));
        }
        let mut seen = HashSet::new();
        if let Some(name) = header.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(rows.wrong(1, "column names", &format!("{name:?} twice"), "rename one of them"));
        }
        let text_column = text_column(rows.blocks.name(), &header, options)?;
        rows.width = header.len();
        Ok(Box::new(Self { rows, header, raw_header, text_column, wanted: options.wanted, whole_rows: 0 }))
    }

    /// A row as a document.
    fn document(&mut self, mut row: Vec<String>, line: u64) -> Result<Document, DataError> {
        if row.len() != self.header.len() {
            let count = |n: usize| format!("{n} {}", if n == 1 { "field" } else { "fields" });
            let quoting = match self.rows.quotes {
                Quotes::None => {
                    "a delimiter within a field needs quotation marks around the field: leave out --quotes none"
                }
                _ => {
                    "a field with a delimiter or a quote in it must be in quotes, and quotes in it doubled \
                     (--quotes none takes quotation marks as they stand; --skip-bad leaves such rows out)"
                }
            };
            return Err(malformed(
                self.rows.blocks.name(),
                format!("line {line}"),
                format!("{}, as in the header", count(self.header.len())),
                count(row.len()),
                quoting,
            ));
        }
        let raw = self.rows.raw().to_string();
        let (text, text_field) = match self.text_column {
            Some(column) => (std::mem::take(&mut row[column]), self.header[column].clone()),
            None if self.wanted == Wanted::Fields => (String::new(), String::new()),
            None => {
                self.whole_rows += 1;
                (raw.clone(), String::new())
            }
        };
        let values = row.into_iter().map(Value::String);
        let fields: Map<String, Value> = self.header.iter().cloned().zip(values).collect();
        Ok(Document { text, line, fields, text_field, raw, text_at: None })
    }
}

/// What a first line such as `sep=;` says, which Excel takes for the delimiter. It was cut by `delimiter`.
fn stated_delimiter(first: &[String], delimiter: u8) -> Option<u8> {
    match first {
        // One ASCII character: fields are cut at a byte, which must not be a part of a longer character.
        [only] => match only.strip_prefix("sep=")?.as_bytes() {
            [byte] if byte.is_ascii() && *byte != b'"' => Some(*byte),
            _ => None,
        },
        [sep, rest] if sep == "sep=" && rest.is_empty() => Some(delimiter),
        _ => None,
    }
}

/// The column with the text: the one named, else `text`, else the only one.
fn text_column(name: &str, header: &[String], options: &Options) -> Result<Option<usize>, DataError> {
    let asked = options.text_column.as_deref();
    if options.wanted == Wanted::Fields {
        return Ok(None);
    }
    if let (None, [_]) = (asked, header) {
        return Ok(Some(0));
    }
    let wanted = asked.unwrap_or("text");
    match header.iter().position(|column| column == wanted) {
        None if asked.is_none() && options.wanted == Wanted::TextOrRow => Ok(None),
        None => Err(malformed(
            name,
            "line 1",
            format!("a column {wanted:?}"),
            format!("the columns {}", listed(header)),
            "name the column with --text-column (with pairs, --source-column)",
        )),
        found => Ok(found),
    }
}

impl Source for Csv {
    fn next(&mut self) -> Result<Option<Document>, Refused> {
        let mut row = Vec::with_capacity(self.header.len());
        let Some(line) = self.rows.next(&mut row)? else { return Ok(None) };
        self.document(row, line).map(Some).map_err(Refused::Row)
    }

    fn blocks(&self) -> &Blocks {
        &self.rows.blocks
    }

    fn header(&self) -> &str {
        &self.raw_header
    }

    fn delimiter(&self) -> Option<u8> {
        Some(self.rows.delimiter)
    }

    fn notes(&self) -> Notes {
        Notes { whole_rows: self.whole_rows, ..self.rows.notes.clone() }
    }
}
