//! Tokenizers: from text to token ids and back.
//!
//! | kind | a token is | vocabulary | unknown text |
//! |---|---|---|---|
//! | [`CharTokenizer`] | a character | the characters of a text | an error that lists the characters |
//! | [`WordTokenizer`] | a word with the space before it | the frequent words of a text | `<unk>` |
//! | [`BpeTokenizer`] | a frequent sequence of bytes | 256 bytes and learned merges | there is none |
//!
//! [`Tokenizer`] is any of them. All are kept in Hugging Face's `tokenizer.json` and give the same ids
//! there; GPT-2's `vocab.json` and `merges.txt` can be read, too.
//!
//! Losses in nats a token cannot be compared between tokenizers: a longer token is harder to predict.
//! Bits a character and bits a byte can, being `loss · tokens / (ln 2 · characters)`.

mod bpe;
mod byte_alphabet;
mod char;
mod counts;
mod files;
mod json;
mod specials;
mod split;
mod stream;
mod tokens;
mod word;

pub use self::bpe::{BpeTokenizer, BpeTrainer};
pub use self::char::CharTokenizer;
pub use self::counts::PieceCounts;
pub use self::split::{Pieces, pieces};
pub use self::stream::{Decoder, Encoder};
pub use self::word::WordTokenizer;

use crate::DataError;
use std::borrow::Cow;

/// Vocabularies of words and merges are not larger.
const MAX_TOKENS: usize = 1 << 20;

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
    /// A token is a character.
    Char(CharTokenizer),
    /// A token is a word.
    Word(WordTokenizer),
    /// A token is a sequence of bytes.
    Bpe(BpeTokenizer),
}

impl Tokenizer {
    /// The name of the kind, as `newleaf tokenizer train --kind` takes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Tokenizer::Char(_) => "char",
            Tokenizer::Word(_) => "word",
            Tokenizer::Bpe(_) => "bpe",
        }
    }

    /// How many tokens there are; ids are `0..vocab_size`.
    pub fn vocab_size(&self) -> usize {
        match self {
            Tokenizer::Char(tokenizer) => tokenizer.vocab_size(),
            Tokenizer::Word(tokenizer) => tokenizer.vocab_size(),
            Tokenizer::Bpe(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// The ids of a text. Special tokens are never among them, whatever the text says.
    ///
    /// # Errors
    /// If the text has characters that a character tokenizer does not know.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        match self {
            Tokenizer::Char(tokenizer) => tokenizer.encode(text),
            Tokenizer::Word(tokenizer) => Ok(tokenizer.encode(text)),
            Tokenizer::Bpe(tokenizer) => Ok(tokenizer.encode(text)),
        }
    }

    /// The text of token ids; bytes that are no text become U+FFFD.
    ///
    /// # Errors
    /// If an id is not below [`Tokenizer::vocab_size`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        match self {
            Tokenizer::Char(tokenizer) => tokenizer.decode(ids),
            Tokenizer::Word(tokenizer) => tokenizer.decode(ids),
            Tokenizer::Bpe(tokenizer) => tokenizer.decode(ids),
        }
    }

    /// Encodes a text that comes in parts.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder::new(self)
    }

    /// Decodes ids that come one by one.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self)
    }

    /// The bytes of a token; `None` beyond the vocabulary. With byte-level BPE they may be a part of
    /// a character.
    pub fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match self {
            Tokenizer::Char(tokenizer) => {
                tokenizer.token(id).map(|token| Cow::Owned(token.into_owned().into_bytes()))
            }
            Tokenizer::Word(tokenizer) => tokenizer.token_bytes(id).map(Cow::Borrowed),
            Tokenizer::Bpe(tokenizer) => tokenizer.token_bytes(id).map(Cow::Borrowed),
        }
    }

    /// The id that stands for unknown words, if the tokenizer has one.
    pub fn unknown_id(&self) -> Option<u32> {
        matches!(self, Tokenizer::Word(_)).then_some(WordTokenizer::UNKNOWN_ID)
    }
}
