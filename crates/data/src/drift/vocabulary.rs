//! S1: what the test text has that the training text has not.

use crate::baseline::words;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// New words and new characters of a test text. Words are those of [`words`], in their case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VocabularyShift {
    /// Words of the test text.
    pub test_words: usize,
    /// Different words of the test text.
    pub test_types: usize,
    /// Different words of the training text.
    pub train_types: usize,
    /// Percent of the test's words that the training text does not have.
    pub oov_words_percent: f64,
    /// The same of its different words, each counted once.
    pub oov_types_percent: f64,
    /// Different words in both texts, divided by those in either.
    pub jaccard: f64,
    /// The most frequent new words with their counts, at most 20; a long one is cut.
    pub new_words: Vec<(String, usize)>,
    /// Percent of the test's characters that the training text does not have.
    pub oov_chars_percent: f64,
    /// How many different characters those are.
    pub new_char_types: usize,
    /// The most frequent new characters with their counts, at most 50.
    pub new_chars: Vec<(char, usize)>,
}

/// Compares the vocabularies of two texts.
///
/// ```
/// let shift = data::drift::vocabulary_shift("a cat and a dog", "a cat and two owls, two!");
/// assert_eq!(shift.oov_words_percent, 50.0); // two owls two, of six words
/// assert_eq!(shift.oov_types_percent, 40.0); // two owls, of a cat and two owls
/// assert_eq!(shift.new_words[0], ("two".to_string(), 2));
/// assert_eq!(shift.new_char_types, 5); // w l s , !
/// ```
pub fn vocabulary_shift(train: &str, test: &str) -> VocabularyShift {
    let known: HashSet<&str> = words(train).collect();
    let found = counts(words(test));
    let test_words: usize = found.values().sum();
    let new_words = most_frequent_first(&found, |word| !known.contains(word));
    let new_word_count: usize = new_words.iter().map(|(_, n)| n).sum();
    let both = found.len() - new_words.len();

    let known_chars: HashSet<char> = train.chars().collect();
    let found_chars = counts(test.chars());
    let new_chars = most_frequent_first(&found_chars, |c| !known_chars.contains(c));
    let chars: usize = found_chars.values().sum();
    let new_char_count: usize = new_chars.iter().map(|(_, n)| n).sum();
    VocabularyShift {
        test_words,
        test_types: found.len(),
        train_types: known.len(),
        oov_words_percent: percent(new_word_count, test_words),
        oov_types_percent: percent(new_words.len(), found.len()),
        jaccard: both as f64 / (known.len() + new_words.len()).max(1) as f64,
        new_words: new_words.into_iter().take(20).map(|(word, n)| (shortened(word), n)).collect(),
        oov_chars_percent: percent(new_char_count, chars),
        new_char_types: new_chars.len(),
        new_chars: new_chars.into_iter().take(50).collect(),
    }
}

/// A word as a person reads it: of digits or letters without end, as in artificial texts, the beginning.
fn shortened(word: &str) -> String {
    const LONGEST: usize = 40;
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &word[..end]),
        None => word.to_string(),
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn counts<T: std::hash::Hash + Eq>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

/// Those that are new, the most frequent first and equals in order of the alphabet.
fn most_frequent_first<T: Ord + Copy>(
    counts: &HashMap<T, usize>,
    new: impl Fn(&T) -> bool,
) -> Vec<(T, usize)> {
    let mut of_new: Vec<(T, usize)> =
        counts.iter().filter(|(item, _)| new(item)).map(|(&item, &n)| (item, n)).collect();
    of_new.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    of_new
}
