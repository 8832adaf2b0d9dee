//! The character tokenizer: every distinct character is a token.

use super::kind::{Coding, Kind};
use super::specials::check_new_special;
use crate::{DataError, UnknownCharacters};
use std::borrow::Cow;
use std::collections::HashSet;

/// The line of the registry.
pub(super) const ENTRY: Kind<CharTokenizer> = Kind {
    name: "char",
    about: "A character",
    has_specials: false,
    reads: |model, pre| model == "WordLevel" && pre == Some("Split"),
    from_json: CharTokenizer::from_json,
    train: |training| {
        let tokenizer = CharTokenizer::from_text(training.text)?;
        match training.vocab_size {
            Some(size) if tokenizer.vocab_size() > size => Err(DataError::InvalidSetting {
                name: "vocab_size",
                found: format!("{size}, but the text has {} different characters", tokenizer.vocab_size()),
                expected: "a token for each character: leave --vocab-size out, or use --kind bpe",
            }),
            _ => Ok(tokenizer),
        }
    },
};

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
    /// The names of the special tokens, whose ids come after those of the characters.
    specials: Vec<String>,
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
        Ok(CharTokenizer { chars, ids, specials: Vec::new() })
    }

    /// How many tokens there are; ids are `0..vocab_size`. At least 2.
    pub fn vocab_size(&self) -> usize {
        self.chars.len() + self.specials.len()
    }

    /// The characters in the order of their ids. After them come the special tokens.
    pub fn chars(&self) -> &[char] {
        &self.chars
    }

    /// The text of a token: a character, or the name of a special token. `None` beyond the vocabulary.
    pub fn token(&self, id: u32) -> Option<Cow<'_, str>> {
        let id = id as usize;
        match self.chars.get(id) {
            Some(c) => Some(Cow::Owned(c.to_string())),
            None => self.specials.get(id - self.chars.len()).map(|name| Cow::Borrowed(name.as_str())),
        }
    }

    /// The id of a special token.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.specials().find(|&(special, _)| special == name).map(|(_, id)| id)
    }

    /// The special tokens and their ids, in the order of the ids.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        self.specials.iter().map(String::as_str).zip(self.chars.len() as u32..)
    }

    /// Adds a special token with the next free id and answers that id; of one that is there, its id.
    ///
    /// # Errors
    /// If the name is shorter than two characters.
    pub fn add_special(&mut self, name: &str) -> Result<u32, DataError> {
        if let Some(id) = self.special(name) {
            return Ok(id);
        }
        check_new_special(name, self.vocab_size(), None)?;
        self.specials.push(name.into());
        Ok(self.vocab_size() as u32 - 1)
    }

    /// The ids of the characters of a text.
    ///
    /// # Errors
    /// If the text has characters that are not in the vocabulary; the error lists them.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let ids: Option<Vec<u32>> = text.chars().map(|c| self.id(c)).collect();
        ids.ok_or_else(|| DataError::UnknownCharacters(Box::new(self.unknown_characters(text))))
    }

    /// The ids of the characters that are in the vocabulary, and how many are not: for texts of which the rest still says
    /// enough, such as those to be classified.
    pub fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        let ids: Vec<u32> = text.chars().filter_map(|c| self.id(c)).collect();
        let unknown = text.chars().count() - ids.len();
        (ids, unknown)
    }

    /// The text of token ids.
    ///
    /// # Errors
    /// If an id is not below [`CharTokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let mut text = String::with_capacity(ids.len());
        for (position, &id) in ids.iter().enumerate() {
            match self.chars.get(id as usize) {
                Some(&c) => text.push(c),
                None => {
                    let vocab_size = self.vocab_size();
                    let name = self.token(id);
                    text.push_str(&name.ok_or(DataError::IdOutOfRange { id, position, vocab_size })?);
                }
            }
        }
        Ok(text)
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
            vocab_size: self.chars.len(),
        }
    }
}

impl Coding for CharTokenizer {
    fn vocab_size(&self) -> usize {
        self.vocab_size()
    }
    fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        self.token(id).map(|token| Cow::Owned(token.into_owned().into_bytes()))
    }
    fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        self.encode_known(text)
    }
    fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode(text)
    }
    fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        self.decode(ids)
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
