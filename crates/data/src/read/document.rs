//! Documents: what a file of any format is cut into, one after the other, in constant memory.

use super::blocks::Blocks;
use super::encoding::Detected;
use super::source::{Document, Options, Source, listed};
use super::{csv, jsonl, malformed, open_file, plain};
use crate::DataError;
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
    open: Open,
}

type Open = fn(Blocks, &Options) -> Result<Box<dyn Source>, DataError>;

/// The formats. The first is that of a file whose extension is not listed.
pub const FORMATS: &[Format] = &[
    Format {
        name: "text",
        extensions: &["txt", "text", "md"],
        about: "documents separated by blank lines",
        open: plain::Paragraphs::open,
    },
    Format { name: "lines", extensions: &[], about: "a document a line", open: plain::LineDocuments::open },
    Format { name: "csv", extensions: &["csv"], about: "a document a row", open: csv::Csv::open },
    Format { name: "tsv", extensions: &["tsv"], about: "a document a row", open: csv::Csv::open_tsv },
    Format {
        name: "jsonl",
        extensions: &["jsonl", "ndjson", "json"],
        about: "a document a line",
        open: jsonl::Jsonl::open,
    },
    #[cfg(feature = "html")]
    Format {
        name: "html",
        extensions: &["html", "htm", "xhtml"],
        about: "the page is a document",
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
    ended: bool,
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
            Some(asked) => find_format(asked)?,
            None => usual,
        };
        let blocks = Blocks::new(name, input, size, options.encoding.as_deref())?;
        Ok(Self { source: (format.open)(blocks, options)?, format, ended: false })
    }

    /// The encoding that is read, and how it is known.
    pub fn encoding(&self) -> &Detected {
        self.source.blocks().detected()
    }

    /// The format that is read.
    pub fn format(&self) -> &'static Format {
        self.format
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
        let next = self.source.next().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn find_format(name: &str) -> Result<&'static Format, DataError> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let names = listed(FORMATS.iter().map(|format| format.name));
        malformed("--format", "", format!("one of {names}"), format!("{name:?}"), "name one of them")
    })
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
