//! How good texts and answers are, measured against references.
//!
//! | metric | of | what one number needs of a segment |
//! |---|---|---|
//! | [`Bleu`] | translations | n-grams that agree, for n = 1 to 4, and lengths |
//! | [`Chrf`] | translations | character n-grams that agree, for n = 1 to 6 |
//! | [`Rouge`] | summaries | its own F1; the number is their mean |
//! | [`LabelScores`] | labels | whether it is right, and which label was told |
//! | [`pearson`], [`spearman`] | numbers | |
//! | [`Calibration`] | probabilities | whether as many are right as was promised |
//!
//! The metrics of texts are sums over segments and a formula over the sums ([`TextMetric`]): BLEU of a corpus is not the
//! mean of the BLEUs of its sentences. For the same reason [`paired_bootstrap`] draws segments and adds up their
//! statistics again, and tells whether one system is better than another or lucky.
//!
//! BLEU and chrF are those of sacrebleu 2 (Post 2018, arXiv 1804.08771) and print a signature like its, ROUGE is that of
//! Google's `rouge-score`; the tests hold numbers of both. Chinese has no spaces: BLEU takes [`Tokenization::Zh`] there, ROUGE
//! characters, which `rouge-score` would throw away, all of them.

mod answers;
mod bleu;
mod bootstrap;
mod calibration;
mod chrf;
mod correlation;
mod labels;
mod rouge;
mod tokenize;

pub use answers::AnswerScores;
pub use bleu::Bleu;
pub use bootstrap::{Comparison, paired_bootstrap};
pub use calibration::{Bin, Calibration};
pub use chrf::Chrf;
pub use correlation::{pearson, spearman};
pub use labels::{Confusion, LabelScores, OfLabel, area_under_curve};
pub use rouge::{Rouge, RougeKind};
pub use tokenize::Tokenization;

use std::collections::HashMap;
use std::hash::Hash;

/// A number for a corpus, computed from sums over its segments.
pub trait TextMetric {
    /// What is added up, of one segment and its references. The length is the same for all segments.
    fn statistics(&self, hypothesis: &str, references: &[&str]) -> Vec<f64>;

    /// The metric of segments with these sums, from 0 to 100.
    fn score(&self, sums: &[f64]) -> f64;

    /// How it was computed, in a form that others can repeat.
    fn signature(&self) -> String;

    /// The metric of a corpus: a hypothesis and its references for each segment; 0 of none.
    fn corpus(&self, segments: &[(&str, Vec<&str>)]) -> f64 {
        let statistics =
            segments.iter().map(|(hypothesis, references)| self.statistics(hypothesis, references));
        sum(statistics).map_or(0.0, |sums| self.score(&sums))
    }
}

/// The sums of vectors of one length; `None` of none.
fn sum(vectors: impl Iterator<Item = Vec<f64>>) -> Option<Vec<f64>> {
    vectors.reduce(|mut sums, vector| {
        sums.iter_mut().zip(&vector).for_each(|(sum, x)| *sum += x);
        sums
    })
}

/// How often each run of `n` items occurs.
fn counts<T: Eq + Hash>(items: &[T], n: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    items.windows(n).for_each(|window| *counts.entry(window).or_default() += 1);
    counts
}

/// How many n-grams two texts share, each as often as in the one where it is rarer.
fn shared<T: Eq + Hash>(a: &HashMap<&[T], u64>, b: &HashMap<&[T], u64>) -> u64 {
    a.iter().map(|(ngram, &count)| count.min(b.get(ngram).copied().unwrap_or(0))).sum()
}

fn mean(x: &[f64]) -> Option<f64> {
    (!x.is_empty()).then(|| x.iter().sum::<f64>() / x.len() as f64)
}
