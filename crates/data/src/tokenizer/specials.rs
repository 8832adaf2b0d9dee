//! The names of special tokens.

use super::{MAX_TOKENS, Tokenizer};
use crate::DataError;
use std::collections::HashSet;

impl Tokenizer {
    /// The tokenizer with these special tokens, too: they get the next free ids. Names that are special
    /// tokens already keep theirs.
    ///
    /// No text is ever encoded as one, whatever it says; decoding one gives its name.
    ///
    /// ```
    /// use data::{CharTokenizer, Tokenizer};
    /// let plain = Tokenizer::Char(CharTokenizer::from_text("[MASK]")?); // 6 characters
    /// let tokenizer = plain.with_specials(&["[MASK]", "[sop]"])?;
    /// assert_eq!((tokenizer.vocab_size(), tokenizer.special("[MASK]")), (8, Some(6)));
    /// assert_eq!(tokenizer.encode("[MASK]")?.len(), 6); // the six characters
    /// assert_eq!(tokenizer.decode(&[6])?, "[MASK]");
    /// # Ok::<(), data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// If a name is shorter than two characters or that of an ordinary token, or the vocabulary too large.
    pub fn with_specials<S: AsRef<str>>(mut self, names: &[S]) -> Result<Tokenizer, DataError> {
        for name in names.iter().map(AsRef::as_ref) {
            match &mut self {
                Tokenizer::Char(tokenizer) => tokenizer.add_special(name)?,
                Tokenizer::Word(tokenizer) => tokenizer.add_special(name)?,
                Tokenizer::Bpe(tokenizer) => tokenizer.add_special(name)?,
            };
        }
        Ok(self)
    }

    /// The id of a special token: only here, never by [`Tokenizer::encode`].
    pub fn special(&self, name: &str) -> Option<u32> {
        match self {
            Tokenizer::Char(tokenizer) => tokenizer.special(name),
            Tokenizer::Word(tokenizer) => tokenizer.special(name),
            Tokenizer::Bpe(tokenizer) => tokenizer.special(name),
        }
    }

    /// The ids of special tokens that a task cannot do without; `remedy` is what to do if one is missing.
    ///
    /// # Errors
    /// If one is missing.
    pub(crate) fn required_specials<const N: usize>(
        &self,
        names: [&str; N],
        remedy: &str,
    ) -> Result<[u32; N], DataError> {
        let mut ids = [0; N];
        for (id, name) in ids.iter_mut().zip(names) {
            *id = self.special(name).ok_or_else(|| DataError::Malformed {
                what: "the tokenizer".into(),
                place: String::new(),
                found: format!("no special token {name}"),
                expected: format!("the special tokens {}", names.join(" ")),
                remedy: remedy.into(),
            })?;
        }
        Ok(ids)
    }

    /// The special tokens and their ids, in the order of the ids.
    pub fn specials(&self) -> Vec<(&str, u32)> {
        match self {
            Tokenizer::Char(tokenizer) => tokenizer.specials().collect(),
            Tokenizer::Word(tokenizer) => tokenizer.specials().collect(),
            Tokenizer::Bpe(tokenizer) => tokenizer.specials().collect(),
        }
    }
}

/// Special tokens must be told apart from characters, bytes and each other.
pub(super) fn check_special_names<S: AsRef<str>>(names: &[S]) -> Result<(), DataError> {
    let mut seen = HashSet::new();
    for name in names.iter().map(AsRef::as_ref) {
        if name.chars().count() < 2 {
            return Err(special_name(format!("{name:?}")));
        }
        if !seen.insert(name) {
            return Err(special_name(format!("{name:?}, given twice")));
        }
    }
    Ok(())
}

/// Refuses a name that is too short or an ordinary token's, and a token more than a vocabulary may have.
pub(super) fn check_new_special(
    name: &str,
    vocab_size: usize,
    ordinary: Option<u32>,
) -> Result<(), DataError> {
    check_special_names(&[name])?;
    if let Some(id) = ordinary {
        return Err(special_name(format!("{name:?}, which is the ordinary token {id}")));
    }
    // All characters there are make a vocabulary that is larger than this already.
    if vocab_size >= 2 * MAX_TOKENS {
        return Err(special_name(format!("{name:?} after {vocab_size} other tokens")));
    }
    Ok(())
}

fn special_name(found: String) -> DataError {
    let expected = "a name of at least 2 characters that no other token has, such as <|endoftext|>";
    DataError::InvalidSetting { name: "special token", found, expected }
}
