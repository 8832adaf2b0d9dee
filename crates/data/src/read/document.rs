//! Documents: what a file of any format is cut into, one after the other, in constant memory.

use super::blocks::Blocks;
use super::encoding::Detected;
use super::notes::Notes;
use super::source::{Document, Options, Refused, Source};
use super::{csv, jsonl, malformed, open_file, plain};
use crate::DataError;
use crate::error::listed;
use std::io::Read;
use std::path::Path;

/// A format: its name, the extensions of its files, and what reads it.
pub struct Format {
    /// Its name for [`Options::format`].
    pub name: &'static str,
    /// In lower case, without a dot.
    pub extensions: &'static [&'static str],
    /// What a document is in it.
    pub about: &'static str,
    /// Its documents have columns or fields, one of which is the text.
    pub has_fields: bool,
    open: Open,
}

type Open = fn(Blocks, &Options) -> Result<Box<dyn Source>, DataError>;

/// The formats. The first is that of a file whose extension is not listed.
pub const FORMATS: &[Format] = &[
    Format {
        name: "text",
        extensions: &["txt", "text", "md"],
        about: "documents between blank lines, or lines that are a mark",
        has_fields: false,
        open: plain::Passages::open,
    },
    Format {
        name: "lines",
        extensions: &[],
        about: "a document a line",
        has_fields: false,
        open: plain::LineDocuments::open,
    },
    Format {
        name: "csv",
        extensions: &["csv"],
        about: "a document a row",
        has_fields: true,
        open: csv::Csv::open,
    },
    Format {
        name: "tsv",
        extensions: &["tsv"],
        about: "a document a row",
        has_fields: true,
        open: csv::Csv::open_tsv,
    },
    Format {
        name: "jsonl",
        extensions: &["jsonl", "ndjson", "json"],
        about: "a document a line",
        has_fields: true,
        open: jsonl::Jsonl::open,
    },
    #[cfg(feature = "html")]
    Format {
        name: "html",
        extensions: &["html", "htm", "xhtml"],
        about: "the page is a document",
        has_fields: false,
        open: super::html::Page::open,
    },
];

/// The format of a file with this name.
pub fn format_of(path: &Path) -> &'static Format {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    FORMATS.iter().find(|format| format.extensions.contains(&extension.as_str())).unwrap_or(&FORMATS[0])
}

/// The documents of a file, read as they are asked for. After an error there are none.
///
/// ```
/// use data::read::{Documents, Options};
/// let csv = "label,text\n1,\"good, and quick\"\n0,cold\n";
/// let options = Options { format: Some("csv".into()), ..Options::default() };
/// let documents = Documents::from_reader("reviews", csv.as_bytes(), &options)?;
/// let documents: Vec<_> = documents.collect::<Result<_, _>>()?;
/// assert_eq!(documents[0].text, "good, and quick");
/// assert_eq!((documents[1].line, documents[1].fields["label"].as_str()), (3, Some("0")));
/// # Ok::<(), data::DataError>(())
/// ```
pub struct Documents {
    source: Box<dyn Source>,
    format: &'static Format,
    skip_bad: bool,
    skipped: u64,
    first_skipped: Option<String>,
    ended: bool,
}

/// What a file has beside its documents: enough to write documents of it to another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The format that was read.
    pub format: &'static str,
    /// The header as it stands in the file, its line end included; empty in formats that have none.
    pub header: String,
    /// What stands in a line of its own between two documents (an empty line, if it is empty).
    pub between: Option<String>,
    /// What separates the fields of a row; none in formats that have no rows.
    pub delimiter: Option<u8>,
}

impl Documents {
    /// Opens a file and finds its encoding.
    ///
    /// # Errors
    /// If the file is missing, not a regular file, unreadable or empty, if its encoding is doubtful, or if
    /// the format does not know its header.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, DataError> {
        let path = path.as_ref();
        let (file, size) = open_file(path)?;
        let name = path.display().to_string();
        Self::read(name, Box::new(file), Some(size), format_of(path), options)
    }

    /// The documents of anything that can be read; `name` is for messages. The format is that of the
    /// options, or plain text.
    ///
    /// # Errors
    /// As [`Documents::open`].
    pub fn from_reader(
        name: &str,
        input: impl Read + Send + 'static,
        options: &Options,
    ) -> Result<Self, DataError> {
        Self::read(name.into(), Box::new(input), None, &FORMATS[0], options)
    }

    pub(super) fn read(
        name: String,
        input: Box<dyn Read + Send>,
        size: Option<u64>,
        usual: &'static Format,
        options: &Options,
    ) -> Result<Self, DataError> {
        let format = match &options.format {
            Some(asked) => format_named(asked)?,
            None => usual,
        };
        if let (false, Some(column)) = (format.has_fields, &options.text_column) {
            let (expected, found) =
                ("a format with columns or fields", format!("the format {}", format.name));
            let remedy = format!("leave out --text-column {column}, or name the --format: csv, tsv or jsonl");
            return Err(malformed(&name, "", expected, found, remedy));
        }
        if let (true, Some(mark)) = (format.name != "text", &options.mark) {
            let found = format!("the format {}", format.name);
            let remedy = format!("leave out --mark {mark}, or give --format text");
            return Err(malformed(&name, "", "a text with lines between documents", found, remedy));
        }
        let blocks = Blocks::new(name, input, size, options.encoding.as_deref())?;
        let source = (format.open)(blocks, options)?;
        Ok(Self { source, format, skip_bad: options.skip_bad, skipped: 0, first_skipped: None, ended: false })
    }

    /// The encoding that is read, and how it is known.
    pub fn encoding(&self) -> &Detected {
        self.source.blocks().detected()
    }

    /// The format that is read.
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// What the file has beside its documents.
    pub fn layout(&self) -> Layout {
        let between = self.source.between().map(String::from);
        Layout {
            format: self.format.name,
            header: self.source.header().into(),
            between,
            delimiter: self.source.delimiter(),
        }
    }

    /// What was left out or not taken as it stands so far.
    pub fn notes(&self) -> Notes {
        let (skipped, first_skipped) = (self.skipped, self.first_skipped.clone());
        Notes { skipped, first_skipped, ..self.source.notes() }
    }

    /// Bytes of the file read so far, for showing progress.
    pub fn bytes_read(&self) -> u64 {
        self.source.blocks().offset()
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let error = loop {
            match self.source.next() {
                Ok(Some(document)) => return Some(Ok(document)),
                Ok(None) => break None,
                Err(Refused::Row(error)) if self.skip_bad => {
                    self.skipped += 1;
                    self.first_skipped.get_or_insert_with(|| error.to_string());
                }
                Err(Refused::Row(error) | Refused::File(error)) => break Some(Err(error)),
            }
        };
        self.ended = true;
        error
    }
}

/// The format of a name.
///
/// # Errors
/// If there is none of that name.
pub fn format_named(name: &str) -> Result<&'static Format, DataError> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let names = listed(FORMATS.iter().map(|format| format.name));
        malformed("--format", "", format!("one of {names}"), format!("{name:?}"), "name one of them")
    })
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
