//! Records: the documents of a file as they stand in it, a row with its quotes, a line with its object. They
//! are what a split must not tear apart, and what is written again as it was. What is *in* a row or an object is
//! for [`Documents`](super::Documents).

use super::{Detected, TextReader};
use crate::DataError;
use serde_json::Value;
use std::path::Path;

/// Longer documents are refused: a text without a single separator would fill the memory.
const MAX_BYTES: usize = 64 << 20;

/// What ends a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordEnd {
    /// A line that is exactly this, such as `<|endoftext|>` in TinyStories or `* * *` in our stories.
    Mark(String),
    /// One or more empty lines.
    EmptyLine,
    /// Every line is a document; empty lines are none. The form of JSONL.
    Line,
    /// A record of a CSV file, in which a quoted field may hold line ends. The first record is the
    /// header and no document.
    CsvRecord,
}

/// One document as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its text, ending with a line end.
    pub text: String,
    /// The line of the file in which it begins, from 1.
    pub line: u64,
}

impl Record {
    /// The text in a field of a document that is a JSON object (a line of a JSONL file).
    ///
    /// # Errors
    /// If it is no object, or has no such field with a text. `path` is for the message.
    pub fn json_field(&self, field: &str, path: &Path) -> Result<String, DataError> {
        let malformed = |found: String| DataError::Malformed {
            what: path.display().to_string(),
            place: format!("line {}", self.line),
            found,
            expected: format!("an object with a text in {field:?}"),
            remedy: "correct or delete the line, or name another field with --field".into(),
        };
        match serde_json::from_str(&self.text) {
            Ok(Value::Object(mut object)) => match object.remove(field) {
                Some(Value::String(text)) => Ok(text),
                Some(other) => Err(malformed(format!("{field:?}: {}", shortened(&other.to_string())))),
                None => {
                    let names: Vec<&str> = object.keys().map(String::as_str).collect();
                    Err(malformed(format!("only the fields {}", shortened(&format!("{names:?}")))))
                }
            },
            Ok(other) => Err(malformed(shortened(&other.to_string()))),
            Err(error) => Err(malformed(format!("no valid JSON ({error})"))),
        }
    }
}

/// The beginning of what was found, for a message.
fn shortened(found: &str) -> String {
    let mut chars = found.chars();
    let start: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() { start + "..." } else { start }
}

/// The documents of a file as they stand in it, one after the other; only one is in memory.
///
/// ```no_run
/// use data::read::{RecordEnd, Records};
/// let mut documents = Records::open("stories.txt", RecordEnd::Mark("* * *".into()), None)?;
/// while let Some(story) = documents.next_record()? {
///     println!("line {}: {} bytes", story.line, story.text.len());
/// }
/// # Ok::<(), data::DataError>(())
/// ```
pub struct Records {
    reader: TextReader,
    end: RecordEnd,
    /// What was read and not yet used begins at `at`.
    text: String,
    at: usize,
    /// The line that begins there, from 1.
    line: u64,
    header: Option<String>,
    marks: u64,
}

impl Records {
    /// Opens a text; of a CSV file the header is read. The encoding is found if none is named.
    ///
    /// # Errors
    /// If the file cannot be read, if its encoding is doubtful, or if a quotation mark of its header is never
    /// closed.
    pub fn open(
        path: impl AsRef<Path>,
        end: RecordEnd,
        encoding: Option<&str>,
    ) -> Result<Records, DataError> {
        let reader = TextReader::open(path, encoding)?;
        let mut documents =
            Records { reader, end, text: String::new(), at: 0, line: 1, header: None, marks: 0 };
        if documents.end == RecordEnd::CsvRecord {
            documents.header = documents.record()?.map(|header| header.text);
        }
        Ok(documents)
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// What ends a record.
    pub fn end(&self) -> &RecordEnd {
        &self.end
    }

    /// The encoding that is read, and how it is known.
    pub fn encoding(&self) -> &Detected {
        self.reader.encoding()
    }

    /// The header of a CSV file.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// Bytes read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        self.reader.progress()
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read or decoded, if a document is longer than 64 MiB, a quotation
    /// mark of a CSV file is never closed, or there is no mark in the whole file.
    pub fn next_record(&mut self) -> Result<Option<Record>, DataError> {
        match self.end {
            RecordEnd::CsvRecord => self.record(),
            RecordEnd::Line => self.lines_until(|_, _| true),
            RecordEnd::EmptyLine => self.lines_until(|line, _| line.trim().is_empty()),
            RecordEnd::Mark(_) => {
                let document = self.lines_until(|line, mark| line.trim_end() == mark)?;
                if document.is_none() && self.marks == 0 {
                    return Err(self.no_mark());
                }
                Ok(document)
            }
        }
    }

    /// Lines up to one that ends the document. That line is part of it only if the end is `Line`.
    fn lines_until(&mut self, ends: fn(&str, &str) -> bool) -> Result<Option<Record>, DataError> {
        let mark = match &self.end {
            RecordEnd::Mark(mark) => mark.clone(),
            _ => String::new(),
        };
        let mut document = Record { text: String::new(), line: self.line };
        while let Some(line) = self.next_line(document.text.len())? {
            let is_end = ends(&line, &mark);
            if is_end && self.end != RecordEnd::Line {
                self.marks += 1;
            } else if !(document.text.is_empty() && line.trim().is_empty()) {
                document.text += &line;
            }
            if document.text.is_empty() {
                document.line = self.line; // only empty lines and marks so far
            } else if is_end {
                return Ok(Some(finished(document)));
            }
        }
        Ok((!document.text.is_empty()).then(|| finished(document)))
    }

    /// Lines up to one at whose end all quotation marks are closed (`""` inside of a field counts twice).
    fn record(&mut self) -> Result<Option<Record>, DataError> {
        let mut record = Record { text: String::new(), line: self.line };
        let mut quoted = false;
        while let Some(line) = self.next_line(record.text.len())? {
            quoted ^= line.bytes().filter(|&b| b == b'"').count() % 2 == 1;
            record.text += &line;
            if quoted {
                continue;
            }
            if !record.text.trim().is_empty() {
                return Ok(Some(finished(record)));
            }
            record = Record { text: String::new(), line: self.line };
        }
        if quoted {
            return Err(self.malformed(
                record.line,
                "a quotation mark that is never closed",
                "closed quotation marks",
                "close it, or write \"\" for a quotation mark inside of a field",
            ));
        }
        Ok(None)
    }

    /// The next line with its end; `before` is the size of the document so far.
    fn next_line(&mut self, before: usize) -> Result<Option<String>, DataError> {
        let mut searched = self.at;
        let end = loop {
            if let Some(newline) = self.text[searched..].find('\n') {
                break searched + newline + 1;
            }
            self.text.drain(..self.at);
            self.at = 0;
            searched = self.text.len();
            self.check_size(before + searched)?;
            match self.reader.next_piece()? {
                Some(piece) => self.text += &piece,
                None if self.text.is_empty() => return Ok(None),
                None => break self.text.len(),
            }
        };
        self.check_size(before + end - self.at)?;
        let line = self.text[self.at..end].to_string();
        self.at = end;
        self.line += 1;
        Ok(Some(line))
    }

    fn check_size(&self, bytes: usize) -> Result<(), DataError> {
        if bytes <= MAX_BYTES {
            return Ok(());
        }
        let found = format!("a document of more than {} MiB", MAX_BYTES >> 20);
        let remedy = "separate the documents by empty lines, or name their separator with --mark";
        Err(self.malformed(self.line, &found, "documents that fit into memory", remedy))
    }

    fn no_mark(&self) -> DataError {
        let RecordEnd::Mark(mark) = &self.end else { unreachable!("only marks are counted") };
        let found = format!("no line that is {mark:?}");
        let remedy = "name what stands between the documents with --mark, or use --by paragraph or --by line";
        let (what, expected) =
            (self.path().display().to_string(), "documents with a mark between them".into());
        DataError::Malformed { what, place: String::new(), found, expected, remedy: remedy.into() }
    }

    fn malformed(&self, line: u64, found: &str, expected: &str, remedy: &str) -> DataError {
        DataError::Malformed {
            what: self.path().display().to_string(),
            place: format!("line {line}"),
            found: found.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        }
    }
}

/// The document without the empty lines at its end, and with the line end that the last line may lack.
fn finished(mut document: Record) -> Record {
    document.text.truncate(document.text.trim_end_matches('\n').len());
    document.text.push('\n');
    document
}

/// How the documents of a file are found where nobody says so: by its name.
///
/// ```
/// use data::read::{RecordEnd, usual_record_end};
/// assert_eq!(usual_record_end("a.jsonl".as_ref(), "* * *"), RecordEnd::Line);
/// assert_eq!(usual_record_end("a.txt".as_ref(), "* * *"), RecordEnd::Mark("* * *".into()));
/// ```
pub fn usual_record_end(path: &Path, mark: &str) -> RecordEnd {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "jsonl" | "tsv" => RecordEnd::Line,
        "csv" => RecordEnd::CsvRecord,
        _ => RecordEnd::Mark(mark.into()),
    }
}
