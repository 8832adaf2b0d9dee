//! Word vectors as files and tables, and the vocabulary they are trained on.
//!
//! | step | where |
//! |---|---|
//! | a line of text to words | [`Split`] |
//! | which words are frequent enough, and their numbers | [`Vocabulary`] |
//! | vectors in a file | [`WordVectors::read`], [`WordVectors::write`], in three [`Format`]s |
//!
//! The files are here, and not beside the training in `nn`, because a file of words and numbers is data: it needs no
//! tensors, and its errors are those of every other file that a person brings ([`DataError`]).
//!
//! | format | contents |
//! |---|---|
//! | [`Format::Text`] | `N d`, then N lines `word x1 ... xd` (word2vec) |
//! | [`Format::Binary`] | the line `N d`, then N times: the word, a space, d little-endian f32, a line end (word2vec) |
//! | [`Format::Glove`] | lines `word x1 ... xd` without a header |
//!
//! Reading is strict: every line has one word and d finite numbers with one space between, no word comes twice, and
//! nothing is left over. Memory is bounded by the file's size, whatever its header claims. Words may have white space
//! that does not separate: files trained on the web have words with a no-break space (U+00A0) or a next-line
//! character (U+0085) in them, at which a reader that splits "at white space" goes wrong.

mod read;
mod split;
mod vocabulary;
mod write;

pub use split::Split;
pub use vocabulary::Vocabulary;

use crate::DataError;
use std::collections::HashMap;

/// How vectors are written in a file; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// word2vec's text format.
    Text,
    /// word2vec's binary format.
    Binary,
    /// GloVe's text format.
    Glove,
}

/// A vector for each of some words.
///
/// ```
/// use data::word_vectors::WordVectors;
/// let words = ["cat", "dog"].map(String::from).to_vec();
/// let vectors = WordVectors::new(words, 2, vec![0.5, 1.0, 0.25, -1.0])?;
/// let dog = vectors.index("dog").expect("it is there");
/// assert_eq!(vectors.vector(dog), [0.25, -1.0]);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    words: Vec<String>,
    dim: usize,
    /// Row by row.
    values: Vec<f32>,
    by_word: HashMap<String, u32>,
}

impl WordVectors {
    /// A table of these words and, row by row, their vectors of `dim` numbers.
    ///
    /// # Errors
    /// If a word is empty, has ASCII white space or control characters in it, or comes twice, and if a number is not
    /// finite: such a table cannot be written to a file.
    ///
    /// # Panics
    /// If the numbers are not a row for each word, or `dim` is 0.
    pub fn new(words: Vec<String>, dim: usize, values: Vec<f32>) -> Result<Self, DataError> {
        assert!(dim > 0 && values.len() == words.len() * dim, "{} numbers for {}", values.len(), words.len());
        let mut by_word = HashMap::with_capacity(words.len());
        for ((i, word), row) in (0..).zip(&words).zip(values.chunks(dim)) {
            let wrong = |expected: &str| malformed("word vectors", format!("word {}", i + 1), word, expected);
            if let Some(expected) = wrong_word(word) {
                return Err(wrong(expected));
            }
            if row.iter().any(|x| !x.is_finite()) {
                return Err(wrong("finite numbers in its vector"));
            }
            if by_word.insert(word.clone(), i).is_some() {
                return Err(wrong("every word once"));
            }
        }
        Ok(Self { words, dim, values, by_word })
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Numbers in a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The words, in the order of the file.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The row of a word.
    #[must_use]
    pub fn index(&self, word: &str) -> Option<u32> {
        self.by_word.get(word).copied()
    }

    /// The row of the word that a tokenizer's token stands for: the token itself; else without the space (or GPT-2's
    /// sign for it, `Ġ`) before it; else that in lower case.
    ///
    /// ```
    /// # use data::word_vectors::WordVectors;
    /// let vectors = WordVectors::new(vec!["cat".into(), "Cat".into(), "Ġ".into()], 1, vec![1.0, 2.0, 3.0])?;
    /// let tokens = ["cat", " cat", "ĠCat", "CAT", "Ġ", "dog"];
    /// assert_eq!(tokens.map(|t| vectors.index_of_token(t)), [Some(0), Some(0), Some(1), Some(0), Some(2), None]);
    /// # Ok::<(), data::DataError>(())
    /// ```
    #[must_use]
    pub fn index_of_token(&self, token: &str) -> Option<u32> {
        let bare = token.strip_prefix([' ', 'Ġ']).unwrap_or(token);
        self.index(token).or_else(|| self.index(bare)).or_else(|| self.index(&bare.to_lowercase()))
    }

    /// The vector in a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn vector(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.dim..][..self.dim]
    }

    /// All numbers, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// What a word should be, if this is none.
fn wrong_word(word: &str) -> Option<&'static str> {
    let separates = |c: char| c.is_ascii_whitespace() || c.is_ascii_control();
    (word.is_empty() || word.contains(separates))
        .then_some("a word without spaces or control characters in it")
}

/// An error about a word.
fn malformed(what: &str, place: String, word: &str, expected: &str) -> DataError {
    let shown: String = word.chars().take(40).collect();
    DataError::Malformed {
        what: what.to_string(),
        place,
        found: format!("{shown:?}"),
        expected: expected.to_string(),
        remedy: "remove or rename it".to_string(),
    }
}
