//! ROUGE: how much of a summary and of its reference agree.
//!
//! ROUGE-n counts n-grams that both have, ROUGE-L the longest sequence of tokens that both have in the same order, with
//! gaps; precision divides by what the summary has, recall by what the reference has, and
//!
//! F1 = 2 P R / (P + R)
//!
//! The number is the mean of the segments' F1. Of several references, each segment takes the one with the highest.
//! Tokens are words in lower case without stemming, as in Google's `rouge-score`, whose words are of a-z and 0-9, here of
//! the letters of any script; and single characters where words are written without spaces.
//!
//! Lin, ROUGE: a package for automatic evaluation of summaries (2004).

use super::tokenize::words_and_characters;
use super::{TextMetric, counts, shared};
use std::collections::HashMap;
use std::hash::Hash;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RougeKind {
    /// n-grams of this many tokens.
    Ngrams(usize),
    /// The longest common subsequence.
    Longest,
}

/// ROUGE-1, ROUGE-2, ... or ROUGE-L.
///
/// ```
/// use data::metrics::{Rouge, RougeKind, TextMetric};
/// let rouge = Rouge { kind: RougeKind::Longest };
/// let score = rouge.corpus(&[("the quick fox jumps", vec!["the fox jumps high"])]);
/// assert!((score - 75.0).abs() < 1e-12); // the fox jumps: three of four, on both sides
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rouge {
    /// What is compared.
    pub kind: RougeKind,
}

impl Rouge {
    /// ROUGE-1, ROUGE-2 and ROUGE-L.
    pub const ALL: [Self; 3] = [
        Self { kind: RougeKind::Ngrams(1) },
        Self { kind: RougeKind::Ngrams(2) },
        Self { kind: RougeKind::Longest },
    ];

    /// `rouge1`, `rouge2`, `rougeL`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.kind {
            RougeKind::Ngrams(n) => format!("rouge{n}"),
            RougeKind::Longest => "rougeL".to_string(),
        }
    }

    fn f1(&self, ours: &[String], theirs: &[String]) -> f64 {
        let (agreeing, of_ours, of_theirs) = match self.kind {
            RougeKind::Ngrams(n) => {
                let (ours, theirs) = (counts(ours, n), counts(theirs, n));
                (shared(&ours, &theirs), ours.values().sum::<u64>(), theirs.values().sum::<u64>())
            }
            RougeKind::Longest => (longest_common(ours, theirs), ours.len() as u64, theirs.len() as u64),
        };
        // 2 P R / (P + R) with P = a / ours and R = a / theirs
        if agreeing == 0 { 0.0 } else { 2.0 * agreeing as f64 / (of_ours + of_theirs) as f64 }
    }
}

impl TextMetric for Rouge {
    /// The sum of F1 and the number of segments.
    fn statistics(&self, hypothesis: &str, references: &[&str]) -> Vec<f64> {
        let ours = words_and_characters(hypothesis);
        let f1 = references.iter().map(|reference| self.f1(&ours, &words_and_characters(reference)));
        vec![f1.fold(0.0, f64::max), 1.0]
    }

    fn score(&self, sums: &[f64]) -> f64 {
        100.0 * sums[0] / sums[1].max(1.0)
    }

    fn signature(&self) -> String {
        format!("{}|f1|stem:no|tok:words+han|version:newleaf-{}", self.name(), env!("CARGO_PKG_VERSION"))
    }
}

/// The length of the longest common subsequence.
///
/// Of the table over both, in which a number grows by 1 or 0 from column to column, only these differences are kept, a bit
/// each, and 64 columns of a row are computed at a time (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"). With
/// `open` = 1 where the row does not grow, and `same` = 1 where the token of the column is that of the row:
///
/// ```text
/// open = (open + (open & same)) | (open & !same)
/// ```
fn longest_common<T: Eq + Hash>(a: &[T], b: &[T]) -> u64 {
    let words = b.len().div_ceil(64);
    let mut columns: HashMap<&T, Vec<usize>> = HashMap::new();
    for (j, y) in b.iter().enumerate() {
        columns.entry(y).or_default().push(j);
    }
    let bits =
        |columns: &[usize], same: &mut [u64]| columns.iter().for_each(|j| same[j / 64] |= 1 << (j % 64));
    // Tokens that are in so many columns that setting their bits again and again would take longest: 64 of them at most.
    let mut frequent: HashMap<&T, Vec<u64>> = HashMap::new();
    for (token, columns) in columns.iter().filter(|(_, columns)| columns.len() > words) {
        bits(columns, frequent.entry(token).or_insert_with(|| vec![0; words]));
    }
    let (mut open, mut same) = (vec![u64::MAX; words], vec![0; words]);
    for x in a {
        if let Some(same) = frequent.get(x) {
            next_row(&mut open, same);
        } else if let Some(columns) = columns.get(x) {
            bits(columns, &mut same);
            next_row(&mut open, &same);
            columns.iter().for_each(|j| same[j / 64] = 0);
        }
    }
    let grown = (0..b.len()).filter(|j| open[j / 64] >> (j % 64) & 1 == 0);
    grown.count() as u64
}

/// The differences of the next row, in both slices 64 columns a number.
fn next_row(open: &mut [u64], same: &[u64]) {
    let mut carry = false;
    for (open, same) in open.iter_mut().zip(same) {
        let (sum, over) = open.overflowing_add(*open & same);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        carry = over || over_again;
        *open = sum | (*open & !same);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition: row by row of the table over both.
    fn by_the_table(a: &[u8], b: &[u8]) -> u64 {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0; // of the row before, one to the left
            for (j, y) in b.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn bits_are_the_table(
            a in prop::collection::vec(0..9_u8, 0..300), b in prop::collection::vec(0..9_u8, 0..300), few in 1..9_u8,
        ) {
            let (a, b): (Vec<u8>, Vec<u8>) = (a.iter().map(|x| x % few).collect(), b.iter().map(|x| x % few).collect());
            prop_assert_eq!(longest_common(&a, &b), by_the_table(&a, &b));
        }
    }

    /// A hundred thousand words on each side, all different or all the same, are no reason to wait.
    #[test]
    fn long_lines_end() {
        let words: Vec<u32> = (0..100_000).collect();
        assert_eq!(longest_common(&words, &words), 100_000);
        assert_eq!(longest_common(&vec![7; 100_000], &words), 1);
        assert_eq!(longest_common(&vec![7; 50_000], &vec![7; 50_000]), 50_000);
    }
}
