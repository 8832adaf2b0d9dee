//! Stop words: the frequent words that say little of what a text is about.
//!
//! Dropping them makes bags of words smaller and sharper: naive Bayes and TF-IDF classifiers, pictures of
//! topics, and word vectors (where subsampling frequent words is the principled way: Mikolov 2013, arXiv
//! 1310.4546, section 2.3). A model that is to write must not be trained without them: it would learn a
//! language that nobody speaks, and its loss, being that of another text, could be compared with no other.
//!
//! The lists that ship inside are short and our own, and leave negations out: "not good" minus "not" is
//! the opposite.

use crate::{DataError, read_text};
use std::collections::HashSet;
use std::path::Path;

/// A set of words to drop.
#[derive(Clone, Debug, Default)]
pub struct StopWords {
    words: HashSet<String>,
}

impl StopWords {
    /// The English list that ships inside, `datasets/stopwords-en.txt`.
    pub fn english() -> StopWords {
        StopWords::of(include_str!("../../../datasets/stopwords-en.txt"))
    }

    /// The Chinese list that ships inside, `datasets/stopwords-zh.txt`.
    pub fn chinese() -> StopWords {
        StopWords::of(include_str!("../../../datasets/stopwords-zh.txt"))
    }

    /// A list from a file: a word a line; empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// If the file cannot be read as UTF-8 text, has a line of several words, or has no word.
    pub fn load(path: impl AsRef<Path>) -> Result<StopWords, DataError> {
        let path = path.as_ref();
        let text = read_text(path)?;
        let malformed = |place: String, found: String| DataError::Malformed {
            what: path.display().to_string(),
            place,
            found,
            expected: "a list of stop words, one word a line".into(),
            remedy: "put every word on a line of its own".into(),
        };
        let several = |line: &str| !line.starts_with('#') && line.split_whitespace().nth(1).is_some();
        if let Some((i, line)) = text.lines().enumerate().find(|(_, line)| several(line)) {
            let shown: String = line.chars().take(40).collect();
            return Err(malformed(format!("line {}", i + 1), format!("{shown:?}")));
        }
        let list = StopWords::of(&text);
        if list.is_empty() { Err(malformed(String::new(), "none".into())) } else { Ok(list) }
    }

    fn of(text: &str) -> StopWords {
        let words = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        StopWords { words: words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect() }
    }

    /// Whether a word is one, in small letters or capitals.
    ///
    /// ```
    /// use data::StopWords;
    /// assert!(StopWords::english().contains("The") && StopWords::chinese().contains("的"));
    /// assert!(!StopWords::english().contains("not"));
    /// ```
    pub fn contains(&self, word: &str) -> bool {
        self.words.contains(word) || self.words.contains(&word.to_lowercase())
    }

    /// The words that remain, in order.
    pub fn remove_from<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        words.into_iter().filter(|word| !self.contains(word)).collect()
    }

    /// How many words the list has.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the list has no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}
