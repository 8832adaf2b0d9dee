//! Reading: from the bytes of a file to text.
//!
//! [`read_text`] reads a whole UTF-8 file, for training, and takes nothing else. The others read a file of any
//! size in constant memory, in the encoding that they find or are told (encoding.rs), a block at a time
//! (blocks.rs):
//!
//! | to get | use |
//! |---|---|
//! | the text in pieces | [`TextReader`] |
//! | its documents: their texts, their fields, and how they stand in the file | [`Documents`] |
//!
//! A format of [`Documents`] is a file here and a line in [`FORMATS`]. What a reader mends, leaves out or doubts it
//! counts ([`Notes`]).

mod blocks;
mod csv;
mod document;
mod encoding;
#[cfg(feature = "html")]
mod html;
mod jsonl;
mod lines;
mod notes;
mod plain;
mod rows;
mod source;
mod text;
mod text_reader;
mod writer;

pub use document::{Documents, FORMATS, Format, Layout, format_named, format_of};
pub use encoding::Detected;
pub use notes::Notes;
pub use plain::END_OF_DOCUMENT;
pub use source::{Document, Options, Quotes, Wanted};
pub use text::read_text;
pub use text_reader::TextReader;
pub use writer::{DocumentWriter, OutFormat};

use crate::DataError;
use std::fs::File;
use std::io;
use std::path::Path;

/// The length of a file in bytes.
///
/// # Errors
/// If there is none, or something else than a regular file.
pub fn file_length(path: impl AsRef<Path>) -> Result<u64, DataError> {
    let path = path.as_ref();
    check_regular_file(path)?;
    Ok(std::fs::metadata(path).map_err(|source| io_error(path, source))?.len())
}

/// Opens a regular file, and answers its length too.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), DataError> {
    check_regular_file(path)?;
    let unreadable = |source| io_error(path, source);
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok((file, length))
}

/// Refuses what reading would fail on with an obscure message, or wait on for ever (a pipe).
pub(crate) fn check_regular_file(path: &Path) -> Result<(), DataError> {
    let kind = std::fs::metadata(path).map_err(|source| io_error(path, source))?.file_type();
    let (found, remedy) = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        ("directory", "name one file in it, or join them: cat DIRECTORY/*.txt > all.txt")
    } else {
        ("pipe or device", "write its content to a file first")
    };
    Err(DataError::NotAFile { path: path.into(), found, remedy })
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> DataError {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::NotFound => DataError::NotFound { path },
        _ => DataError::Unreadable { path, source },
    }
}

pub(crate) fn malformed(
    what: &str,
    place: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
    remedy: impl Into<String>,
) -> DataError {
    DataError::Malformed {
        what: what.into(),
        place: place.into(),
        found: found.into(),
        expected: expected.into(),
        remedy: remedy.into(),
    }
}
