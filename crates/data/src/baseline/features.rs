//! From a text to numbers: which words, how often, and how telling they are.

use crate::han::stands_alone;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// The words of a text: runs of letters, digits and apostrophes. A Chinese character (or a Japanese
/// syllable) is a word by itself, because nothing separates it from the next. Korean syllables stay together here, unlike
/// in [`Split::Words`](crate::word_vectors::Split::Words): Korean puts spaces between words, and a word tells more about a
/// label than its syllables. Vectors are for syllables, which every text has often enough.
///
/// ```
/// let words: Vec<_> = data::baseline::words("Don't go, 送餐快!").collect();
/// assert_eq!(words, ["Don't", "go", "送", "餐", "快"]);
/// ```
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(in_a_word)?;
        rest = &rest[start..];
        let first = rest.chars().next()?;
        let end = match stands_alone(first) {
            true => first.len_utf8(),
            false => rest.find(|c| !in_a_word(c) || stands_alone(c)).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn in_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '\u{2019}'
}

/// The features of a text: (number, value), sorted by number.
pub type Sparse = Vec<(u32, f64)>;

/// What is counted in a text, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Runs of 1 to so many words.
    Words(usize),
    /// Runs of so many characters, from the first number to the second, each within a stretch that no space interrupts, to which a
    /// space is added at both ends. They see endings, spellings, signs, and Chinese words of any length.
    Characters(usize, usize),
}

impl Counted {
    /// The usual runs of characters.
    pub const CHARACTERS: Counted = Counted::Characters(2, 5);

    /// Whether the lengths can be those of runs.
    pub fn is_valid(self) -> bool {
        match self {
            Counted::Words(most) => (1..=5).contains(&most),
            Counted::Characters(least, most) => 1 <= least && least <= most && most <= 8,
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Counted::Words(1) => write!(f, "words"),
            Counted::Words(most) => write!(f, "runs of 1 to {most} words"),
            Counted::Characters(least, most) => write!(f, "runs of {least} to {most} characters"),
        }
    }
}

/// The vocabulary of features.
#[derive(Clone, Debug)]
pub struct Features {
    numbers: HashMap<String, u32>,
    /// How many texts have each feature.
    found: Vec<u32>,
    /// ln((1 + texts) / (1 + texts that have it)) + 1, of each feature.
    idf: Vec<f64>,
    documents: u32,
    counted: Counted,
}

/// Runs that one text has are forgotten when there are more than so many. (Lossy counting: Manku and Motwani 2002.)
const MOST_RUNS: usize = 1 << 21;

impl Features {
    /// The features that at least `min_documents` of the texts have, numbered in order of appearance. Of more than `most`, those
    /// that most texts have; of equals, the first.
    pub fn fit<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        counted: Counted,
        min_documents: usize,
        most: usize,
    ) -> Features {
        Features::fit_within(MOST_RUNS, texts, counted, min_documents, most)
    }

    /// The same in a table of about so many runs.
    pub(super) fn fit_within<'a>(
        mut room: usize,
        texts: impl IntoIterator<Item = &'a str>,
        counted: Counted,
        min_documents: usize,
        most: usize,
    ) -> Features {
        // In order of appearance: the runs of words, how many texts have them, and the last that does.
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut documents = 0;
        for text in texts {
            documents += 1;
            for_each_run(text, counted, |run| match numbers.get(run) {
                Some(&number) if found[number].1 != documents => {
                    found[number] = (found[number].0 + 1, documents);
                }
                Some(_) => {}
                None => {
                    numbers.insert(run.to_string(), found.len());
                    found.push((1, documents));
                }
            });
            if found.len() > room && min_documents > 1 {
                found = renumber(&mut numbers, &found, |number| found[number].0 > 1);
                room = room.max(2 * found.len()); // where most come again, the table is as large as the texts need
            }
        }
        let mut order: Vec<usize> =
            (0..found.len()).filter(|&number| found[number].0 >= min_documents).collect();
        order.sort_by_key(|&number| (std::cmp::Reverse(found[number].0), number));
        let mut is_kept = vec![false; found.len()];
        order.iter().take(most).for_each(|&number| is_kept[number] = true);
        found = renumber(&mut numbers, &found, |number| is_kept[number]);
        let found = found.into_iter().map(|(of, _)| of as u32).collect();
        let numbers = numbers.into_iter().map(|(run, number)| (run, number as u32)).collect();
        Features::new(numbers, found, documents as u32, counted)
    }

    fn new(numbers: HashMap<String, u32>, found: Vec<u32>, documents: u32, counted: Counted) -> Features {
        let idf = |&of: &u32| random::ln((1.0 + f64::from(documents)) / (1.0 + f64::from(of))) + 1.0;
        Features { numbers, idf: found.iter().map(idf).collect(), found, documents, counted }
    }

    /// The features of these names, of which so many of the `documents` have each, numbered in their order. `None` if a name
    /// occurs twice.
    pub fn from_parts(parts: Vec<(String, u32)>, documents: u32, counted: Counted) -> Option<Features> {
        let (names, found): (Vec<String>, Vec<u32>) = parts.into_iter().unzip();
        let numbers: HashMap<String, u32> = names.into_iter().zip(0..).collect();
        (numbers.len() == found.len()).then(|| Features::new(numbers, found, documents, counted))
    }

    /// The names in the order of their numbers, and how many of the texts have each.
    pub fn parts(&self) -> Vec<(&str, u32)> {
        let mut parts: Vec<(&str, u32)> = self.found.iter().map(|&found| ("", found)).collect();
        self.numbers.iter().for_each(|(name, &number)| parts[number as usize].0 = name);
        parts
    }

    /// How many texts they were found in.
    pub fn documents(&self) -> u32 {
        self.documents
    }

    /// What is counted.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.idf.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.idf.is_empty()
    }

    /// The names of the features that a text has, by number.
    pub(super) fn names(&self, text: &str) -> HashMap<u32, String> {
        let mut names = HashMap::new();
        for_each_run(text, self.counted, |run| {
            if let Some(&number) = self.numbers.get(run) {
                names.entry(number).or_insert_with(|| run.to_string());
            }
        });
        names
    }

    /// How often a text has each feature.
    pub fn counts(&self, text: &str) -> Sparse {
        let mut all: Vec<u32> = Vec::new();
        for_each_run(text, self.counted, |run| all.extend(self.numbers.get(run)));
        all.sort_unstable();
        all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect()
    }

    /// The counts, each times its feature's inverse document frequency, scaled to a vector of length 1
    /// (Salton and Buckley 1988; the form of scikit-learn's `TfidfVectorizer`). Of a count n of characters 1 + ln n is taken: runs
    /// that overlap repeat each other (its `sublinear_tf`).
    pub fn tf_idf(&self, text: &str) -> Sparse {
        let mut features = self.counts(text);
        let often = |count: f64| match self.counted {
            Counted::Words(_) => count,
            Counted::Characters(..) => 1.0 + random::ln(count),
        };
        features.iter_mut().for_each(|(number, value)| *value = often(*value) * self.idf[*number as usize]);
        let length = features.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
        features.iter_mut().for_each(|(_, value)| *value /= length);
        features
    }
}

/// Keeps some of the runs: in the table with new numbers, in the same order. Answers what is left of `found`.
fn renumber(
    numbers: &mut HashMap<String, usize>,
    found: &[(usize, usize)],
    is_kept: impl Fn(usize) -> bool,
) -> Vec<(usize, usize)> {
    let kept: Vec<usize> = (0..found.len()).filter(|&number| is_kept(number)).collect();
    let mut new = vec![None; found.len()];
    kept.iter().enumerate().for_each(|(place, &number)| new[number] = Some(place));
    numbers.retain(|_, number| new[*number].map(|new| *number = new).is_some());
    kept.into_iter().map(|number| found[number]).collect()
}

/// Every run of a text that is counted. Words are joined by spaces.
fn for_each_run(text: &str, counted: Counted, mut f: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    match counted {
        Counted::Words(most) => {
            let words: Vec<&str> = words(&lower).collect();
            let mut run = String::new();
            for start in 0..words.len() {
                run.clear();
                for word in words[start..].iter().take(most) {
                    if !run.is_empty() {
                        run.push(' ');
                    }
                    run += word;
                    f(&run);
                }
            }
        }
        Counted::Characters(least, most) => {
            for stretch in lower.split_whitespace() {
                let padded = format!(" {stretch} ");
                // Where its characters begin, and where the last ends.
                let mut places: Vec<usize> = padded.char_indices().map(|(at, _)| at).collect();
                places.push(padded.len());
                for start in 0..places.len() - 1 {
                    let ends = places.iter().skip(start + least).take(most - least + 1);
                    ends.for_each(|&end| f(&padded[places[start]..end]));
                }
            }
        }
    }
}
