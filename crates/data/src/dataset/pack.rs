//! From a text of any size to a token file, in constant memory: the text is read and encoded in parts, and
//! the ids are those of the whole text encoded at once ([`Tokenizer::encoder`]).

use super::TokenWriter;
use super::token_file::ids_of;
use crate::DataError;
use crate::read::{Document, END_OF_DOCUMENT, TextReader, io_error, open_file};
use crate::tokenizer::{CharTokenizer, Tokenizer};
use std::io::Read;
use std::path::Path;

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackReport {
    /// Bytes of text.
    pub bytes: u64,
    /// Ids.
    pub tokens: u64,
    /// Documents.
    pub documents: u64,
}

/// Told the bytes read so far, and in all.
pub type OnProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// Encodes a whole text as one document: the ids are those of the text encoded at once.
///
/// # Errors
/// If the text cannot be read or encoded, or `out` not be written. Then `out` is as it was before.
pub fn pack_text(
    mut reader: TextReader,
    tokenizer: &Tokenizer,
    out: &Path,
    progress: OnProgress<'_>,
) -> Result<PackReport, DataError> {
    let mut writer = TokenWriter::create(out, tokenizer.vocab_size(), &tokenizer.to_json())?;
    writer.begin_document();
    let (mut encoder, mut ids) = (tokenizer.encoder(), Vec::new());
    while let Some(piece) = reader.next_piece()? {
        encoder.push(&piece, &mut ids)?;
        writer.push(&ids)?;
        ids.clear();
        let (done, all) = reader.progress();
        progress(done, all);
    }
    encoder.finish(&mut ids)?;
    writer.push(&ids)?;
    let (tokens, documents) = writer.finish()?;
    Ok(PackReport { bytes: reader.progress().1, tokens, documents })
}

/// Encodes the texts of documents, each followed by the end-of-document token, or by an empty line where the tokenizer
/// has no such token.
///
/// # Errors
/// Those of the documents, and as [`pack_text`].
pub fn pack_documents<E: From<DataError>>(
    documents: impl Iterator<Item = Result<Document, E>>,
    tokenizer: &Tokenizer,
    out: &Path,
) -> Result<PackReport, E> {
    let mut writer = TokenWriter::create(out, tokenizer.vocab_size(), &tokenizer.to_json())?;
    let (mut encoder, mut ids) = (tokenizer.encoder(), Vec::new());
    let ends_with = tokenizer.special(END_OF_DOCUMENT);
    let mut bytes = 0;
    for document in documents {
        let Document { mut text, line, .. } = document?;
        bytes += text.len() as u64;
        if ends_with.is_none() {
            text.truncate(text.trim_end_matches('\n').len());
            text += AFTER_A_DOCUMENT;
        }
        writer.begin_document();
        encoder.begin_at_line(line);
        encoder.push(&text, &mut ids)?;
        encoder.finish(&mut ids)?;
        ids.extend(ends_with);
        writer.push(&ids)?;
        ids.clear();
    }
    let (tokens, documents) = writer.finish()?;
    Ok(PackReport { bytes, tokens, documents })
}

/// What stands after a document where the tokenizer has no token for its end.
const AFTER_A_DOCUMENT: &str = "\n\n";

/// Makes a token file of plain little-endian ids without a header, as nanoGPT's `prepare.py` writes them
/// (`train.bin`, 16 bits an id).
///
/// # Errors
/// If the file cannot be read, is not a whole number of ids, or has an id that the tokenizer does not
/// have, and if `out` cannot be written. Then `out` is as it was before.
pub fn pack_plain_ids(
    input: &Path,
    bytes_per_id: usize,
    tokenizer: &Tokenizer,
    out: &Path,
    progress: OnProgress<'_>,
) -> Result<PackReport, DataError> {
    assert!(matches!(bytes_per_id, 2 | 4), "ids of {bytes_per_id} bytes: 2 or 4 are known");
    let (mut file, all) = open_file(input)?;
    let unreadable = |source| io_error(input, source);
    if all == 0 || all % bytes_per_id as u64 != 0 {
        return Err(DataError::Malformed {
            what: input.display().to_string(),
            place: String::new(),
            found: format!("{all} bytes"),
            expected: format!("ids of {bytes_per_id} bytes, at least one"),
            remedy: "is the file complete, and are its ids of 16 or of 32 bits (--raw u16, --raw u32)?"
                .into(),
        });
    }
    let mut writer = TokenWriter::create(out, tokenizer.vocab_size(), &tokenizer.to_json())?;
    writer.begin_document();
    let (mut bytes, mut done) = (Vec::new(), 0);
    while done < all {
        bytes.clear();
        let read = (&mut file).take((1 << 20).min(all - done)).read_to_end(&mut bytes).map_err(unreadable)?;
        if read == 0 {
            return Err(unreadable(std::io::ErrorKind::UnexpectedEof.into())); // shortened meanwhile
        }
        writer.push(&ids_of(&bytes, bytes_per_id).collect::<Vec<u32>>())?;
        done += read as u64;
        progress(done, all);
    }
    let (tokens, documents) = writer.finish()?;
    Ok(PackReport { bytes: all, tokens, documents })
}

/// The character tokenizer of a text of any size, in one pass.
///
/// # Errors
/// If the text cannot be read, or has fewer than two distinct characters.
pub fn char_tokenizer_of(
    mut reader: TextReader,
    progress: OnProgress<'_>,
) -> Result<CharTokenizer, DataError> {
    let mut seen = Seen::new();
    while let Some(piece) = reader.next_piece()? {
        seen.add(&piece);
        let (done, all) = reader.progress();
        progress(done, all);
    }
    seen.tokenizer()
}

/// The character tokenizer of the texts that [`pack_documents`] encodes.
///
/// # Errors
/// Those of the documents, and as [`char_tokenizer_of`].
pub fn char_tokenizer_of_documents<E: From<DataError>>(
    documents: impl Iterator<Item = Result<Document, E>>,
) -> Result<CharTokenizer, E> {
    let mut seen = Seen::new();
    for document in documents {
        seen.add(&document?.text);
        seen.add(AFTER_A_DOCUMENT);
    }
    Ok(seen.tokenizer()?)
}

/// For every code point whether it occurs.
struct Seen(Vec<bool>);

impl Seen {
    fn new() -> Self {
        Self(vec![false; 1 + char::MAX as usize])
    }

    fn add(&mut self, text: &str) {
        text.chars().for_each(|c| self.0[c as usize] = true);
    }

    fn tokenizer(&self) -> Result<CharTokenizer, DataError> {
        CharTokenizer::from_chars(('\0'..=char::MAX).filter(|&c| self.0[c as usize]).collect())
    }
}
