//! From a text to numbers: which words, how often, and how telling they are.

use crate::han::stands_alone;
use std::collections::HashMap;

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

/// The vocabulary of features: runs of 1 to `max_n` words in lower case.
#[derive(Clone, Debug)]
pub struct Features {
    numbers: HashMap<String, u32>,
    /// How many texts have each feature.
    found: Vec<u32>,
    /// ln((1 + texts) / (1 + texts that have it)) + 1, of each feature.
    idf: Vec<f64>,
    documents: u32,
    max_n: usize,
}

impl Features {
    /// The features that at least `min_documents` of the texts have, numbered in order of appearance.
    pub fn fit<'a>(texts: impl IntoIterator<Item = &'a str>, max_n: usize, min_documents: usize) -> Features {
        // In order of appearance: the runs of words, how many texts have them, and the last that does.
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut documents = 0;
        for text in texts {
            documents += 1;
            for_each_run(text, max_n, |run| match numbers.get(run) {
                Some(&number) if found[number].1 != documents => {
                    found[number] = (found[number].0 + 1, documents);
                }
                Some(_) => {}
                None => {
                    numbers.insert(run.to_string(), found.len());
                    found.push((1, documents));
                }
            });
        }
        // Renumber those that stay, in the same order.
        let mut kept = Vec::new();
        let renumbered: Vec<Option<u32>> = found
            .iter()
            .map(|&(of, _)| {
                (of >= min_documents).then(|| {
                    kept.push(of as u32);
                    kept.len() as u32 - 1
                })
            })
            .collect();
        let numbers = numbers.into_iter().filter_map(|(run, old)| Some((run, renumbered[old]?)));
        Features::new(numbers.collect(), kept, documents as u32, max_n)
    }

    fn new(numbers: HashMap<String, u32>, found: Vec<u32>, documents: u32, max_n: usize) -> Features {
        let idf = |&of: &u32| random::ln((1.0 + f64::from(documents)) / (1.0 + f64::from(of))) + 1.0;
        Features { numbers, idf: found.iter().map(idf).collect(), found, documents, max_n }
    }

    /// The features of these names, of which so many of the `documents` have each, numbered in their order. `None` if a name
    /// occurs twice.
    pub fn from_parts(parts: Vec<(String, u32)>, documents: u32, max_n: usize) -> Option<Features> {
        let (names, found): (Vec<String>, Vec<u32>) = parts.into_iter().unzip();
        let numbers: HashMap<String, u32> = names.into_iter().zip(0..).collect();
        (numbers.len() == found.len()).then(|| Features::new(numbers, found, documents, max_n))
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

    /// The longest runs of words.
    pub fn max_n(&self) -> usize {
        self.max_n
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
        for_each_run(text, self.max_n, |run| {
            if let Some(&number) = self.numbers.get(run) {
                names.entry(number).or_insert_with(|| run.to_string());
            }
        });
        names
    }

    /// How often a text has each feature.
    pub fn counts(&self, text: &str) -> Sparse {
        let mut all: Vec<u32> = Vec::new();
        for_each_run(text, self.max_n, |run| all.extend(self.numbers.get(run)));
        all.sort_unstable();
        all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect()
    }

    /// The counts, each times its feature's inverse document frequency, scaled to a vector of length 1
    /// (Salton and Buckley 1988; the form of scikit-learn's `TfidfVectorizer`).
    pub fn tf_idf(&self, text: &str) -> Sparse {
        let mut features = self.counts(text);
        features.iter_mut().for_each(|(number, value)| *value *= self.idf[*number as usize]);
        let length = features.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
        features.iter_mut().for_each(|(_, value)| *value /= length);
        features
    }
}

/// Every run of 1 to `max_n` words of a text in lower case, joined by spaces.
fn for_each_run(text: &str, max_n: usize, mut f: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    let words: Vec<&str> = words(&lower).collect();
    let mut run = String::new();
    for start in 0..words.len() {
        run.clear();
        for word in words[start..].iter().take(max_n) {
            if !run.is_empty() {
                run.push(' ');
            }
            run += word;
            f(&run);
        }
    }
}
