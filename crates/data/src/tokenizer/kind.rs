//! What a kind of tokenizer is: a line of the registry, and what its tokenizers can do.

use super::added::{AddedTokens, Part};
use super::split::pieces;
use crate::DataError;
use std::borrow::Cow;
use std::fmt;

/// A kind of tokenizer in [`KINDS`](super::KINDS). `T` is the tokenizer that it makes.
#[derive(Clone, Copy)]
pub struct Kind<T> {
    /// Its name, as `newleaf tokenizer train --kind` takes it.
    pub name: &'static str,
    /// What a token is, in a line.
    pub about: &'static str,
    /// Whether [`Training::special`] may name special tokens.
    pub has_specials: bool,
    /// Whether a `tokenizer.json` is of this kind, by the types of its model and of its pre-tokenizer.
    pub(super) reads: fn(&str, Option<&str>) -> bool,
    /// The tokenizer in the contents of such a file.
    pub(super) from_json: fn(&str) -> Result<T, DataError>,
    /// Learns a vocabulary.
    ///
    /// # Errors
    /// If the settings make no sense, or the text has no such vocabulary.
    pub train: fn(&mut Training<'_>) -> Result<T, DataError>,
}

impl<T> fmt::Debug for Kind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a vocabulary is learned from. A kind ignores the settings that mean nothing to it.
pub struct Training<'a> {
    /// The text.
    pub text: &'a str,
    /// Tokens at most; the kind's own limit if none.
    pub vocab_size: Option<usize>,
    /// Words or pairs that occur less often get no token.
    pub min_count: u64,
    /// No token has more Chinese characters in a row.
    pub max_han_run: Option<usize>,
    /// Names of special tokens.
    pub special: &'a [String],
    /// The callback while a long training goes on: tokens so far, and how many are wanted.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// What tokenizers of every kind can do. [`Tokenizer`](super::Tokenizer) says what each method means.
pub(super) trait Coding {
    fn vocab_size(&self) -> usize;

    fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>>;

    fn encode_known(&self, text: &str) -> (Vec<u32>, usize);

    fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        Ok(self.encode_known(text).0)
    }

    fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let mut bytes = Vec::new();
        for (position, &id) in ids.iter().enumerate() {
            let vocab_size = self.vocab_size();
            let token = self.token_bytes(id).ok_or(DataError::IdOutOfRange { id, position, vocab_size })?;
            bytes.extend_from_slice(&token);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn unknown_id(&self) -> Option<u32> {
        None
    }

    /// What encodes a text piece by piece ([`pieces`]); `None` if a text may be cut anywhere, its
    /// parts be encoded by themselves.
    fn piece_encoder(&self) -> Option<Box<dyn EncodePiece + '_>> {
        None
    }

    /// The tokens that a text is cut at before its pieces are encoded.
    fn added(&self) -> &AddedTokens {
        AddedTokens::NONE
    }

    fn specials(&self) -> Vec<(&str, u32)>;

    fn add_special(&mut self, name: &str) -> Result<u32, DataError>;

    fn to_json(&self) -> String;
}

/// Encodes one piece of a text after another, and may remember them.
pub(super) trait EncodePiece: fmt::Debug {
    /// Appends the ids of a piece.
    fn encode(&mut self, piece: &str, ids: &mut Vec<u32>);

    /// Appends the ids of a text to its end.
    fn encode_text(&mut self, text: &str, added: &AddedTokens, ids: &mut Vec<u32>) {
        for part in added.cut(text) {
            match part {
                Part::Token { id, .. } => ids.push(id),
                Part::Text(text) => pieces(text).for_each(|piece| self.encode(piece, ids)),
            }
        }
    }
}
