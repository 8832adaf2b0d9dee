//! Everything that can be wrong with data from outside, in sentences for the person who can fix it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with a file, a text or a saved state. The message says what was expected, what was
/// found, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is nothing at the path.
    #[error("{}: no such file: check the spelling and the current directory", path.display())]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a directory, a pipe or a device.
    #[error("{}: expected a text file, found a {found}: {remedy}", path.display())]
    NotAFile {
        /// The path as it was given.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The operating system refuses or fails to read the file.
    #[error("{}: cannot be read: {source}: check the permissions (ls -l) and the disk", path.display())]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system refuses or fails to write the file.
    #[error("{}: cannot be written: {source}: {}", path.display(), remedy_for_writing(source))]
    Unwritable {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// No text in the file, or nothing but a byte order mark.
    #[error("{}: expected a text, found an empty file: check how it was made, or name another", path.display())]
    EmptyFile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The file begins with the byte order mark of UTF-16 or UTF-32.
    #[error(
        "{}: expected UTF-8, found the byte order mark of {encoding} (bytes {bytes}): \
         convert it with: iconv -f {encoding} -t UTF-8 INPUT > OUTPUT",
        path.display()
    )]
    WideEncoding {
        /// The path as it was given.
        path: PathBuf,
        /// The encoding's name as iconv knows it.
        encoding: &'static str,
        /// The byte order mark in hexadecimal.
        bytes: &'static str,
    },
    /// A byte of the file is 0, which no text contains.
    #[error(
        "{}: expected a text, found a zero byte at byte offset {offset}, line {line}: this is a binary file, \
         or UTF-16 without a byte order mark (then: iconv -f UTF-16LE -t UTF-8 INPUT > OUTPUT)",
        path.display()
    )]
    ZeroByte {
        /// The path as it was given.
        path: PathBuf,
        /// Offset of the byte in the file, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// Bytes that are not UTF-8.
    #[error(
        "{}: expected UTF-8, found the bytes {bytes} at byte offset {offset}, line {line}{detail}: convert it \
         with newleaf clean, which detects the encoding, or for instance a Chinese text with: iconv -f GB18030 -t UTF-8 \
         INPUT > OUTPUT",
        path.display()
    )]
    InvalidUtf8 {
        /// The path as it was given.
        path: PathBuf,
        /// Offset of the first wrong byte in the file, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
        /// The wrong bytes in hexadecimal.
        bytes: String,
        /// Empty, or more on what is wrong.
        detail: &'static str,
    },
    /// A text too uniform to make a vocabulary of.
    #[error(
        "one-character vocabulary: expected a text with at least 2 distinct characters, found {found}: \
         there is nothing to predict; use a real text"
    )]
    OneCharacterVocabulary {
        /// How many distinct characters there are, 0 or 1.
        found: usize,
    },
    /// A text has characters that the tokenizer does not know.
    #[error("{0}")]
    UnknownCharacters(Box<UnknownCharacters>),
    /// A token id beyond the vocabulary.
    #[error(
        "token id {id} at position {position} is out of range: the vocabulary has {vocab_size} tokens, \
         0 to {}; was this made with another tokenizer?",
        vocab_size - 1
    )]
    IdOutOfRange {
        /// The id.
        id: u32,
        /// Its place among the ids, from 0.
        position: usize,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A `tokenizer.json` of another family of models.
    #[error(
        "{what}: {found}: newleaf reads byte-level BPE as GPT-2's and the tokenizers that it writes; take a model with one \
         of these, or train a tokenizer with: newleaf tokenizer train"
    )]
    OtherTokenizer {
        /// The file.
        what: String,
        /// What it has that GPT-2's has not.
        found: String,
    },
    /// A `tokenizer.json` that is damaged or has what this program cannot do.
    #[error(
        "tokenizer.json: {found}; supported are the tokenizers that newleaf writes and byte-level BPE as GPT-2's: \
         use the tokenizer.json saved with the model"
    )]
    Tokenizer {
        /// What is wrong.
        found: String,
    },
    /// A text too short for one window of `block_size` ids and their labels.
    #[error(
        "the text has {tokens} tokens, but a block_size of {block_size} needs at least {} (one more, for the \
         last label): use a longer text or a smaller block_size",
        block_size.saturating_add(1)
    )]
    TextTooShort {
        /// How many tokens there are.
        tokens: usize,
        /// How many ids a window has.
        block_size: usize,
    },
    /// A file, or a place in it, that is not what its format says.
    #[error("{what}{}: expected {expected}, found {found}: {remedy}", Place(place))]
    Malformed {
        /// The file as it was given, or what else it is: "standard input".
        what: String,
        /// Where in it: "line 7", "byte 120, line 7"; empty for the whole.
        place: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// A setting that makes no sense.
    #[error("{name} is {found}: expected {expected}")]
    InvalidSetting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A saved data position that does not fit the text or is damaged.
    #[error("cannot continue from the saved data position: {found}: {remedy}")]
    InvalidState {
        /// What does not fit.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
}

fn remedy_for_writing(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "make its directory, or name a file in an existing directory",
        io::ErrorKind::FileTooLarge => "raise the limit on file sizes (ulimit -f)",
        _ => "check the permissions (ls -ld) and the space on the disk",
    }
}

/// A place in a message: nothing, or a comma and the place.
struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", {}", self.0) }
    }
}

/// The characters of a text that a tokenizer does not know; part of a [`DataError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCharacters {
    /// The distinct unknown characters in order of appearance, the first [`Self::LISTED`] of them.
    pub characters: Vec<char>,
    /// How many distinct unknown characters there are.
    pub distinct: usize,
    /// Place of the first one in the text, counted in characters from 0.
    pub position: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its place in the line, counted in characters from 1.
    pub column: usize,
    /// How many characters the tokenizer knows.
    pub vocab_size: usize,
}

impl UnknownCharacters {
    /// How many characters are listed; a text in another script has thousands.
    pub const LISTED: usize = 20;
}

impl fmt::Display for UnknownCharacters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.distinct == 1 { "character is" } else { "characters are" };
        write!(f, "{} {plural} not among the {} of the vocabulary: ", self.distinct, self.vocab_size)?;
        for (i, &c) in self.characters.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            // Control characters are escaped by {:?}, so that the message cannot garble a terminal.
            write!(f, "{comma}{c:?} (U+{:04X})", u32::from(c))?;
        }
        if self.distinct > self.characters.len() {
            write!(f, " and {} more", self.distinct - self.characters.len())?;
        }
        write!(
            f,
            "; the first is at line {}, column {} (character {}): remove or replace them, or train on a text \
             that has them",
            self.line, self.column, self.position
        )
    }
}

/// Names in a message: ten of them at most, and how many more there are.
///
/// ```
/// assert_eq!(data::listed(["a", "b"]), r#""a", "b""#);
/// assert!(data::listed((0..12).map(|i| i.to_string())).ends_with(r#""9" and 2 more"#));
/// ```
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("{:?}", name.as_ref())).collect();
    match names.len() {
        0 => "(none)".into(),
        n if n > 10 => format!("{} and {} more", names[..10].join(", "), n - 10),
        _ => names.join(", "),
    }
}
