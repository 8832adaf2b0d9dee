//! Which words decide a label, and so what must not happen to them.
//!
//! | Class | Example | Never | Because |
//! |---|---|---|---|
//! | negation | not, 不 | replaced, deleted, moved | it turns the label over |
//! | its scope: what follows it in the clause | "good" in "not good" | deleted, moved; nothing is inserted | what leaves or enters the scope turns over |
//! | contrast | but, 但是 | replaced, deleted, moved | what follows it counts |
//! | degree | too, 很 | replaced, deleted, moved | "too sweet" is a complaint, "sweet" is not |
//! | polarity | good, 难吃 | deleted | without it there is no opinion left; a synonym may take its place |
//!
//! A clause ends at a punctuation mark and before a contrast word. Swaps and insertions stay within a
//! clause: in "good food but slow service" the two opinions must not change places. The scope of a negation
//! is taken to the right only ("I do not think that it is good"), as in both languages it mostly is.

use crate::DataError;
use std::collections::HashMap;

/// What a word does to a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Turns over what follows in the clause.
    Negation,
    /// Begins a clause that counts more, or less, than the one before.
    Contrast,
    /// Strengthens or weakens, and sometimes turns over.
    Degree,
    /// Is an opinion.
    Polarity,
}

/// The words of each class.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    classes: HashMap<String, Class>,
}

impl Protection {
    /// Nothing is protected.
    pub fn none() -> Protection {
        Protection::default()
    }

    /// The words that ship inside, English and Chinese, `datasets/protected.tsv`.
    pub fn built_in() -> Protection {
        let text = include_str!("../../../../datasets/protected.tsv");
        Protection::parse(text, "protected.tsv (ships inside)").expect("tests read it")
    }

    /// Reads lines of a class (`negation`, `contrast`, `degree` or `polarity`), a tab, and words separated by
    /// spaces. Empty lines and lines that begin with `#` are passed over. `name` is for messages.
    ///
    /// # Errors
    /// If a line has no tab or another class, or there is no word.
    pub fn parse(text: &str, name: &str) -> Result<Protection, DataError> {
        let mut protection = Protection::default();
        let lines = text.lines().enumerate();
        for (i, line) in lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()) {
            let (class, words) = line.split_once('\t').unwrap_or((line, ""));
            let class = match class {
                "negation" => Class::Negation,
                "contrast" => Class::Contrast,
                "degree" => Class::Degree,
                "polarity" => Class::Polarity,
                other => return Err(malformed(name, i, other)),
            };
            if words.trim().is_empty() {
                return Err(malformed(name, i, line));
            }
            protection.classes.extend(words.split_whitespace().map(|word| (word.to_lowercase(), class)));
        }
        if protection.classes.is_empty() {
            return Err(DataError::Malformed {
                what: name.into(),
                place: String::new(),
                found: "none".into(),
                expected: "at least one word to protect".into(),
                remedy: "is this the right file?".into(),
            });
        }
        Ok(protection)
    }

    /// Protects the words of another list too; where both have a word, the other decides.
    pub fn extend(&mut self, other: Protection) {
        self.classes.extend(other.classes);
    }

    /// The class of a word, if it has one. English contractions with "not" are negations.
    pub fn class(&self, word: &str) -> Option<Class> {
        let word = word.to_lowercase().replace('’', "'");
        let contraction = || word.ends_with("n't") && !self.classes.is_empty();
        self.classes.get(&word).copied().or_else(|| contraction().then_some(Class::Negation))
    }

    /// All words, sorted.
    pub fn words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.classes.keys().map(String::as_str).collect();
        words.sort_unstable();
        words
    }
}

fn malformed(name: &str, line: usize, found: &str) -> DataError {
    let shown: String = found.chars().take(40).collect();
    DataError::Malformed {
        what: name.into(),
        place: format!("line {}", line + 1),
        found: format!("{shown:?}"),
        expected: "negation, contrast, degree or polarity, a tab, and words".into(),
        remedy: "correct the line or delete it".into(),
    }
}
