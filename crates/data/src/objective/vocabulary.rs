//! Which ids are ordinary tokens, and which are special ones.

use crate::{DataError, Tokenizer};
use random::Rng;

/// The ids of a vocabulary: how many there are, and which of them are special tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    size: usize,
    /// Names and ids of the special tokens, in the order of the ids.
    specials: Vec<(String, u32)>,
}

impl Vocabulary {
    /// A vocabulary of `size` tokens with these special ones among them.
    ///
    /// # Errors
    /// If an id is there twice or too large, or if there is no ordinary token.
    pub fn new<'a>(
        size: usize,
        specials: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> Result<Vocabulary, DataError> {
        let mut specials: Vec<(String, u32)> =
            specials.into_iter().map(|(name, id)| (name.to_string(), id)).collect();
        specials.sort_by_key(|&(_, id)| id);
        let distinct = specials.windows(2).all(|two| two[0].1 != two[1].1);
        let in_range = specials.last().is_none_or(|&(_, id)| (id as usize) < size);
        if !distinct || !in_range || specials.len() >= size {
            let found = format!("{specials:?} of {size} tokens");
            let expected = "special tokens with different ids below the vocabulary size, and ordinary tokens";
            return Err(DataError::InvalidSetting { name: "special tokens", found, expected });
        }
        Ok(Vocabulary { size, specials })
    }

    /// The vocabulary of a tokenizer.
    pub fn of(tokenizer: &Tokenizer) -> Vocabulary {
        let specials = tokenizer.specials().into_iter().map(|(name, id)| (name.to_string(), id)).collect();
        Vocabulary { size: tokenizer.vocab_size(), specials }
    }

    /// How many tokens there are, the special ones included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many ordinary tokens there are.
    pub fn ordinary(&self) -> usize {
        self.size - self.specials.len()
    }

    /// Whether an id is that of a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.specials.binary_search_by_key(&id, |&(_, special)| special).is_ok()
    }

    /// The id of a special token.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn special(&self, name: &str) -> Result<u32, DataError> {
        let id = self.specials.iter().find(|(special, _)| special == name).map(|&(_, id)| id);
        id.ok_or_else(|| DataError::Malformed {
            what: "the tokenizer".into(),
            place: String::new(),
            found: format!("no special token {name}"),
            expected: "the special tokens of the objective".into(),
            remedy:
                "add them to the tokenizer before training, or choose an objective without them: clm, prefix"
                    .into(),
        })
    }

    /// An ordinary token, all equally likely.
    pub fn random(&self, rng: &mut Rng) -> u32 {
        let mut id = rng.below(self.ordinary() as u64) as u32;
        for &(_, special) in &self.specials {
            if special > id {
                break;
            }
            id += 1;
        }
        id
    }
}
