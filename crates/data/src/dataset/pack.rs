//! From a text of any size to a token file, in constant memory.
//!
//! A text is encoded in pieces of about a megabyte. They are cut where no tokenizer of ours would join
//! what is before with what is after: before a character that is no white space and follows a line end,
//! or before the single space that follows a word (GPT-2's rule puts that space at the front of the next
//! word). So the ids are those of the whole text encoded at once. Only where a text has no such place in
//! 16 MiB is it cut anywhere.

use super::token_file::ids_of;
use super::{DocumentEnd, Documents, TokenWriter};
use crate::read::{TextReader, check_regular_file, io_error};
use crate::{CharTokenizer, DataError};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A text without a place to cut is cut anywhere when it has this many bytes.
const MAX_UNCUT: usize = 16 << 20;

/// What packing needs of a tokenizer.
pub trait TextEncoder {
    /// The ids of a text.
    ///
    /// # Errors
    /// If the text has characters that the tokenizer does not know.
    fn encode(&self, text: &str) -> Result<Vec<u32>, DataError>;

    /// Every id is below it.
    fn vocab_size(&self) -> usize;

    /// The contents of its `tokenizer.json`.
    fn to_json(&self) -> String;

    /// The token that ends a document, if there is one.
    fn end_of_document(&self) -> Option<u32> {
        None
    }
}

impl TextEncoder for CharTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode(text)
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size()
    }

    fn to_json(&self) -> String {
        self.to_json()
    }
}

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

/// Encodes a whole text as one document: the ids are those of `encode(read_text(input))`.
///
/// # Errors
/// If the text cannot be read or encoded, or `out` not be written. Then `out` is as it was before.
pub fn pack_text(
    input: &Path,
    tokenizer: &dyn TextEncoder,
    out: &Path,
    progress: OnProgress<'_>,
) -> Result<PackReport, DataError> {
    let mut reader = TextReader::open(input)?;
    let mut writer = TokenWriter::create(out, tokenizer.vocab_size(), &tokenizer.to_json())?;
    writer.begin_document();
    let mut encoder = PieceEncoder { tokenizer, writer: &mut writer, place: Place::default() };
    let mut text = String::new();
    while let Some(piece) = reader.next_piece()? {
        text += &piece;
        let cut = safe_cut(&text);
        encoder.push(&text[..cut])?;
        text.drain(..cut);
        let (done, all) = reader.progress();
        progress(done, all);
    }
    encoder.push(&text)?;
    let (tokens, documents) = writer.finish()?;
    Ok(PackReport { bytes: reader.progress().1, tokens, documents })
}

/// Encodes the documents of a text, each followed by the end-of-document token, or by an empty line
/// where the tokenizer has no such token. With `field`, documents are JSON objects, and the text in
/// that field is encoded.
///
/// # Errors
/// As [`pack_text`], and as [`Documents::next_document`] and [`Document::json_field`](super::Document::json_field).
pub fn pack_documents(
    input: &Path,
    end: &DocumentEnd,
    field: Option<&str>,
    tokenizer: &dyn TextEncoder,
    out: &Path,
    progress: OnProgress<'_>,
) -> Result<PackReport, DataError> {
    let mut documents = Documents::open(input, end.clone())?;
    let mut writer = TokenWriter::create(out, tokenizer.vocab_size(), &tokenizer.to_json())?;
    while let Some(document) = documents.next_document()? {
        let mut text = match field {
            Some(field) => document.json_field(field, input)?,
            None => document.text,
        };
        let ends_with = tokenizer.end_of_document();
        if ends_with.is_none() {
            text.truncate(text.trim_end_matches('\n').len());
            text += "\n\n";
        }
        writer.begin_document();
        let place = Place { line: document.line - 1, ..Place::default() };
        PieceEncoder { tokenizer, writer: &mut writer, place }.push(&text)?;
        if let Some(id) = ends_with {
            writer.push(&[id])?;
        }
        let (done, all) = documents.progress();
        progress(done, all);
    }
    let (tokens, documents_found) = writer.finish()?;
    Ok(PackReport { bytes: documents.progress().1, tokens, documents: documents_found })
}

/// Makes a token file of plain little-endian ids without a header, as nanoGPT's `prepare.py` writes them
/// (`train.bin`, 16 bits an id).
///
/// # Errors
/// If the file cannot be read, is not a whole number of ids, or has an id that the tokenizer does not
/// have, and if `out` cannot be written. Then `out` is as it was before.
pub fn pack_plain_ids(
    input: &Path,
    bytes_per_id: usize,
    tokenizer: &dyn TextEncoder,
    out: &Path,
    progress: OnProgress<'_>,
) -> Result<PackReport, DataError> {
    assert!(matches!(bytes_per_id, 2 | 4), "ids of {bytes_per_id} bytes: 2 or 4 are known");
    check_regular_file(input)?;
    let unreadable = |source| io_error(input, source);
    let mut file = File::open(input).map_err(unreadable)?;
    let all = file.metadata().map_err(unreadable)?.len();
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
pub fn char_tokenizer_of(input: &Path, progress: OnProgress<'_>) -> Result<CharTokenizer, DataError> {
    let mut reader = TextReader::open(input)?;
    let mut seen = vec![false; 1 + char::MAX as usize];
    while let Some(piece) = reader.next_piece()? {
        piece.chars().for_each(|c| seen[c as usize] = true);
        let (done, all) = reader.progress();
        progress(done, all);
    }
    CharTokenizer::from_chars(('\0'..=char::MAX).filter(|&c| seen[c as usize]).collect())
}

/// Encodes piece after piece, and knows where it is when one cannot be encoded.
struct PieceEncoder<'a> {
    tokenizer: &'a dyn TextEncoder,
    writer: &'a mut TokenWriter,
    place: Place,
}

/// What comes before a piece: lines, characters, and characters of the line that goes on in it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    line: u64,
    position: usize,
    column: usize,
}

impl PieceEncoder<'_> {
    fn push(&mut self, piece: &str) -> Result<(), DataError> {
        let ids = self.tokenizer.encode(piece).map_err(|error| self.place.moved(error))?;
        self.writer.push(&ids)?;
        self.place.position += piece.chars().count();
        self.place.line += piece.bytes().filter(|&b| b == b'\n').count() as u64;
        match piece.rfind('\n') {
            Some(newline) => self.place.column = piece[newline + 1..].chars().count(),
            None => self.place.column += piece.chars().count(),
        }
        Ok(())
    }
}

impl Place {
    /// An error of the piece as one of the whole text.
    fn moved(&self, error: DataError) -> DataError {
        let DataError::UnknownCharacters(mut unknown) = error else { return error };
        if unknown.line == 1 {
            unknown.column += self.column;
        }
        unknown.line += self.line as usize;
        unknown.position += self.position;
        DataError::UnknownCharacters(unknown)
    }
}

/// Where a text can be cut so that both sides are encoded as they are together; 0 if nowhere yet.
fn safe_cut(text: &str) -> usize {
    let bytes = text.as_bytes(); // of UTF-8 only whole characters begin with a byte below 128
    let starts_a_word = |i: usize| !text[i..].chars().next().is_some_and(char::is_whitespace);
    let after_line = |i: &usize| bytes[i - 1] == b'\n' && text.is_char_boundary(*i) && starts_a_word(*i);
    let before_space = |i: &usize| {
        bytes[*i] == b' '
            && bytes[i - 1].is_ascii_alphanumeric()
            && i + 1 < bytes.len()
            && starts_a_word(i + 1)
    };
    let found = (1..bytes.len()).rev().find(after_line);
    let found = found.or_else(|| (1..bytes.len()).rev().find(before_space));
    found.unwrap_or(if text.len() < MAX_UNCUT { 0 } else { text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_before_words() {
        for (text, cut) in [
            ("a\nb", "a\n"),
            ("a\nb\n", "a\n"),
            ("a\nb\n c", "a\n"),
            ("a\n\nb c", "a\n\n"),
            ("a\n中", "a\n"),
            ("a b", "a"),
            ("a b  c", "a"),
            ("中 b", ""),
            ("a\u{a0}b", ""),
            ("a\n\u{3000}b", ""),
            ("", ""),
            ("\n", ""),
            ("abc ", ""),
        ] {
            assert_eq!(&text[..safe_cut(text)], cut, "{text:?}");
        }
        assert_eq!(safe_cut(&"a".repeat(MAX_UNCUT)), MAX_UNCUT);
    }

    #[test]
    fn the_place_of_an_error_is_that_in_the_text() {
        let tokenizer = CharTokenizer::from_text("ab\n").unwrap();
        let text = "ab\nab\naab".to_string() + "c";
        let expected = tokenizer.encode(&text).unwrap_err().to_string();
        for cut in 0..9 {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = TokenWriter::create(&dir.path().join("t"), 3, "").unwrap();
            let tokenizer: &dyn TextEncoder = &tokenizer;
            let mut encoder = PieceEncoder { tokenizer, writer: &mut writer, place: Place::default() };
            encoder.push(&text[..cut]).unwrap();
            assert_eq!(encoder.push(&text[cut..]).unwrap_err().to_string(), expected);
        }
    }
}
