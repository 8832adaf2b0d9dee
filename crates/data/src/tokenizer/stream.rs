//! Encoding a text that comes in parts, and decoding ids that come one by one.
//!
//! Parts may be cut anywhere: the ids are those of the whole text. So the end of a part waits until it is
//! known how the last words go on. When decoding, the bytes of a character wait for each other.

use super::Tokenizer;
use super::added::{AddedTokens, Part};
use super::kind::EncodePiece;
use super::split::{pieces, settled_pieces};
use crate::DataError;

impl Tokenizer {
    /// Encodes a text that comes in parts.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder::new(self)
    }

    /// Decodes ids that come one by one.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self)
    }
}

/// Encodes a text that comes in parts, and remembers the words it has seen: faster than
/// [`Tokenizer::encode`] on many short texts.
///
/// ```
/// use data::{CharTokenizer, Tokenizer};
/// let tokenizer = Tokenizer::Char(CharTokenizer::from_text("hello\n")?);
/// let mut encoder = tokenizer.encoder();
/// let mut ids = Vec::new();
/// encoder.push("he", &mut ids)?;
/// encoder.push("llo", &mut ids)?;
/// encoder.finish(&mut ids)?;
/// assert_eq!(ids, tokenizer.encode("hello")?);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'t> {
    tokenizer: &'t Tokenizer,
    /// Text whose pieces are not known yet.
    pending: String,
    /// The pending text is looked at again when it is this long: twice as long as the last time, so that
    /// a piece of any length costs time proportional to it.
    next_look: usize,
    /// `None` if parts can be encoded as they come.
    pieces: Option<Box<dyn EncodePiece + 't>>,
    /// What the text is cut at before it is cut into pieces.
    added: &'t AddedTokens,
    seen: Seen,
}

/// How much of the text has been encoded, for the place in an error.
#[derive(Debug, Default)]
struct Seen {
    chars: usize,
    lines: usize,
    chars_in_line: usize,
}

impl<'t> Encoder<'t> {
    fn new(tokenizer: &'t Tokenizer) -> Self {
        let (pending, seen) = (String::new(), Seen::default());
        let (pieces, added) = (tokenizer.coding().piece_encoder(), tokenizer.coding().added());
        Encoder { tokenizer, pending, next_look: 0, pieces, added, seen }
    }

    /// Takes the next part of the text and appends the ids that are certain by now.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`]; the place is that in the whole text.
    pub fn push(&mut self, part: &str, ids: &mut Vec<u32>) -> Result<(), DataError> {
        let Some(encoder) = &mut self.pieces else { return self.push_whole(part, ids) };
        self.pending.push_str(part);
        if self.pending.len() >= self.next_look {
            let certain = self.added.certain(self.pending.len());
            let mut settled = 0;
            for part in self.added.cut(&self.pending) {
                match part {
                    Part::Token { id, bytes } if settled < certain => {
                        ids.push(id);
                        settled += bytes;
                    }
                    // An added token that is certain ends it: no other text follows.
                    Part::Text(text) if settled + text.len() < certain => {
                        pieces(text).for_each(|piece| encoder.encode(piece, ids));
                        settled += text.len();
                    }
                    Part::Text(text) => {
                        let mut ends = (0..=certain.saturating_sub(settled)).rev();
                        let end = ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0);
                        settled += settled_pieces(&text[..end], |piece| encoder.encode(piece, ids));
                        break;
                    }
                    Part::Token { .. } => break,
                }
            }
            self.pending.drain(..settled);
            self.next_look = 2 * self.pending.len();
        }
        Ok(())
    }

    /// The text begins in this line of its file, counted from 1: for the place in an error.
    pub fn begin_at_line(&mut self, line: u64) {
        self.seen.lines = line.saturating_sub(1) as usize;
    }

    /// The text is over: appends the ids of what was still open. The encoder is then as new, but for the words
    /// it remembers.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn finish(&mut self, ids: &mut Vec<u32>) -> Result<(), DataError> {
        if let Some(encoder) = &mut self.pieces {
            encoder.encode_text(&self.pending, self.added, ids);
        }
        self.pending.clear();
        (self.next_look, self.seen) = (0, Seen::default());
        Ok(())
    }

    /// Takes a part that is encoded by itself.
    fn push_whole(&mut self, part: &str, ids: &mut Vec<u32>) -> Result<(), DataError> {
        let seen = &mut self.seen;
        let encoded = self.tokenizer.encode(part).map_err(|error| match error {
            DataError::UnknownCharacters(mut unknown) => {
                unknown.column += if unknown.line == 1 { seen.chars_in_line } else { 0 };
                unknown.line += seen.lines;
                unknown.position += seen.chars;
                DataError::UnknownCharacters(unknown)
            }
            other => other,
        })?;
        seen.chars += part.chars().count();
        seen.lines += part.matches('\n').count();
        seen.chars_in_line = match part.rfind('\n') {
            Some(end) => part[end + 1..].chars().count(),
            None => seen.chars_in_line + part.chars().count(),
        };
        ids.extend(encoded);
        Ok(())
    }
}

/// Decodes ids one by one, and gives out whole characters only. All texts together are that of
/// [`Tokenizer::decode`].
#[derive(Clone, Debug)]
pub struct Decoder<'t> {
    tokenizer: &'t Tokenizer,
    /// The bytes of a character that is not complete.
    pending: Vec<u8>,
    /// Ids so far, for the place in an error.
    ids: usize,
}

impl<'t> Decoder<'t> {
    fn new(tokenizer: &'t Tokenizer) -> Self {
        Decoder { tokenizer, pending: Vec::new(), ids: 0 }
    }

    /// The text that is complete with this id; often none.
    ///
    /// # Errors
    /// If the id is not below [`Tokenizer::vocab_size`].
    pub fn push(&mut self, id: u32) -> Result<String, DataError> {
        let (position, vocab_size) = (self.ids, self.tokenizer.vocab_size());
        let bytes =
            self.tokenizer.token_bytes(id).ok_or(DataError::IdOutOfRange { id, position, vocab_size })?;
        self.ids += 1;
        self.pending.extend_from_slice(&bytes);
        let complete = self.pending.len() - incomplete_end(&self.pending);
        let text = String::from_utf8_lossy(&self.pending[..complete]).into_owned();
        self.pending.drain(..complete);
        Ok(text)
    }

    /// There are no more ids: U+FFFD if a character remained incomplete.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// How many bytes at the end begin a character that more bytes could complete: 0 to 3.
fn incomplete_end(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(chunk) => match std::str::from_utf8(chunk.invalid()) {
            Err(error) if error.error_len().is_none() => chunk.invalid().len(),
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
