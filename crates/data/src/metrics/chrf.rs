//! chrF: how many character n-grams of a translation and of its reference agree.
//!
//! For n = 1 to 6, without white space, precision is (n-grams that agree) / (n-grams of the hypotheses), recall the same
//! over the references. Both are averaged over those n for which there are n-grams on both sides, and
//!
//! chrF = 100 (1 + b^2) P R / (b^2 P + R),   b = 2: recall counts twice as much
//!
//! Of several references, each segment takes the one with which its own chrF is highest.
//!
//! Popovic, chrF: character n-gram F-score for automatic MT evaluation (2015).

use super::{TextMetric, counts, shared};

const ORDERS: usize = 6;
const BETA: f64 = 2.0;

/// chrF2 with one or more references a segment.
///
/// ```
/// use data::metrics::{Chrf, TextMetric};
/// let score = Chrf { references: 1 }.corpus(&[("我有一只猫", vec!["我有一条狗"])]);
/// assert!(20.0 < score && score < 40.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chrf {
    /// References a segment, for the signature.
    pub references: usize,
}

impl TextMetric for Chrf {
    /// For each n: n-grams of the hypothesis (0 where the reference has none), of the reference, of both.
    fn statistics(&self, hypothesis: &str, references: &[&str]) -> Vec<f64> {
        let characters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>();
        let ours = characters(hypothesis);
        let mut best: Option<(f64, Vec<f64>)> = None;
        for reference in references {
            let theirs = characters(reference);
            let mut statistics = Vec::with_capacity(3 * ORDERS);
            for n in 1..=ORDERS {
                let (ours, theirs) = (counts(&ours, n), counts(&theirs, n));
                let agreeing = shared(&ours, &theirs);
                let of_ours = if theirs.is_empty() { 0 } else { ours.values().sum::<u64>() };
                statistics
                    .extend([of_ours, theirs.values().sum::<u64>(), agreeing].map(|count| count as f64));
            }
            let score = self.score(&statistics);
            if best.as_ref().is_none_or(|(best, _)| score > *best) {
                best = Some((score, statistics));
            }
        }
        best.map_or_else(|| vec![0.0; 3 * ORDERS], |(_, statistics)| statistics)
    }

    fn score(&self, sums: &[f64]) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
        for counts in sums.chunks_exact(3) {
            let [ours, theirs, agreeing] = [counts[0], counts[1], counts[2]];
            if ours > 0.0 && theirs > 0.0 {
                precision += agreeing / ours;
                recall += agreeing / theirs;
                orders += 1.0;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (p, r) = (precision / orders, recall / orders);
        100.0 * (1.0 + BETA * BETA) * p * r / (BETA * BETA * p + r)
    }

    fn signature(&self) -> String {
        let (references, version) = (self.references, env!("CARGO_PKG_VERSION"));
        format!("nrefs:{references}|case:mixed|eff:yes|nc:6|nw:0|space:no|version:newleaf-{version}")
    }
}
