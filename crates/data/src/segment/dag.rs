//! The likeliest sequence of words, if every word is drawn independently with its own probability.
//!
//! Draw the characters as places in a row and every dictionary word as an arrow from its first character
//! to the place after its last: a directed acyclic graph (DAG), whose paths are the segmentations. With
//! p(w) = count(w) / total the best path maximises Σ ln p(w). From the end of the text backwards,
//!
//! ```text
//! route[n] = 0,   route[i] = max over words w = chars[i..j] of  ln p(w) + route[j]
//! ```
//!
//! A single character is always an arrow, so that there is a path; if it is no word of the dictionary it
//! counts as seen once. Time: characters times words that begin at one. The formulation is jieba's
//! (`__init__.py`, `get_DAG` and `calc`); logarithms are [`random::ln`], the same on every machine.

use super::Dict;

/// Lengths of the words, in characters. Of equally likely paths, the one with the longest first words.
pub fn likeliest(dict: &Dict, chars: &[char]) -> Vec<usize> {
    let ln_total = ln(dict.total());
    let mut route = vec![0.0; chars.len() + 1];
    let mut length = vec![1; chars.len()]; // of the first word of the best path from here
    for i in (0..chars.len()).rev() {
        route[i] = f64::NEG_INFINITY;
        let unknown = (1, 1); // comes first, and loses the tie against the dictionary's own
        for (n, count) in std::iter::once(unknown).chain(dict.beginning(&chars[i..])) {
            let score = ln(count) - ln_total + route[i + n];
            // A known single character replaces the unknown one even if it is rarer (count 0 is 1).
            if score >= route[i] {
                (route[i], length[i]) = (score, n);
            }
        }
    }
    let mut lengths = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        lengths.push(length[start]);
        start += length[start];
    }
    lengths
}

/// The logarithm of a count, where 0 is as good as 1.
fn ln(count: u64) -> f64 {
    random::ln(count.max(1) as f64)
}
