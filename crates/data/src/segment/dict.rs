//! Words and how often they occur, in a trie: all words that begin at a place are found in one walk.

use super::runs::is_letter;
use crate::DataError;
use crate::han::is_han;
use std::collections::HashMap;
use std::ops::Range;

/// A dictionary of words with counts.
#[derive(Clone, Debug)]
pub struct Dict {
    /// The way from a node (0 is the root) by a character. Looked up, never iterated.
    children: HashMap<(u32, char), u32>,
    /// How often the word that ends at a node was seen; `None` where no word ends.
    counts: Vec<Option<u64>>,
    total: u64,
    /// How many words were seen exactly once.
    once: u64,
    words: usize,
    longest: usize,
    /// There is a word with both Chinese characters and others.
    mixed: bool,
}

/// Returns true if a word has Chinese characters and other letters.
fn is_mixed(word: &str) -> bool {
    word.contains(is_han) && word.contains(is_letter)
}

impl Default for Dict {
    fn default() -> Self {
        Dict {
            children: HashMap::new(),
            counts: vec![None],
            total: 0,
            once: 0,
            words: 0,
            longest: 1,
            mixed: false,
        }
    }
}

impl Dict {
    /// Characters that a word of a file may have at most: more is no word but a damaged line.
    pub const LONGEST: usize = 64;

    /// Reads jieba's format: a line is `word count tag`, where the tag, or count and tag, may be missing
    /// (then the count is 1). Empty lines and lines that begin with `#` are passed over. A word given
    /// twice has the sum of its counts. `name` is for messages.
    ///
    /// # Errors
    /// If a count is no number below 2^32, a line has more than three columns, a word has more than
    /// [`Dict::LONGEST`] characters, or there is no word at all.
    pub fn parse(text: &str, name: &str) -> Result<Dict, DataError> {
        let mut dict = Dict::default();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let malformed = |found: String| DataError::Malformed {
                what: name.into(),
                place: format!("line {}", i + 1),
                found,
                expected: "a word, its count and perhaps a tag, as in: 图书馆 120 n".into(),
                remedy: "correct the line or delete it".into(),
            };
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (word, count) = match columns[..] {
                [] => continue,
                [word] => (word, "1"),
                [word, count] | [word, count, _] => (word, count),
                _ => return Err(malformed(format!("{} columns", columns.len()))),
            };
            let number = count.parse::<u32>();
            let number = number.map_err(|_| malformed(format!("{count:?} where the count should be")))?;
            if word.chars().count() > Dict::LONGEST {
                return Err(malformed(format!("a word of more than {} characters", Dict::LONGEST)));
            }
            dict.add(word, u64::from(number));
        }
        if dict.words == 0 { Err(no_words(name)) } else { Ok(dict) }
    }

    /// Adds to the count of a word, which from now on is known even if its count is 0.
    pub fn add(&mut self, word: &str, count: u64) {
        if word.is_empty() {
            return;
        }
        let mut node = 0;
        for c in word.chars() {
            let next = self.counts.len() as u32; // 4 billion characters of words do not fit in memory
            node = *self.children.entry((node, c)).or_insert(next);
            if node == next {
                self.counts.push(None);
            }
        }
        let slot = &mut self.counts[node as usize];
        self.words += usize::from(slot.is_none());
        let (old, new) = (slot.unwrap_or(0), slot.unwrap_or(0) + count);
        *slot = Some(new);
        self.once = self.once + u64::from(new == 1) - u64::from(old == 1);
        self.total += count;
        self.longest = self.longest.max(word.chars().count());
        self.mixed |= is_mixed(word);
    }

    /// How many different words there are.
    pub fn len(&self) -> usize {
        self.words
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// Sum of all counts.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Characters of the longest word, at least 1.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The probability that the next word of a text is none of these, estimated by the share of the words
    /// that were seen exactly once (Good 1953), and kept away from 0 and 1 by pseudo-counts.
    pub fn new_word_probability(&self) -> f64 {
        (self.once + 1) as f64 / (self.total + 2) as f64
    }

    /// How often a word was seen, `None` if it is not in the dictionary.
    pub fn count(&self, word: &[char]) -> Option<u64> {
        self.beginning(word).find(|&(length, _)| length == word.len()).map(|(_, count)| count)
    }

    /// Whether a word is in the dictionary.
    pub fn contains(&self, word: &str) -> bool {
        self.count(&word.chars().collect::<Vec<_>>()).is_some()
    }

    /// The words that `chars` begins with, the shortest first: (length in characters, count).
    pub fn beginning(&self, chars: &[char]) -> impl Iterator<Item = (usize, u64)> {
        let walk = chars.iter().scan(0, |node, &c| {
            *node = *self.children.get(&(*node, c))?;
            Some(self.counts[*node as usize])
        });
        walk.enumerate().filter_map(|(i, count)| Some((i + 1, count?)))
    }

    /// The places of words with both Chinese characters and others, from left to right, the longest first. None begins or
    /// ends within a word of letters or digits.
    pub(super) fn mixed_words(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if !self.mixed {
            return found;
        }
        let chars: Vec<char> = text.chars().collect();
        let splits =
            |at: usize| at > 0 && at < chars.len() && [chars[at - 1], chars[at]].into_iter().all(is_letter);
        let (mut at, mut byte) = (0, 0);
        while at < chars.len() {
            let is_word = |length: &usize| {
                let word: String = chars[at..at + length].iter().collect();
                is_mixed(&word) && !splits(at + length)
            };
            let lengths = self.beginning(&chars[at..]).map(|(length, _)| length);
            let longest = if splits(at) { None } else { lengths.filter(is_word).last() };
            let length = longest.unwrap_or(1);
            let end = byte + chars[at..at + length].iter().map(|c| c.len_utf8()).sum::<usize>();
            if longest.is_some() {
                found.push(byte..end);
            }
            (at, byte) = (at + length, end);
        }
        found
    }

    /// All words with their counts, in the order of their characters.
    pub fn words(&self) -> Vec<(String, u64)> {
        let mut parents = vec![(0, '\0'); self.counts.len()];
        for (&(parent, c), &node) in &self.children {
            parents[node as usize] = (parent, c); // one entry a node: the order does not matter
        }
        let spell = |mut node: usize| {
            let mut word = Vec::new();
            while node != 0 {
                let (parent, c) = parents[node];
                word.push(c);
                node = parent as usize;
            }
            word.iter().rev().collect::<String>()
        };
        let known = self.counts.iter().enumerate().filter_map(|(node, count)| Some((spell(node), (*count)?)));
        let mut words: Vec<_> = known.collect();
        words.sort_unstable();
        words
    }
}

/// A dictionary or a gold text without a word.
pub(super) fn no_words(name: &str) -> DataError {
    DataError::Malformed {
        what: name.into(),
        place: String::new(),
        found: "none".into(),
        expected: "at least one word".into(),
        remedy: "is this the right file?".into(),
    }
}
