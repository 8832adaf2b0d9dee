//! The character tokenizer: every distinct character is a token.

use crate::{DataError, UnknownCharacters};
use std::collections::HashSet;

/// Numbers characters: encodes a text as token ids and decodes ids to text.
///
/// The ids of a new tokenizer follow the order of the characters' code points, as in nanoGPT
/// (`sorted(set(text))`). Encoding and decoding are exact inverses; a character that was not in the
/// tokenizer's text is an error, never silently replaced.
///
/// ```
/// use data::CharTokenizer;
/// let tokenizer = CharTokenizer::from_text("hello\n")?;
/// assert_eq!(tokenizer.vocab_size(), 5); // \n e h l o
/// assert_eq!(tokenizer.encode("hole")?, [2, 4, 3, 1]);
/// assert_eq!(tokenizer.decode(&[2, 4, 3, 1])?, "hole");
/// assert!(tokenizer.encode("help").is_err()); // there is no p
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharTokenizer {
    /// The character of every id.
    chars: Vec<char>,
    /// The id of every code point up to the largest known one, or [`ABSENT`]. At most 4.5 MB (256 KB
    /// for Chinese), and the fastest look-up there is.
    ids: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

impl CharTokenizer {
    /// The tokenizer of all characters of a text.
    ///
    /// # Errors
    /// If the text has fewer than two distinct characters.
    pub fn from_text(text: &str) -> Result<CharTokenizer, DataError> {
        let mut seen = vec![false; 1 + char::MAX as usize];
        for c in text.chars() {
            seen[c as usize] = true;
        }
        let chars = ('\0'..=char::MAX).filter(|&c| seen[c as usize]).collect();
        CharTokenizer::from_chars(chars)
    }

    /// The tokenizer in which `chars[id]` has the given id; `chars` are distinct.
    pub(crate) fn from_chars(chars: Vec<char>) -> Result<CharTokenizer, DataError> {
        if chars.len() < 2 {
            return Err(DataError::OneCharacterVocabulary { found: chars.len() });
        }
        let largest = chars.iter().max().map_or(0, |&c| c as usize);
        let mut ids = vec![ABSENT; largest + 1];
        for (id, &c) in (0..).zip(&chars) {
            debug_assert_eq!(ids[c as usize], ABSENT, "{c:?} is there twice");
            ids[c as usize] = id;
        }
        Ok(CharTokenizer { chars, ids })
    }

    /// How many tokens there are; ids are `0..vocab_size`. At least 2.
    pub fn vocab_size(&self) -> usize {
        self.chars.len()
    }

    /// The characters in the order of their ids.
    pub fn chars(&self) -> &[char] {
        &self.chars
    }

    /// The ids of the characters of a text.
    ///
    /// # Errors
    /// If the text has characters that are not in the vocabulary; the error lists them.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let ids: Option<Vec<u32>> = text.chars().map(|c| self.id(c)).collect();
        ids.ok_or_else(|| DataError::UnknownCharacters(Box::new(self.unknown_characters(text))))
    }

    /// The text of token ids.
    ///
    /// # Errors
    /// If an id is not below [`CharTokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let decode_one = |(position, &id): (usize, &u32)| {
            let vocab_size = self.vocab_size();
            let c = self.chars.get(id as usize).copied();
            c.ok_or(DataError::IdOutOfRange { id, position, vocab_size })
        };
        ids.iter().enumerate().map(decode_one).collect()
    }

    fn id(&self, c: char) -> Option<u32> {
        self.ids.get(c as usize).copied().filter(|&id| id != ABSENT)
    }

    /// What the error says of a text that has unknown characters.
    fn unknown_characters(&self, text: &str) -> UnknownCharacters {
        let is_unknown = |c: &char| self.id(*c).is_none();
        let mut distinct = HashSet::new();
        let in_order = text.chars().filter(is_unknown).filter(|&c| distinct.insert(c));
        let mut characters: Vec<char> = in_order.collect();
        characters.truncate(UnknownCharacters::LISTED);

        let before: Vec<char> = text.chars().take_while(|c| !is_unknown(c)).collect();
        let line_start = before.iter().rposition(|&c| c == '\n').map_or(0, |newline| newline + 1);
        UnknownCharacters {
            characters,
            distinct: distinct.len(),
            position: before.len(),
            line: 1 + before.iter().filter(|&&c| c == '\n').count(),
            column: 1 + before.len() - line_start,
            vocab_size: self.vocab_size(),
        }
    }
}
