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

/// The length of the longest common subsequence, row by row of the table over both.
fn longest_common<T: PartialEq>(a: &[T], b: &[T]) -> u64 {
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
