//! Text that a person has segmented: what the methods learn from, and what they are measured with.

use super::dict::{Dict, no_words};
use crate::DataError;

/// Sentences as lists of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gold {
    /// A sentence a line of the file.
    pub sentences: Vec<Vec<String>>,
}

impl Gold {
    /// The sentences that ship inside, `datasets/seg-zh.txt`, with their convention in its header.
    pub fn built_in() -> Gold {
        let text = include_str!("../../../../datasets/seg-zh.txt");
        Gold::parse(text, "seg-zh.txt (ships inside)").expect("tests read the same text")
    }

    /// Reads a sentence a line, its words separated by white space. Empty lines and lines that begin with
    /// `#` are passed over. `name` is for messages.
    ///
    /// # Errors
    /// If there is no sentence, if a word has more than [`Dict::LONGEST`] characters, or if no
    /// line has a space: that is text which nobody has segmented yet.
    pub fn parse(text: &str, name: &str) -> Result<Gold, DataError> {
        let mut sentences = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
            if words.iter().any(|word| word.chars().count() > Dict::LONGEST) {
                return Err(unsegmented(
                    name,
                    format!("line {}", i + 1),
                    "a word of more than 64 characters".into(),
                ));
            }
            if !words.is_empty() {
                sentences.push(words);
            }
        }
        if sentences.is_empty() {
            return Err(no_words(name));
        }
        if sentences.iter().all(|words| words.len() == 1)
            && sentences.iter().any(|w| w[0].chars().count() > 1)
        {
            return Err(unsegmented(name, String::new(), "no space in any line".into()));
        }
        Ok(Gold { sentences })
    }

    /// Divides into training and held-out sentences: every `folds`-th sentence is held out, beginning with
    /// number `fold` (from 0).
    ///
    /// # Panics
    /// If `folds` is 0.
    pub fn split(&self, fold: usize, folds: usize) -> (Gold, Gold) {
        let numbered = self.sentences.iter().cloned().enumerate();
        let (held_out, train): (Vec<_>, Vec<_>) = numbered.partition(|(i, _)| i % folds == fold);
        let gold =
            |part: Vec<(usize, Vec<String>)>| Gold { sentences: part.into_iter().map(|p| p.1).collect() };
        (gold(train), gold(held_out))
    }
}

impl Dict {
    /// The words of segmented text.
    pub fn from_gold(gold: &Gold) -> Dict {
        let mut dict = Dict::default();
        gold.sentences.iter().flatten().for_each(|word| dict.add(word, 1));
        dict
    }
}

fn unsegmented(name: &str, place: String, found: String) -> DataError {
    DataError::Malformed {
        what: name.into(),
        place,
        found,
        expected: "words separated by spaces, as in: 他 去 图书馆 。".into(),
        remedy: "set the words apart by spaces; a list of words belongs into a dictionary (--dict)".into(),
    }
}
