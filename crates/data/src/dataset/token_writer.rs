//! Writing a token file, in memory that does not grow with it.

use super::token_file::{HEADER, Header, bytes_per_id};
use crate::DataError;
use crate::new_file::{NewFile, unwritable};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::Path;

/// Writes ids as they come. The file takes its name when it is complete
/// ([`TokenWriter::finish`]); dropped before that, it leaves nothing.
///
/// ```
/// use data::dataset::{TokenFile, TokenSource, TokenWriter};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("a.bin");
/// let mut writer = TokenWriter::create(&path, 300, "{}")?;
/// for document in [[5, 6, 7], [5, 299, 7]] {
///     writer.begin_document();
///     writer.push(&document)?;
/// }
/// assert_eq!(writer.finish()?, (6, 2));
///
/// let file = TokenFile::open(&path)?;
/// let mut window = [0; 3];
/// file.read(file.document_start(1)?, &mut window)?;
/// assert_eq!(window, [5, 299, 7]);
/// # Ok::<(), data::DataError>(())
/// ```
pub struct TokenWriter {
    file: NewFile,
    header: Header,
    sha256: Sha256,
    /// The bytes of the ids of one call.
    bytes: Vec<u8>,
    /// Where documents begin: they come last in the file, and may be too many to be kept in memory.
    starts: BufWriter<File>,
    /// A document was begun and has no ids yet.
    begun: bool,
}

impl TokenWriter {
    /// Begins a file for ids below `vocab_size`, made by the tokenizer with this `tokenizer.json`.
    ///
    /// # Errors
    /// If the file cannot be written, or the vocabulary is empty or has more than 2^32 tokens.
    pub fn create(path: &Path, vocab_size: usize, tokenizer: &str) -> Result<TokenWriter, DataError> {
        if !(1..=1_u64 << 32).contains(&(vocab_size as u64)) {
            let (found, expected) = (vocab_size.to_string(), "1 to 2^32 tokens");
            return Err(DataError::InvalidSetting { name: "vocab_size", found, expected });
        }
        let header = Header {
            bytes_per_id: bytes_per_id(vocab_size as u64),
            tokens: 0,
            documents: 0,
            vocab_size: vocab_size as u64,
            tokenizer_bytes: tokenizer.len() as u64,
            tokenizer_sha256: Sha256::digest(tokenizer).into(),
            sha256: [0; 32],
        };
        let starts = BufWriter::new(nameless_file(path)?);
        let mut writer = TokenWriter {
            file: NewFile::create(path)?,
            header,
            sha256: Sha256::new(),
            bytes: Vec::new(),
            starts,
            begun: false,
        };
        writer.file.write_all(&[0; HEADER]).map_err(|e| writer.file.unwritable(e))?; // replaced at the end
        writer.write(tokenizer.as_bytes())?;
        writer.pad(tokenizer.len() as u64)?;
        Ok(writer)
    }

    /// The next ids begin a document. A document without ids is none.
    pub fn begin_document(&mut self) {
        self.begun = true;
    }

    /// Appends ids.
    ///
    /// # Errors
    /// If an id is not below the vocabulary size, or the disk is full.
    pub fn push(&mut self, ids: &[u32]) -> Result<(), DataError> {
        let vocab_size = self.header.vocab_size;
        if let Some(at) = ids.iter().position(|&id| u64::from(id) >= vocab_size) {
            let (position, vocab_size) = (self.header.tokens as usize + at, vocab_size as usize);
            return Err(DataError::IdOutOfRange { id: ids[at], position, vocab_size });
        }
        if ids.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.begun) {
            let start = self.header.tokens.to_le_bytes();
            self.starts.write_all(&start).map_err(|e| self.file.unwritable(e))?;
            self.header.documents += 1;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        match self.header.bytes_per_id {
            2 => bytes.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            _ => bytes.extend(ids.iter().flat_map(|&id| id.to_le_bytes())),
        }
        self.write(&bytes)?;
        self.bytes = bytes;
        self.header.tokens += ids.len() as u64;
        Ok(())
    }

    /// Completes the file; answers how many ids and how many documents it has.
    ///
    /// # Errors
    /// If there are no ids, or the disk is full.
    pub fn finish(mut self) -> Result<(u64, u64), DataError> {
        if self.header.tokens == 0 {
            return Err(DataError::TextTooShort { tokens: 0, block_size: 1 });
        }
        self.pad(self.header.tokens * self.header.bytes_per_id as u64)?;
        self.append_starts()?;
        self.sha256.update(self.header.to_bytes()); // with zeros in place of the sum
        self.header.sha256 = self.sha256.finalize().into();
        self.file.finish_with_header(&self.header.to_bytes())?;
        Ok((self.header.tokens, self.header.documents))
    }

    fn append_starts(&mut self) -> Result<(), DataError> {
        let rewound = self.starts.flush().and_then(|()| self.starts.get_mut().rewind());
        rewound.map_err(|e| self.file.unwritable(e))?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let read = self.starts.get_mut().read(&mut bytes);
            match read.map_err(|e| self.file.unwritable(e))? {
                0 => return Ok(()),
                n => self.write(&bytes[..n])?,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.sha256.update(bytes);
        self.file.write_all(bytes).map_err(|e| self.file.unwritable(e))
    }

    /// Zeros after `len` bytes, up to a multiple of 8.
    fn pad(&mut self, len: u64) -> Result<(), DataError> {
        let padding = (len.next_multiple_of(8) - len) as usize;
        self.write(&[0; 8][..padding])
    }
}

/// A file in the directory of `path` that vanishes with its handle, on every system.
fn nameless_file(path: &Path) -> Result<File, DataError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(dir).map_err(|source| unwritable(path, source))
}
