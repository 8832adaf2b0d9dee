//! The documents of a text: what belongs together, and must not be torn apart by a split.

use crate::DataError;
use crate::read::TextReader;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Longer documents are refused: a text without a single separator would fill the memory.
const MAX_BYTES: usize = 64 << 20;

/// What ends a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentEnd {
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

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its text, ending with a line end.
    pub text: String,
    /// The line of the file in which it begins, from 1.
    pub line: u64,
}

impl Document {
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

/// The documents of a file, one after the other; only one is in memory.
///
/// ```no_run
/// use data::dataset::{DocumentEnd, Documents};
/// let mut documents = Documents::open("stories.txt", DocumentEnd::Mark("* * *".into()))?;
/// while let Some(story) = documents.next_document()? {
///     println!("line {}: {} bytes", story.line, story.text.len());
/// }
/// # Ok::<(), data::DataError>(())
/// ```
pub struct Documents {
    reader: TextReader,
    end: DocumentEnd,
    /// What was read and not yet used begins at `at`.
    text: String,
    at: usize,
    /// The line that begins there, from 1.
    line: u64,
    header: Option<String>,
    marks: u64,
}

impl Documents {
    /// Opens a text; of a CSV file the header is read.
    ///
    /// # Errors
    /// If the file cannot be read, or has no header where it needs one.
    pub fn open(path: impl AsRef<Path>, end: DocumentEnd) -> Result<Documents, DataError> {
        let reader = TextReader::open(path)?;
        let mut documents =
            Documents { reader, end, text: String::new(), at: 0, line: 1, header: None, marks: 0 };
        if documents.end == DocumentEnd::CsvRecord {
            documents.header = documents.record()?.map(|header| header.text);
        }
        Ok(documents)
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        self.reader.path()
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
    /// If the file cannot be read or is no UTF-8 text, if a document is longer than 64 MiB, a quotation
    /// mark of a CSV file is never closed, or there is no mark in the whole file.
    pub fn next_document(&mut self) -> Result<Option<Document>, DataError> {
        match self.end {
            DocumentEnd::CsvRecord => self.record(),
            DocumentEnd::Line => self.lines_until(|_, _| true),
            DocumentEnd::EmptyLine => self.lines_until(|line, _| line.trim().is_empty()),
            DocumentEnd::Mark(_) => {
                let document = self.lines_until(|line, mark| line.trim_end() == mark)?;
                if document.is_none() && self.marks == 0 {
                    return Err(self.no_mark());
                }
                Ok(document)
            }
        }
    }

    /// Lines up to one that ends the document. That line is part of it only if the end is `Line`.
    fn lines_until(&mut self, ends: fn(&str, &str) -> bool) -> Result<Option<Document>, DataError> {
        let mark = match &self.end {
            DocumentEnd::Mark(mark) => mark.clone(),
            _ => String::new(),
        };
        let mut document = Document { text: String::new(), line: self.line };
        while let Some(line) = self.next_line(document.text.len())? {
            let is_end = ends(&line, &mark);
            if is_end && self.end != DocumentEnd::Line {
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
    fn record(&mut self) -> Result<Option<Document>, DataError> {
        let mut record = Document { text: String::new(), line: self.line };
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
            record = Document { text: String::new(), line: self.line };
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
        let DocumentEnd::Mark(mark) = &self.end else { unreachable!("only marks are counted") };
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
fn finished(mut document: Document) -> Document {
    document.text.truncate(document.text.trim_end_matches('\n').len());
    document.text.push('\n');
    document
}

/// How the documents of a file are found where nobody says so: by its name.
///
/// ```
/// use data::dataset::{DocumentEnd, usual_document_end};
/// assert_eq!(usual_document_end("a.jsonl".as_ref(), "* * *"), DocumentEnd::Line);
/// assert_eq!(usual_document_end("a.txt".as_ref(), "* * *"), DocumentEnd::Mark("* * *".into()));
/// ```
pub fn usual_document_end(path: &Path, mark: &str) -> DocumentEnd {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "jsonl" | "tsv" => DocumentEnd::Line,
        "csv" => DocumentEnd::CsvRecord,
        _ => DocumentEnd::Mark(mark.into()),
    }
}

/// The name of a part of a dataset: `train` of `poems.txt` is `train.txt`.
pub(crate) fn part_name(part: &str, of: &Path) -> PathBuf {
    let mut name = PathBuf::from(part);
    name.set_extension(of.extension().unwrap_or("txt".as_ref()));
    name
}
