//! The word tokenizer: every word that is frequent enough is a token, all others are one token, `<unk>`.
//!
//! A word is one of GPT-2's pieces ([`super::pieces`]), with the space before it: decoding needs no rules
//! on where spaces go. Unlike characters and bytes, words lose something: a word that is not in the vocabulary
//! becomes `<unk>`, and how many do (the out-of-vocabulary rate, OOV) must be said beside every loss, since
//! `<unk>` is easy to predict.

use super::byte_alphabet;
use super::counts::PieceCounts;
use super::kind::{Coding, EncodePiece, Kind};
use super::specials::check_new_special;
use super::split::pieces;
use super::tokens::{MAX_TOKENS, Tokens};
use crate::DataError;
use std::borrow::Cow;
use std::collections::HashMap;

/// The line of the registry.
pub(super) const ENTRY: Kind<WordTokenizer> = Kind {
    name: "word",
    about: "A word; rare words are one token together",
    has_specials: false,
    reads: |model, pre| model == "WordLevel" && pre != Some("Split"),
    from_json: WordTokenizer::from_json,
    train: |training| {
        let mut counts = PieceCounts::new(None);
        counts.add(training.text);
        WordTokenizer::from_counts(&counts, training.min_count, training.vocab_size)
    },
};

/// Numbers words.
///
/// ```
/// use data::tokenizer::{PieceCounts, WordTokenizer};
/// let mut counts = PieceCounts::new(None);
/// counts.add("the cat and the dog and the bird");
/// let tokenizer = WordTokenizer::from_counts(&counts, 2, None)?; // words that occur twice
/// let ids = tokenizer.encode(" the cat and"); // a word has the space before it
/// assert_eq!(tokenizer.decode(&ids)?, " the<unk> and");
/// assert_eq!(tokenizer.unknown(&ids), 1);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordTokenizer {
    /// The words, then the names of the special tokens.
    tokens: Tokens,
    /// How many words there are.
    words: usize,
    ids: HashMap<Box<[u8]>, u32>,
}

impl WordTokenizer {
    /// The token of all words that are not in the vocabulary.
    pub const UNKNOWN: &str = "<unk>";
    /// Its id.
    pub const UNKNOWN_ID: u32 = 0;

    /// The vocabulary of a corpus: the words that occur at least `min_count` times, the most frequent first,
    /// `vocab_size` tokens at most. Words of equal counts are in the order of their bytes.
    ///
    /// # Errors
    /// If no word is frequent enough, or `vocab_size` is not between 2 and 1,048,576.
    pub fn from_counts(
        counts: &PieceCounts,
        min_count: u64,
        vocab_size: Option<usize>,
    ) -> Result<WordTokenizer, DataError> {
        let size = vocab_size.unwrap_or(MAX_TOKENS);
        if !(2..=MAX_TOKENS).contains(&size) {
            let expected = "at least 2 (<unk> and a word) and at most 1048576";
            return Err(DataError::InvalidSetting { name: "vocab_size", found: size.to_string(), expected });
        }
        let frequent = counts.sorted().into_iter().take_while(|&(_, count)| count >= min_count);
        let words: Vec<&[u8]> = frequent.map(|(word, _)| word.as_bytes()).take(size - 1).collect();
        if words.is_empty() {
            let found =
                format!("{min_count} for a text of {} words, none of which is so frequent", counts.total());
            let expected =
                "a count that some words of the text reach: use a smaller --min-count or a longer text";
            return Err(DataError::InvalidSetting { name: "min_count", found, expected });
        }
        Ok(Self::new(std::iter::once(Self::UNKNOWN.as_bytes()).chain(words).collect())
            .expect("the words of a count are distinct"))
    }

    /// The tokenizer of these tokens, of which the first is `<unk>`.
    ///
    /// # Errors
    /// A word that is there twice, as part of a sentence.
    pub(crate) fn new(tokens: Tokens) -> Result<Self, String> {
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in (0..).zip(tokens.iter()) {
            if ids.insert(token.into(), id).is_some() {
                return Err(format!("the word {:?} is there twice", byte_alphabet::to_chars(token)));
            }
        }
        // Never found in a text: `<`, `unk` and `>` are three pieces.
        ids.remove(Self::UNKNOWN.as_bytes());
        Ok(WordTokenizer { words: tokens.len(), tokens, ids })
    }

    /// How many tokens there are; ids are `0..vocab_size`. At least 2.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The id of a special token. (`<unk>` is none: texts are encoded as it.)
    pub fn special(&self, name: &str) -> Option<u32> {
        self.specials().find(|&(special, _)| special == name).map(|(_, id)| id)
    }

    /// The special tokens and their ids, in the order of the ids.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        let ids = self.words as u32..self.tokens.len() as u32;
        ids.filter_map(|id| Some((std::str::from_utf8(self.tokens.get(id)?).ok()?, id)))
    }

    /// Adds a special token with the next free id and answers that id; of one that is there, its id.
    ///
    /// # Errors
    /// If the name is shorter than two characters or that of a word.
    pub fn add_special(&mut self, name: &str) -> Result<u32, DataError> {
        if let Some(id) = self.special(name) {
            return Ok(id);
        }
        let word = self.tokens.iter().position(|word| word == name.as_bytes()).map(|id| id as u32);
        check_new_special(name, self.vocab_size(), word)?;
        Ok(self.tokens.push(name.as_bytes()))
    }

    /// The bytes of a token: a word in UTF-8, or the name of a special token.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(id)
    }

    /// The ids of the words of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        pieces(text).map(|piece| self.id(piece)).collect()
    }

    /// The id of a word, [`WordTokenizer::UNKNOWN_ID`] if it is not in the vocabulary.
    pub fn id(&self, word: &str) -> u32 {
        self.ids.get(word.as_bytes()).copied().unwrap_or(Self::UNKNOWN_ID)
    }

    /// How many of some ids are those of unknown words.
    pub fn unknown(&self, ids: &[u32]) -> usize {
        ids.iter().filter(|&&id| id == Self::UNKNOWN_ID).count()
    }

    /// The text of token ids, with `<unk>` for unknown words.
    ///
    /// # Errors
    /// If an id is not below [`WordTokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        Coding::decode(self, ids)
    }

    /// The bytes of the words, in the order of their ids.
    pub(crate) fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.tokens.iter().take(self.words)
    }
}

impl Coding for WordTokenizer {
    fn vocab_size(&self) -> usize {
        self.vocab_size()
    }
    fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        self.token_bytes(id).map(Cow::Borrowed)
    }
    fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        (self.encode(text), 0)
    }
    fn unknown_id(&self) -> Option<u32> {
        Some(Self::UNKNOWN_ID)
    }
    fn piece_encoder(&self) -> Option<Box<dyn EncodePiece + '_>> {
        Some(Box::new(Words(self)))
    }
    fn specials(&self) -> Vec<(&str, u32)> {
        self.specials().collect()
    }
    fn add_special(&mut self, name: &str) -> Result<u32, DataError> {
        self.add_special(name)
    }
    fn to_json(&self) -> String {
        self.to_json()
    }
}

/// A piece is a word.
#[derive(Debug)]
struct Words<'t>(&'t WordTokenizer);

impl EncodePiece for Words<'_> {
    fn encode(&mut self, piece: &str, ids: &mut Vec<u32>) {
        ids.push(self.0.id(piece));
    }
}
