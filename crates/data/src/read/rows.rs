//! Cuts the text of a CSV or TSV file into rows and fields, after RFC 4180.
//!
//! A field in double quotes may hold delimiters, line ends and doubled quotes. Three freedoms beyond the RFC, all
//! without ambiguity: `\n` ends a row as well as `\r\n`; blank lines are skipped; a quote within a field that does not
//! begin with one is an ordinary character. Everything else that is not as the RFC says is an error with its line. What
//! [`Quotes`] asks for is decided a row at a time: [`Rows::is_bare`].

use super::blocks::Blocks;
use super::lines::too_long;
use super::malformed;
use super::notes::Notes;
use super::source::{Quotes, Refused};
use crate::DataError;

/// A reader of rows.
pub(super) struct Rows {
    pub(super) blocks: Blocks,
    pub(super) delimiter: u8,
    pub(super) quotes: Quotes,
    /// Columns of the header; 0 before it is read.
    pub(super) width: usize,
    /// Only the counts of quotation marks.
    pub(super) notes: Notes,
    /// What is decoded: the row that is being read begins at `start` and ends before `end`; `at` is the next byte.
    text: String,
    start: usize,
    end: usize,
    at: usize,
    /// The line of the next byte, from 1.
    line: u64,
    longest: usize,
}

/// How the quotation marks of a line stand.
enum Marks {
    /// Each that opens a field closes it, and so the line has so many fields.
    Paired(usize),
    /// The last that opens a field does not close it in this line.
    Open,
    /// Something follows a closing one.
    Wrong,
}

impl Rows {
    pub(super) fn new(blocks: Blocks, delimiter: u8, quotes: Quotes, longest: usize) -> Self {
        let (text, notes) = (String::new(), Notes::default());
        Self { blocks, delimiter, quotes, width: 0, notes, text, start: 0, end: 0, at: 0, line: 1, longest }
    }

    /// The names of the columns, and the row as it stands with a line end.
    pub(super) fn header(&mut self) -> Result<(Vec<String>, String), DataError> {
        let mut header = Vec::new();
        match self.next(&mut header) {
            Ok(Some(_)) => Ok((header, self.raw().to_string() + "\n")),
            Ok(None) => {
                let remedy = "the first line must name the columns";
                Err(self.wrong(1, "a header", "only blank lines", remedy))
            }
            Err(Refused::Row(error) | Refused::File(error)) => Err(error),
        }
    }

    /// Reads a row into `fields`, and returns the line it begins on; none at the end of the file.
    pub(super) fn next(&mut self, fields: &mut Vec<String>) -> Result<Option<u64>, Refused> {
        while self.peek()? == Some(b'\n') {
            self.at += 1;
            self.start = self.at;
            self.line += 1;
        }
        self.start = self.at;
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let first_line = self.line;
        let bare = self.is_bare()?;
        let mut length = 0;
        loop {
            let mut field = String::new();
            let quoted = !bare && self.peek()? == Some(b'"');
            if quoted {
                self.quoted(&mut field, length)?;
            } else {
                self.unquoted(&mut field, length)?;
            }
            length += field.len();
            fields.push(field);
            match self.peek()? {
                Some(byte) if byte == self.delimiter => self.at += 1,
                Some(b'\r') => {
                    let line = self.line;
                    self.skip_line()?;
                    return Err(Refused::Row(self.wrong(
                        line,
                        "a line end",
                        "a carriage return alone",
                        BARE_CR,
                    )));
                }
                Some(b'\n') => {
                    self.end = self.at;
                    self.at += 1;
                    self.line += 1;
                    return Ok(Some(first_line));
                }
                None => {
                    self.end = self.at;
                    return Ok(Some(first_line));
                }
                Some(_) => {
                    let error = self.after_quote(first_line);
                    self.skip_line()?;
                    return Err(Refused::Row(error));
                }
            }
        }
    }

    /// The row that was read last, as it stands, without its line end.
    pub(super) fn raw(&self) -> &str {
        &self.text[self.start..self.end]
    }

    /// Returns true if the quotation marks of the row that begins here are ordinary characters.
    ///
    /// With [`Quotes::Auto`] a row with tabs is read as it stands if that gives the columns of the header and the
    /// quotation marks do not: they are not in pairs within the line, and the next line is a row by itself, so that no
    /// field goes on there.
    fn is_bare(&mut self) -> Result<bool, DataError> {
        match self.quotes {
            Quotes::None => return Ok(true),
            Quotes::Auto if self.delimiter == b'\t' && self.width > 0 => {}
            _ => return Ok(false),
        }
        let Some(mut end) = self.line_end(0)? else { return Ok(false) };
        let line = &self.text.as_bytes()[self.start..][..end];
        if memchr::memchr(b'"', line).is_none() || self.columns(line) != self.width {
            return Ok(false);
        }
        let bare = match self.marks(line) {
            Marks::Paired(fields) => fields != self.width,
            Marks::Wrong => true,
            Marks::Open => loop {
                let from = end + 1;
                let Some(next) = self.line_end(from)? else { break true };
                let line = &self.text.as_bytes()[self.start..][from..next];
                if !line.trim_ascii().is_empty() {
                    break self.columns(line) == self.width;
                }
                end = next;
            },
        };
        self.notes.lone_quotes += u64::from(bare);
        Ok(bare)
    }

    /// Columns of a line without quoting.
    fn columns(&self, line: &[u8]) -> usize {
        1 + memchr::memchr_iter(self.delimiter, line).count()
    }

    fn marks(&self, line: &[u8]) -> Marks {
        let (mut fields, mut at) = (1, 0);
        loop {
            if line.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    let Some(closing) = memchr::memchr(b'"', &line[at..]) else { return Marks::Open };
                    at += closing + 1;
                    if line.get(at) != Some(&b'"') {
                        break;
                    }
                    at += 1; // doubled
                }
                if at < line.len() && line[at] != self.delimiter {
                    return Marks::Wrong;
                }
            }
            match memchr::memchr(self.delimiter, &line[at..]) {
                Some(delimiter) => at += delimiter + 1,
                None => return Marks::Paired(fields),
            }
            fields += 1;
        }
    }

    /// The end of the line that begins `from` bytes after the row does, from there too; none after the last line.
    fn line_end(&mut self, from: usize) -> Result<Option<usize>, DataError> {
        let mut searched = from;
        loop {
            let rest = self.text.as_bytes().get(self.start + searched..).unwrap_or(&[]);
            if let Some(end) = memchr::memchr(b'\n', rest) {
                return Ok(Some(searched + end));
            }
            searched += rest.len();
            if searched > self.longest {
                return Err(too_long(&self.blocks, self.line, "row", self.longest));
            }
            if !self.more()? {
                return Ok((searched > from).then_some(searched));
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
        if self.delimiter == b'\t' && self.quotes == Quotes::Auto {
            self.notes.quoted_breaks += u64::from(field.contains(['\t', '\n', '\r']));
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

    /// Goes on at the next line.
    fn skip_line(&mut self) -> Result<(), DataError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.text.as_bytes()[self.at..]) {
                self.at += end + 1;
                self.line += 1;
                return Ok(());
            }
            self.at = self.text.len();
            self.start = self.at; // nothing of the row is needed
            if !self.more()? {
                return Ok(());
            }
        }
    }

    /// The next byte; none at the end of the file.
    fn peek(&mut self) -> Result<Option<u8>, DataError> {
        while self.at == self.text.len() {
            if !self.more()? {
                return Ok(None);
            }
        }
        Ok(Some(self.text.as_bytes()[self.at]))
    }

    /// Decodes the next block, and forgets what stands before the row; false at the end of the file.
    fn more(&mut self) -> Result<bool, DataError> {
        self.text.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        self.blocks.read_into(&mut self.text)
    }

    fn after_quote(&self, first_line: u64) -> DataError {
        let next = self.text[self.at..].chars().next().map_or(String::new(), |c| format!("{c:?}"));
        let found = match first_line == self.line {
            true => next,
            false => format!("{next} (its row begins on line {first_line})"),
        };
        self.wrong(self.line, "a delimiter or a line end after a closing quote", &found, UNDOUBLED)
    }

    pub(super) fn wrong(&self, line: u64, expected: &str, found: &str, remedy: &str) -> DataError {
        malformed(self.blocks.name(), format!("line {line}"), expected, found, remedy)
    }
}

const BARE_CR: &str = "put the field in quotes, or convert the line ends of an old Macintosh file with: \
                       tr '\\r' '\\n' < INPUT > OUTPUT";
const UNDOUBLED: &str = "double the quotes within a field in quotes, or read quotation marks as they stand with \
                         --quotes none";
const UNCLOSED: &str = "close the quote, and double the quotes within the field; or read quotation marks as they \
                        stand with --quotes none";
