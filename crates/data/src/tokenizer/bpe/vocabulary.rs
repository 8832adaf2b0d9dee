//! The tokens and merges of a byte-level BPE.

use super::pairs::{PairMap, key};
use crate::DataError;
use crate::tokenizer::added::AddedTokens;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::kind::Coding;
use crate::tokenizer::specials::check_new_special;
use crate::tokenizer::tokens::Tokens;

/// A byte-level BPE tokenizer: learned by [`BpeTrainer`](super::BpeTrainer), or read from the files of another.
///
/// ```
/// use data::tokenizer::{BpeTrainer, PieceCounts};
/// let mut counts = PieceCounts::new(None);
/// counts.add("low low low lower lowest");
/// let tokenizer = BpeTrainer { vocab_size: 260, ..BpeTrainer::default() }.train(&counts)?;
/// let ids = tokenizer.encode("lower 中"); // "low" and " low" are tokens now; 中 is a few bytes
/// assert_eq!(tokenizer.decode(&ids)?, "lower 中");
/// assert_eq!(tokenizer.token_bytes(ids[0]), Some(&b"low"[..]));
/// # Ok::<(), data::DataError>(())
/// ```
///
/// Special tokens (`<|endoftext|>`) are not found in texts, whatever is written there: a text from
/// outside cannot smuggle one in. Who wants one asks for its id ([`BpeTokenizer::special`]).
#[derive(Clone, Debug)]
pub struct BpeTokenizer {
    /// The bytes of every token.
    tokens: Tokens,
    /// The token of every byte.
    pub(super) byte_ids: [u32; 256],
    /// The merges in the order in which they were learned: that of their rank.
    pub(super) merges: Vec<Merge>,
    /// The rank of every pair that is merged.
    ranks: PairMap<u32>,
    /// The ids of the special tokens, ascending.
    special: Vec<u32>,
    /// Words that are one token each.
    added: AddedTokens,
}

/// The rank of two neighbours that are not merged, larger than any other.
pub(super) const NONE: u32 = u32::MAX;

/// Two tokens that become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) product: u32,
}

/// What is wrong with a vocabulary and merges.
#[derive(Debug)]
pub(crate) struct WrongTables {
    /// As part of a sentence.
    pub(crate) found: String,
    /// The rank of the merge that is wrong, if it is one.
    pub(crate) merge: Option<usize>,
}

impl From<String> for WrongTables {
    fn from(found: String) -> Self {
        WrongTables { found, merge: None }
    }
}

impl PartialEq for BpeTokenizer {
    fn eq(&self, other: &Self) -> bool {
        (&self.tokens, &self.merges, &self.special, &self.added)
            == (&other.tokens, &other.merges, &other.special, &other.added)
    }
}

impl Eq for BpeTokenizer {}

impl BpeTokenizer {
    /// The tokenizer of these tokens, merges, special tokens (ids in ascending order) and added tokens.
    ///
    /// # Errors
    /// What is wrong with them: a byte that is no token, a pair that is there twice.
    pub(crate) fn new(
        tokens: Tokens,
        merges: Vec<Merge>,
        special: Vec<u32>,
        added: AddedTokens,
    ) -> Result<Self, WrongTables> {
        let mut byte_ids = [None; 256];
        for (id, token) in (0..).zip(tokens.iter()) {
            if let &[byte] = token
                && special.binary_search(&id).is_err()
                && added.of_bpe(id)
            {
                byte_ids[usize::from(byte)] = Some(id);
            }
        }
        if let Some(byte) = byte_ids.iter().position(Option::is_none) {
            let name = byte_alphabet::to_chars(&[byte as u8]);
            return Err(format!("the vocabulary has no token for the byte {byte} ({name:?})").into());
        }
        let mut ranks = PairMap::default();
        for (rank, merge) in (0..).zip(&merges) {
            if ranks.insert(key((merge.left, merge.right)), rank).is_some() {
                let [left, right] = [merge.left, merge.right]
                    .map(|id| byte_alphabet::to_chars(tokens.get(id).unwrap_or_default()));
                let found = format!("the merge of {left:?} and {right:?} is there twice");
                return Err(WrongTables { found, merge: Some(rank as usize) });
            }
        }
        let byte_ids = byte_ids.map(Option::unwrap_or_default);
        Ok(BpeTokenizer { tokens, byte_ids, merges, ranks, special, added })
    }

    pub(crate) fn added(&self) -> &AddedTokens {
        &self.added
    }

    /// How many tokens there are; ids are `0..vocab_size`. At least 256.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The bytes of a token, which need not be whole characters.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(id)
    }

    /// The text of token ids. Bytes that are no text, which only ids from elsewhere than a text can give,
    /// become U+FFFD.
    ///
    /// # Errors
    /// If an id is not below [`BpeTokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        Coding::decode(self, ids)
    }

    /// The id of a special token.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.special.iter().copied().find(|&id| self.token_bytes(id) == Some(name.as_bytes()))
    }

    /// The special tokens and their ids, in the order of the ids.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        let name = |id| std::str::from_utf8(self.tokens.get(id).unwrap_or_default());
        self.special.iter().filter_map(move |&id| Some((name(id).ok()?, id)))
    }

    /// Adds a special token with the next free id and answers that id; of one that is there, its id.
    ///
    /// # Errors
    /// If the name is empty or an ordinary token has it.
    pub fn add_special(&mut self, name: &str) -> Result<u32, DataError> {
        if let Some(id) = self.special(name) {
            return Ok(id);
        }
        let taken = |token: &[u8]| byte_alphabet::to_chars(token) == name || token == name.as_bytes();
        let ordinary = self.tokens.iter().position(taken).map(|id| id as u32);
        check_new_special(name, self.vocab_size(), ordinary)?;
        let id = self.tokens.push(name.as_bytes());
        self.special.push(id);
        Ok(id)
    }

    pub(crate) fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The rank of a pair, [`NONE`] if it is not merged.
    #[inline]
    pub(super) fn rank(&self, left: u32, right: u32) -> u32 {
        self.ranks.get(&key((left, right))).copied().unwrap_or(NONE)
    }
}
