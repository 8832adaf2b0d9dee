//! The words of a text that are frequent enough to learn something about.

use super::Split;
use crate::DataError;
use std::collections::HashMap;

/// Words and how often they occur, the most frequent first (words of the same count in the order of their
/// characters' code points). A word's number is its place.
///
/// ```
/// use data::word_vectors::{Split, Vocabulary};
/// let text = "the cat saw the dog\nthe dog ran";
/// let vocabulary = Vocabulary::count(text.lines(), Split::Words, 2, |word| word == "ran")?;
/// assert_eq!(vocabulary.words(), ["the", "dog"]);
/// assert_eq!(vocabulary.counts(), [3, 2]);
/// let mut sentences = vec![];
/// vocabulary.for_each_sentence(text.lines(), |numbers| sentences.push(numbers.to_vec()));
/// assert_eq!(sentences, [vec![0, 0, 1], vec![0, 1]]);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vocabulary {
    words: Vec<String>,
    counts: Vec<u64>,
    by_word: HashMap<String, u32>,
    split: Split,
    total: u64,
    distinct: usize,
}

impl Vocabulary {
    /// Counts the words of a text's lines and keeps those that occur at least `min_count` times and are not to be left out
    /// (stop words).
    ///
    /// # Errors
    /// If fewer than two words are left.
    pub fn count<'a>(
        lines: impl Iterator<Item = &'a str>,
        split: Split,
        min_count: u64,
        leave_out: impl Fn(&str) -> bool,
    ) -> Result<Self, DataError> {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        lines.for_each(|line| split.for_each(line, |word| *counts.entry(word).or_default() += 1));
        let (total, distinct) = (counts.values().sum(), counts.len());
        let mut kept: Vec<(&str, u64)> =
            counts.into_iter().filter(|(word, count)| *count >= min_count && !leave_out(word)).collect();
        if kept.len() < 2 {
            return Err(too_few(kept.len(), distinct, min_count));
        }
        kept.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        Ok(Self {
            by_word: (0..).zip(&kept).map(|(i, (word, _))| ((*word).to_string(), i)).collect(),
            counts: kept.iter().map(|(_, count)| *count).collect(),
            words: kept.iter().map(|(word, _)| (*word).to_string()).collect(),
            split,
            total,
            distinct,
        })
    }

    /// The words, by number.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How often each occurs, by number.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many words the text has, those left out too.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many different words the text has, those left out too.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// Calls `sentence` with the words' numbers for every line; words that are not in the vocabulary are
    /// passed over.
    pub fn for_each_sentence<'a>(
        &self,
        lines: impl Iterator<Item = &'a str>,
        mut sentence: impl FnMut(&[u32]),
    ) {
        let mut numbers = Vec::new();
        for line in lines {
            numbers.clear();
            self.split.for_each(line, |word| numbers.extend(self.by_word.get(word).copied()));
            sentence(&numbers);
        }
    }
}

fn too_few(kept: usize, distinct: usize, min_count: u64) -> DataError {
    DataError::Malformed {
        what: "the text".to_string(),
        place: String::new(),
        found: format!("{kept} of {distinct} different words"),
        expected: format!("at least 2 words that occur {min_count} times or more and are not left out"),
        remedy: "give a longer text or a smaller --min-count".to_string(),
    }
}
