//! Records: the documents of a file as they stand in it, a row with its quotes, a line with its object. They
//! are what a split must not tear apart, and what is written again as it was. What is *in* a row or an object is
//! for [`Documents`](super::Documents).

use super::blocks::Blocks;
use super::lines::{Limit, Lines};
use super::{Detected, malformed, open_file};
use crate::DataError;
use serde_json::Value;
use std::path::{Path, PathBuf};

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
    /// The same of a TSV file. Its delimiter is known, so a quotation mark counts only where a field begins.
    TsvRecord,
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
    path: PathBuf,
    /// Bytes in the file, when it was opened.
    bytes: u64,
    lines: Lines,
    end: RecordEnd,
    header: Option<String>,
    marks: u64,
}

impl Records {
    /// Opens a text; of a CSV or TSV file the header is read. The encoding is found if none is named.
    ///
    /// # Errors
    /// If the file cannot be read, if its encoding is doubtful, or if a quotation mark of its header is never
    /// closed.
    pub fn open(
        path: impl AsRef<Path>,
        end: RecordEnd,
        encoding: Option<&str>,
    ) -> Result<Records, DataError> {
        let path = path.as_ref();
        let (file, bytes) = open_file(path)?;
        let blocks = Blocks::new(path.display().to_string(), Box::new(file), Some(bytes), encoding)?;
        let lines = Lines::new(blocks, Limit { longest: MAX_BYTES, refusal: too_large });
        let mut records = Records { path: path.into(), bytes, lines, end, header: None, marks: 0 };
        if matches!(records.end, RecordEnd::CsvRecord | RecordEnd::TsvRecord) {
            records.header = records.next_row()?.map(|header| header.text);
        }
        Ok(records)
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What ends a record.
    pub fn end(&self) -> &RecordEnd {
        &self.end
    }

    /// The encoding that is read, and how it is known.
    pub fn encoding(&self) -> &Detected {
        self.lines.blocks.detected()
    }

    /// The header of a CSV or TSV file.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// Bytes read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        (self.lines.blocks.offset(), self.bytes)
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read or decoded, if a document is longer than 64 MiB, a quotation
    /// mark of a CSV or TSV file is never closed, or there is no mark in the whole file.
    pub fn next_record(&mut self) -> Result<Option<Record>, DataError> {
        let (lines, marks) = (&mut self.lines, &mut self.marks);
        let found = match &self.end {
            RecordEnd::CsvRecord | RecordEnd::TsvRecord => return self.next_row(),
            RecordEnd::Line => lines.next_filled()?.map(str::to_string).map(|text| (lines.number(), text)),
            RecordEnd::EmptyLine => lines.next_run(|line| line.trim().is_empty())?,
            RecordEnd::Mark(mark) => {
                let found = lines.next_run(|line| {
                    let ended = line.trim_end() == mark;
                    *marks += u64::from(ended);
                    ended
                })?;
                if found.is_none() && *marks == 0 {
                    return Err(no_mark(&self.lines.blocks, mark));
                }
                found
            }
        };
        Ok(found.map(|(line, text)| Record { text: text + "\n", line }))
    }

    /// Lines up to one at whose end all quotation marks are closed (`""` inside of a field counts twice).
    ///
    /// The other reader of rows (csv.rs) takes a quotation mark for one only where a field begins, which it can
    /// because it knows what separates fields. So it is here with TSV, in which nothing is quoted as often as not. What
    /// separates the fields of CSV nobody names; counting is right whatever it is, and rows are
    /// only written again: to refuse what is not as RFC 4180 says is left to that reader. On a file that is, both
    /// find the same rows, but for those of spaces alone. A lone mark within a field of CSV (`5" wide`) takes the lines up
    /// to the next one into the same record.
    fn next_row(&mut self) -> Result<Option<Record>, DataError> {
        let is_tsv = self.end == RecordEnd::TsvRecord;
        let mut record = Record { text: String::new(), line: 1 + self.lines.number() };
        let mut quoted = false;
        while let Some(line) = self.lines.next()? {
            quoted = match is_tsv {
                true => is_open_after(line, quoted),
                false => quoted ^ (line.bytes().filter(|&b| b == b'"').count() % 2 == 1),
            };
            record.text += line;
            record.text.push('\n');
            self.lines.check(&record.text, record.line, "row")?;
            if quoted {
                continue;
            }
            let is_blank = if is_tsv { record.text == "\n" } else { record.text.trim().is_empty() };
            if !is_blank {
                return Ok(Some(record));
            }
            record = Record { text: String::new(), line: 1 + self.lines.number() };
        }
        if quoted {
            return Err(malformed(
                self.lines.blocks.name(),
                format!("line {}", record.line),
                "closed quotation marks",
                "a quotation mark that is never closed",
                "close it, or write \"\" for a quotation mark inside of a field",
            ));
        }
        Ok(None)
    }
}

/// Whether a field in quotes goes on after a line of a TSV file, if one did (or not) before it.
fn is_open_after(line: &str, mut quoted: bool) -> bool {
    // A mark opens a field at its beginning, and once more after one that closed it: a doubled one is within the field.
    let mut may_open = !quoted;
    for byte in line.bytes() {
        (quoted, may_open) = match byte {
            b'"' if quoted => (false, true),
            b'"' if may_open => (true, false),
            _ => (quoted, !quoted && byte == b'\t'),
        };
    }
    quoted
}

fn too_large(blocks: &Blocks, line: u64, _what: &str, longest: usize) -> DataError {
    malformed(
        blocks.name(),
        format!("line {line}"),
        "documents that fit into memory",
        format!("a document of more than {} MiB", longest >> 20),
        "separate the documents by empty lines, or name their separator with --mark",
    )
}

fn no_mark(blocks: &Blocks, mark: &str) -> DataError {
    malformed(
        blocks.name(),
        "",
        "documents with a mark between them",
        format!("no line that is {mark:?}"),
        "name what stands between the documents with --mark, or use --by paragraph or --by line",
    )
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
        "jsonl" => RecordEnd::Line,
        "csv" => RecordEnd::CsvRecord,
        "tsv" => RecordEnd::TsvRecord,
        _ => RecordEnd::Mark(mark.into()),
    }
}
