//! CSV and TSV after RFC 4180: a header, and rows of as many fields.
//!
//! A field in double quotes may hold delimiters, line ends and doubled quotes. Three freedoms beyond the
//! RFC, all without ambiguity: `\n` ends a row as well as `\r\n`; blank lines are skipped; a quote within a
//! field that does not begin with one is an ordinary character. Everything else that is not as the RFC says
//! is an error with its line.

use super::blocks::Blocks;
use super::lines::too_long;
use super::malformed;
use super::source::{Document, Options, Source, listed};
use crate::DataError;
use serde_json::{Map, Value};

/// A reader of rows. The text of a document is in the column `text_column`.
pub(super) struct Csv {
    rows: Rows,
    header: Vec<String>,
    text_column: usize,
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
        let mut rows =
            Rows { blocks, text: String::new(), at: 0, line: 1, delimiter, longest: options.longest };
        let mut header = rows.header()?;
        if let Some(stated) = stated_delimiter(&header, delimiter) {
            if options.delimiter.is_some_and(|given| given != stated) {
                let (expected, found) = ("the delimiter that the file states", "another --delimiter");
                return Err(malformed(
                    rows.blocks.name(),
                    "line 1",
                    expected,
                    found,
                    "leave out --delimiter",
                ));
            }
            rows.delimiter = stated;
            header = rows.header()?;
        } else if let (None, [only]) = (options.delimiter, &header[..])
            && let Some(other) = [';', '\t', ',', '|'].into_iter().find(|other| only.contains(*other))
        {
            // A name that holds a delimiter is more likely several names: a decimal comma goes with semicolons.
            let remedy = format!(
                "give --delimiter {other:?} if that is what stands between columns, or --delimiter {:?} if this is one name",
                char::from(delimiter)
            );
            let (expected, found) = ("column names", format!("one column, {only:?}"));
            return Err(malformed(rows.blocks.name(), "line 1", expected, found, remedy));
        }
        for (i, name) in header.iter().enumerate() {
            if header[..i].contains(name) {
                let found = format!("{name:?} twice");
                return Err(malformed(
                    rows.blocks.name(),
                    "line 1",
                    "column names",
                    found,
                    "rename one of them",
                ));
            }
        }
        let text_column = text_column(rows.blocks.name(), &header, options.text_column.as_deref())?;
        Ok(Box::new(Self { rows, header, text_column }))
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
fn text_column(name: &str, header: &[String], asked: Option<&str>) -> Result<usize, DataError> {
    if let (None, [_]) = (asked, header) {
        return Ok(0);
    }
    let wanted = asked.unwrap_or("text");
    header.iter().position(|column| column == wanted).ok_or_else(|| {
        malformed(
            name,
            "line 1",
            format!("a column {wanted:?}"),
            format!("the columns {}", listed(header.iter().map(String::as_str))),
            "name the column with the text with --text-column",
        )
    })
}

impl Source for Csv {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        let mut row = Vec::with_capacity(self.header.len());
        let Some(line) = self.rows.next(&mut row)? else { return Ok(None) };
        if row.len() != self.header.len() {
            let count = |n: usize| format!("{n} {}", if n == 1 { "field" } else { "fields" });
            return Err(malformed(
                self.rows.blocks.name(),
                format!("line {line}"),
                format!("{}, as in the header", count(self.header.len())),
                count(row.len()),
                "a field with a comma or a quote in it must be in quotes, and quotes in it doubled",
            ));
        }
        let text = std::mem::take(&mut row[self.text_column]);
        let values = row.into_iter().map(Value::String);
        let fields: Map<String, Value> = self.header.iter().cloned().zip(values).collect();
        Ok(Some(Document { text, line, fields, text_field: self.header[self.text_column].clone() }))
    }

    fn blocks(&self) -> &Blocks {
        &self.rows.blocks
    }
}

/// Cuts the text into rows and fields.
struct Rows {
    blocks: Blocks,
    /// What is decoded; `at` is the next byte.
    text: String,
    at: usize,
    /// The line of the next byte, from 1.
    line: u64,
    delimiter: u8,
    longest: usize,
}

impl Rows {
    /// The names of the columns.
    fn header(&mut self) -> Result<Vec<String>, DataError> {
        let mut header = Vec::new();
        match self.next(&mut header)? {
            Some(_) => Ok(header),
            None => {
                let remedy = "the first line must name the columns";
                Err(malformed(self.blocks.name(), "line 1", "a header", "only blank lines", remedy))
            }
        }
    }

    /// Reads a row into `fields`, and answers the line it begins on; none at the end of the file.
    fn next(&mut self, fields: &mut Vec<String>) -> Result<Option<u64>, DataError> {
        while self.peek()? == Some(b'\n') {
            self.at += 1;
            self.line += 1;
        }
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let first_line = self.line;
        let mut length = 0;
        loop {
            let mut field = String::new();
            let quoted = self.peek()? == Some(b'"');
            if quoted {
                self.quoted(&mut field, length)?
            } else {
                self.unquoted(&mut field, length)?
            }
            length += field.len();
            fields.push(field);
            match self.peek()? {
                Some(byte) if byte == self.delimiter => self.at += 1,
                Some(b'\r') => {
                    return Err(self.wrong(self.line, "a line end", "a carriage return alone", BARE_CR));
                }
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    return Ok(Some(first_line));
                }
                None => return Ok(Some(first_line)),
                Some(_) => return Err(self.after_quote()),
            }
        }
    }

    /// A field up to a delimiter, a line end or the end of the file.
    fn unquoted(&mut self, field: &mut String, length: usize) -> Result<(), DataError> {
        let delimiter = self.delimiter;
        self.copy_until(field, length, |bytes| memchr::memchr3(delimiter, b'\n', b'\r', bytes))?;
        Ok(())
    }

    /// A field in quotes, without them.
    fn quoted(&mut self, field: &mut String, length: usize) -> Result<(), DataError> {
        let opened = self.line;
        self.at += 1;
        loop {
            if !self.copy_until(field, length, |bytes| memchr::memchr(b'"', bytes))? {
                let found = "the end of the file";
                return Err(self.wrong(opened, "the quote that closes the field", found, UNCLOSED));
            }
            self.at += 1;
            if self.peek()? != Some(b'"') {
                break;
            }
            field.push('"'); // doubled
            self.at += 1;
        }
        if field.contains('\r') {
            *field = field.replace('\r', "\n");
        }
        Ok(())
    }

    /// Copies up to where `find` says; false if the file ends first.
    fn copy_until(
        &mut self,
        field: &mut String,
        length: usize,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<bool, DataError> {
        while self.peek()?.is_some() {
            let rest = &self.text[self.at..];
            let found = find(rest.as_bytes());
            let copied = &rest[..found.unwrap_or(rest.len())];
            field.push_str(copied);
            self.line += memchr::memchr_iter(b'\n', copied.as_bytes()).count() as u64;
            self.at += copied.len();
            if length + field.len() > self.longest {
                return Err(too_long(&self.blocks, self.line, "row", self.longest));
            }
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next byte; none at the end of the file.
    fn peek(&mut self) -> Result<Option<u8>, DataError> {
        while self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            if !self.blocks.read_into(&mut self.text)? {
                return Ok(None);
            }
        }
        Ok(Some(self.text.as_bytes()[self.at]))
    }

    fn after_quote(&self) -> DataError {
        let next = self.text[self.at..].chars().next().map_or(String::new(), |c| format!("{c:?}"));
        let remedy = "double the quotes within a field in quotes";
        self.wrong(self.line, "a delimiter or a line end after a closing quote", &next, remedy)
    }

    fn wrong(&self, line: u64, expected: &str, found: &str, remedy: &str) -> DataError {
        malformed(self.blocks.name(), format!("line {line}"), expected, found, remedy)
    }
}

const BARE_CR: &str = "put the field in quotes, or convert the line ends of an old Macintosh file with: \
                       tr '\\r' '\\n' < INPUT > OUTPUT";
const UNCLOSED: &str = "close the quote, and double the quotes within the field";
