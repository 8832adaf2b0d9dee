//! Tokenizers: from text to token ids and back.
//!
//! | kind | a token is | vocabulary | unknown text |
//! |---|---|---|---|
//! | [`CharTokenizer`] | a character | the characters of a text | an error that lists the characters |
//! | [`WordTokenizer`] | a word with the space before it | the frequent words of a text | `<unk>` |
//! | [`BpeTokenizer`] | a frequent sequence of bytes | 256 bytes and learned merges | there is none |
//!
//! [`Tokenizer`] is any of them. A kind is a file here, with `ENTRY`, its tokenizer and an `impl Coding`, and a line in
//! `registry!`. All are kept in Hugging Face's `tokenizer.json` and give the same ids
//! there; GPT-2's `vocab.json` and `merges.txt` can be read, too.
//!
//! Losses in nats a token cannot be compared between tokenizers: a longer token is harder to predict.
//! Bits a character and bits a byte can, being `loss · tokens / (ln 2 · characters)`.

mod added;
mod byte_alphabet;
mod counts;
mod files;
mod json;
mod kind;
mod specials;
mod split;
mod stream;
mod tokens;

pub use self::bpe::BpeTrainer;
pub use self::counts::PieceCounts;
pub use self::kind::{Kind, Training};
pub use self::split::{Pieces, pieces};
pub use self::stream::{Decoder, Encoder};

use self::kind::Coding;
use crate::DataError;
use std::borrow::Cow;

/// Declares the modules, [`KINDS`] and [`Tokenizer`], a line a kind: file, variant and type.
macro_rules! registry {
    ($($(#[$doc:meta])* $file:ident $variant:ident $type:ident;)*) => {
        $(mod $file;)*
        $(pub use self::$file::$type;)*

        /// All kinds of tokenizers. A file is of the first kind that reads it.
        pub const KINDS: &[Kind<Tokenizer>] = &[$(Kind {
            name: self::$file::ENTRY.name,
            about: self::$file::ENTRY.about,
            has_specials: self::$file::ENTRY.has_specials,
            reads: self::$file::ENTRY.reads,
            from_json: |json| (self::$file::ENTRY.from_json)(json).map(Tokenizer::$variant),
            train: |training| (self::$file::ENTRY.train)(training).map(Tokenizer::$variant),
        }),*];

        /// A tokenizer of any kind.
        ///
        /// ```
        /// use data::{CharTokenizer, Tokenizer};
        /// let tokenizer = Tokenizer::Char(CharTokenizer::from_text("hello\n")?);
        /// let ids = tokenizer.encode("hole")?;
        /// assert_eq!(tokenizer.decode(&ids)?, "hole");
        /// assert_eq!(Tokenizer::from_json(&tokenizer.to_json())?, tokenizer);
        /// # Ok::<(), data::DataError>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(clippy::large_enum_variant, reason = "a program has one of them")]
        pub enum Tokenizer {
            $($(#[$doc])* $variant($type),)*
        }

        impl Tokenizer {
            /// The name of the kind, as `newleaf tokenizer train --kind` takes it.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Tokenizer::$variant(_) => self::$file::ENTRY.name,)*
                }
            }

            fn coding(&self) -> &dyn Coding {
                match self {
                    $(Tokenizer::$variant(tokenizer) => tokenizer,)*
                }
            }

            fn coding_mut(&mut self) -> &mut dyn Coding {
                match self {
                    $(Tokenizer::$variant(tokenizer) => tokenizer,)*
                }
            }
        }
    };
}

registry! {
    /// A token is a character.
    char Char CharTokenizer;
    /// A token is a word.
    word Word WordTokenizer;
    /// A token is a sequence of bytes.
    bpe Bpe BpeTokenizer;
}

impl Tokenizer {
    /// How many tokens there are; ids are `0..vocab_size`.
    pub fn vocab_size(&self) -> usize {
        self.coding().vocab_size()
    }

    /// The ids of a text. Special tokens are never among them, whatever the text says. (Words that `tokenizers` added as
    /// tokens which are not special are one token each.)
    ///
    /// # Errors
    /// If the text has characters that a character tokenizer does not know.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.coding().encode(text)
    }

    /// The ids of a text without the characters that a character tokenizer does not know, and how many those are: for
    /// texts of which the rest still says enough, such as those to be classified.
    pub fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        self.coding().encode_known(text)
    }

    /// The text of token ids; bytes that are no text become U+FFFD.
    ///
    /// # Errors
    /// If an id is not below [`Tokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        self.coding().decode(ids)
    }

    /// The bytes of a token; `None` beyond the vocabulary. With byte-level BPE they may be a part of
    /// a character.
    pub fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        self.coding().token_bytes(id)
    }

    /// The id that stands for unknown words, if the tokenizer has one.
    pub fn unknown_id(&self) -> Option<u32> {
        self.coding().unknown_id()
    }

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
        for name in names {
            self.coding_mut().add_special(name.as_ref())?;
        }
        Ok(self)
    }

    /// The id of a special token: only here, never by [`Tokenizer::encode`].
    pub fn special(&self, name: &str) -> Option<u32> {
        self.specials().into_iter().find(|&(special, _)| special == name).map(|(_, id)| id)
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
        self.coding().specials()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind is a file (or a folder) in the registry: one with an `ENTRY` that was forgotten fails here.
    #[test]
    fn every_kind_is_registered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokenizer");
        let mut found = 0;
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let file = if path.is_dir() { path.join("mod.rs") } else { path.clone() };
            let text = std::fs::read_to_string(file).unwrap();
            let Some((_, rest)) = text.split_once("const ENTRY: Kind<") else { continue };
            let Some((_, name)) = rest.split_once("name: \"") else { continue };
            let name = name.split('"').next().unwrap();
            assert!(
                KINDS.iter().any(|kind| kind.name == name),
                "{name} ({}) is not in KINDS",
                path.display()
            );
            found += 1;
        }
        assert_eq!(found, KINDS.len());
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len(), "two kinds have one name");
    }

    /// What each kind learns from a text it writes, reads again as its own kind, and decodes.
    #[test]
    fn every_kind_learns_and_comes_back() {
        let text = "the cat and the dog, the cat and the bird\n";
        for kind in KINDS {
            let mut training = Training {
                text,
                vocab_size: (kind.name == "bpe").then_some(270),
                min_count: 1,
                max_han_run: None,
                special: &[],
                progress: &mut |done, wanted| assert!(done <= wanted),
            };
            let tokenizer = (kind.train)(&mut training).unwrap();
            assert_eq!(tokenizer.kind(), kind.name);
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.encode_known(text), (ids.clone(), 0));
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
            let again = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
            assert_eq!((again.kind(), &again), (kind.name, &tokenizer));
        }
    }
}
