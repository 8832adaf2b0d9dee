//! A corpus as token ids in a file, read where it is needed.
//!
//! | bytes | content (integers little-endian) |
//! |---|---|
//! | 0..8 | `NEWLEAFT` |
//! | 8..12 | version, 1 |
//! | 12..16 | bytes of an id: 2 if the vocabulary has at most 65,536 tokens, else 4 |
//! | 16..24 | number of ids n |
//! | 24..32 | number of documents d |
//! | 32..40 | vocabulary size |
//! | 40..48 | bytes of the tokenizer t |
//! | 48..80 | SHA-256 of the tokenizer |
//! | 80..112 | SHA-256 of everything after the header, then of the header with zeros here |
//! | 112..128 | 0 |
//! | then | `tokenizer.json`, t bytes; zeros up to a multiple of 8 |
//! | then | the ids; zeros up to a multiple of 8 |
//! | then | for each document the position of its first id, 8 bytes each |
//!
//! **Read, not mapped.** nanoGPT maps such a file into memory (`np.memmap`). A mapped file that another
//! program shortens kills the process (SIGBUS) at the next access, and no check at opening can prevent
//! it; it also needs `unsafe`. Reading each window by `seek` and `read` costs about a microsecond from
//! the page cache, a few dozen a batch against tens of milliseconds of arithmetic, needs as little memory,
//! and answers a file that was shortened with an error.

use super::TokenSource;
use crate::DataError;
use crate::read::{check_regular_file, io_error, open_file};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub(crate) const MAGIC: [u8; 8] = *b"NEWLEAFT";
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER: usize = 128;

/// The largest tokenizer: 64 MiB, as everywhere in this crate.
const MAX_TOKENIZER: u64 = 64 << 20;

/// Ids that are checked at a time, and bytes of the rest.
const CHECKED_AT_A_TIME: usize = 1 << 16;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) bytes_per_id: usize,
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
    pub(crate) vocab_size: u64,
    pub(crate) tokenizer_bytes: u64,
    pub(crate) tokenizer_sha256: [u8; 32],
    pub(crate) sha256: [u8; 32],
}

impl Header {
    pub(crate) fn to_bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.bytes_per_id as u32).to_le_bytes());
        let numbers = [self.tokens, self.documents, self.vocab_size, self.tokenizer_bytes];
        for (at, number) in (16..).step_by(8).zip(numbers) {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[48..80].copy_from_slice(&self.tokenizer_sha256);
        bytes[80..112].copy_from_slice(&self.sha256);
        bytes
    }

    /// The header, and what is wrong with it: (what was found, what was expected).
    fn from_bytes(bytes: &[u8; HEADER]) -> Result<Header, (String, &'static str)> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[..8] != MAGIC {
            let found = format!("a file that begins with {:?}", String::from_utf8_lossy(&bytes[..8]));
            return Err((found, "a token file, which begins with \"NEWLEAFT\""));
        }
        if u32_at(8) != VERSION {
            return Err((format!("version {}", u32_at(8)), "version 1"));
        }
        let header = Header {
            bytes_per_id: u32_at(12) as usize,
            tokens: u64_at(16),
            documents: u64_at(24),
            vocab_size: u64_at(32),
            tokenizer_bytes: u64_at(40),
            tokenizer_sha256: bytes[48..80].try_into().expect("32 bytes"),
            sha256: bytes[80..112].try_into().expect("32 bytes"),
        };
        let vocab_size = header.vocab_size;
        if !(1..=1 << 32).contains(&vocab_size) {
            return Err((format!("a vocabulary of {vocab_size} tokens"), "1 to 2^32 tokens"));
        }
        if header.bytes_per_id != bytes_per_id(vocab_size) {
            let found = format!("{} bytes an id for {vocab_size} tokens", header.bytes_per_id);
            return Err((found, "2 bytes for at most 65536 tokens, else 4"));
        }
        if header.tokenizer_bytes > MAX_TOKENIZER {
            return Err((format!("a tokenizer of {} bytes", header.tokenizer_bytes), "at most 64 MiB"));
        }
        if bytes[112..].iter().any(|&b| b != 0) {
            return Err(("something in the bytes 112 to 127".into(), "zeros"));
        }
        Ok(header)
    }

    /// Where the ids begin.
    fn tokens_at(&self) -> u64 {
        HEADER as u64 + self.tokenizer_bytes.next_multiple_of(8)
    }

    /// Where the positions of the documents begin, and where the file ends; `None` if the numbers are
    /// absurd.
    fn documents_and_end(&self) -> Option<(u64, u64)> {
        let tokens = self.tokens.checked_mul(self.bytes_per_id as u64)?.checked_next_multiple_of(8)?;
        let documents = self.tokens_at().checked_add(tokens)?;
        Some((documents, documents.checked_add(self.documents.checked_mul(8)?)?))
    }
}

/// How many bytes an id of a vocabulary takes.
pub(crate) fn bytes_per_id(vocab_size: u64) -> usize {
    if vocab_size <= 1 << 16 { 2 } else { 4 }
}

/// A token file that is open for reading. It may be larger than memory: [`TokenSource::read`] takes from
/// the disk what is asked for.
///
/// If the file is shortened or overwritten while it is open, reading answers with an error.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    header: Header,
    documents_at: u64,
    tokenizer: String,
    reader: Mutex<Reader>,
}

/// The file with its one position, and room for the bytes of a window.
#[derive(Debug)]
struct Reader {
    file: File,
    bytes: Vec<u8>,
}

impl Reader {
    fn read(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        self.bytes.resize(len, 0);
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut self.bytes)?;
        Ok(&self.bytes)
    }
}

impl TokenFile {
    /// Whether a file begins as a token file does; false if it cannot be read.
    pub fn is_one(path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        let mut magic = [0; MAGIC.len()];
        check_regular_file(path).is_ok()
            && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
            && magic == MAGIC
    }

    /// Opens a token file and checks its header, its length and its tokenizer, which is quick at any size.
    ///
    /// # Errors
    /// If it cannot be read, is no token file, or is shorter or longer than its header says.
    pub fn open(path: impl AsRef<Path>) -> Result<TokenFile, DataError> {
        let path = path.as_ref();
        let (mut file, found) = open_file(path)?;
        let unreadable = |source| io_error(path, source);
        if found < HEADER as u64 {
            return Err(wrong(path, format!("{found} bytes"), "a token file, whose header has 128 bytes"));
        }
        let mut bytes = [0; HEADER];
        file.read_exact(&mut bytes).map_err(unreadable)?;
        let header = Header::from_bytes(&bytes).map_err(|(found, expected)| wrong(path, found, expected))?;
        let (documents_at, end) = header.documents_and_end().unwrap_or((u64::MAX, u64::MAX));
        if found != end {
            let expected = format!("{end} bytes, as its header says");
            return Err(wrong(path, format!("{found} bytes"), &expected));
        }
        let mut tokenizer = vec![0; header.tokenizer_bytes as usize];
        file.read_exact(&mut tokenizer).map_err(unreadable)?;
        if Sha256::digest(&tokenizer)[..] != header.tokenizer_sha256 {
            return Err(wrong(path, "a tokenizer with another SHA-256".into(), "the one of its header"));
        }
        let tokenizer = String::from_utf8(tokenizer)
            .map_err(|_| wrong(path, "a tokenizer that is not UTF-8".into(), "a tokenizer.json"))?;
        let reader = Mutex::new(Reader { file, bytes: Vec::new() });
        Ok(TokenFile { path: path.into(), header, documents_at, tokenizer, reader })
    }

    /// Reads the whole file once: every id below the vocabulary size, documents in order, and the
    /// checksum of it all. `progress` is told the bytes read so far, and in all.
    ///
    /// # Errors
    /// If any of it is wrong, with the place.
    pub fn check(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), DataError> {
        let (tokens_at, all) = (self.header.tokens_at(), self.bytes());
        let mut sha256 = Sha256::new();
        sha256.update(self.read_bytes(
            HEADER as u64,
            (tokens_at - HEADER as u64) as usize,
            <[u8]>::to_vec,
        )?);
        let width = self.header.bytes_per_id;
        let mut at = tokens_at;
        while at < self.documents_at {
            let len = (self.documents_at - at).min((CHECKED_AT_A_TIME * width) as u64) as usize;
            let first = ((at - tokens_at) / width as u64) as usize;
            self.read_bytes(at, len, |bytes| {
                sha256.update(bytes);
                let ids = ids_of(bytes, width).take(self.len() - first);
                self.check_ids(first, ids)
            })??;
            at += len as u64;
            progress(at, all);
        }
        self.check_documents(&mut sha256)?;
        sha256.update(Header { sha256: [0; 32], ..self.header.clone() }.to_bytes());
        if sha256.finalize()[..] != self.header.sha256 {
            return Err(wrong(&self.path, "content with another SHA-256".into(), "the one of its header"));
        }
        progress(all, all);
        Ok(())
    }

    fn check_ids(&self, first: usize, ids: impl Iterator<Item = u32>) -> Result<(), DataError> {
        let too_large = |(_, id): &(usize, u32)| u64::from(*id) >= self.header.vocab_size;
        match (first..).zip(ids).find(too_large) {
            Some((position, id)) => {
                let expected = format!("ids below the vocabulary size {}", self.header.vocab_size);
                Err(wrong(&self.path, format!("id {id} at position {position}"), &expected))
            }
            None => Ok(()),
        }
    }

    /// The first document begins at 0, each after the one before, and the last before the end.
    fn check_documents(&self, sha256: &mut Sha256) -> Result<(), DataError> {
        let mut earliest = 0;
        for first in (0..self.documents()).step_by(CHECKED_AT_A_TIME) {
            let count = (self.documents() - first).min(CHECKED_AT_A_TIME);
            let at = self.documents_at + 8 * first as u64;
            let bytes = self.read_bytes(at, 8 * count, <[u8]>::to_vec)?;
            sha256.update(&bytes);
            for (i, start) in (first..).zip(starts_of(&bytes)) {
                let in_order = if i == 0 { start == 0 } else { start >= earliest };
                if !in_order || start >= self.header.tokens {
                    let found = format!("document {i} beginning at id {start}");
                    return Err(wrong(&self.path, found, "documents in order, none of them empty"));
                }
                earliest = start + 1;
            }
        }
        Ok(())
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.documents_at + 8 * self.header.documents
    }

    /// Size of the vocabulary: every id is below it.
    pub fn vocab_size(&self) -> usize {
        self.header.vocab_size as usize
    }

    /// The `tokenizer.json` that the ids were made with.
    pub fn tokenizer(&self) -> &str {
        &self.tokenizer
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.header.documents as usize
    }

    /// The position of the first id of a document.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    ///
    /// # Panics
    /// If there are not so many documents.
    #[track_caller]
    pub fn document_start(&self, document: usize) -> Result<usize, DataError> {
        assert!(document < self.documents(), "document {document} of {}", self.documents());
        let at = self.documents_at + 8 * document as u64;
        self.read_bytes(at, 8, |bytes| starts_of(bytes).map(|start| start as usize).sum())
    }

    /// The start of the last document that begins at `position` or before; 0 if none does.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub fn document_start_before(&self, position: usize) -> Result<usize, DataError> {
        let after = self.documents_before(position.saturating_add(1))?;
        after.checked_sub(1).map_or(Ok(0), |document| self.document_start(document))
    }

    /// How many documents begin before `position`.
    fn documents_before(&self, position: usize) -> Result<usize, DataError> {
        let (mut low, mut high) = (0, self.documents()); // those below `low` begin before `position`
        while low < high {
            let middle = low + (high - low) / 2;
            match self.document_start(middle)? < position {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// Reads bytes and does something with them.
    fn read_bytes<T>(&self, at: u64, len: usize, f: impl FnOnce(&[u8]) -> T) -> Result<T, DataError> {
        // A panic while the lock was held leaves nothing half done: every read begins with a seek.
        let mut reader = self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reader.read(at, len).map(f).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                let found = format!("its end before byte {}", at + len as u64);
                wrong(&self.path, found, "the length that it had when it was opened")
            }
            _ => io_error(&self.path, source),
        })
    }
}

impl TokenSource for TokenFile {
    fn len(&self) -> usize {
        self.header.tokens as usize
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        let (end, len) = (start + out.len(), self.len());
        assert!(end <= len, "tokens {start}..{end} of a file of {len}");
        let width = self.header.bytes_per_id;
        let at = self.header.tokens_at() + (start * width) as u64;
        self.read_bytes(at, out.len() * width, |bytes| {
            out.iter_mut().zip(ids_of(bytes, width)).for_each(|(out, id)| *out = id);
        })?;
        self.check_ids(start, out.iter().copied())
    }

    fn document_starts(&self, range: Range<usize>) -> Result<Vec<usize>, DataError> {
        let first = self.documents_before(range.start)?;
        let starts = (first..self.documents()).map(|document| self.document_start(document));
        starts.take_while(|start| start.as_ref().map_or(true, |&start| start < range.end)).collect()
    }
}

/// The ids in bytes; what is left over at their end is none.
pub(crate) fn ids_of(bytes: &[u8], bytes_per_id: usize) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(bytes_per_id).map(move |id| match *id {
        [a, b] => u32::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => unreachable!("ids have 2 or 4 bytes"),
    })
}

fn starts_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks_exact(8).map(|start| u64::from_le_bytes(start.try_into().expect("eight bytes")))
}

fn wrong(path: &Path, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        what: path.display().to_string(),
        place: String::new(),
        found,
        expected: expected.into(),
        remedy: "the file is damaged or of another kind; make it again with: newleaf data pack".into(),
    }
}
