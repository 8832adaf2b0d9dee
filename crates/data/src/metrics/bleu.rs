//! BLEU: how many n-grams of a translation are in its references.
//!
//! With c_n the n-grams that agree, each counted at most as often as in the reference that has it most often, and t_n all
//! n-grams of the hypotheses, both summed over the corpus,
//!
//! BLEU = 100 min(1, exp(1 - r / h)) exp(1/4 sum_(n = 1..4) ln p_n),   p_n = c_n / t_n
//!
//! h being the length of the hypotheses and r, segment by segment, that of the reference whose length is nearest, the
//! shorter of two. If c_n = 0, p_n = 1 / (2^k t_n) for the k-th such n (the smoothing `exp`, method 3 of Chen and Cherry
//! 2014). If nothing agrees at all, or there is no n-gram of some length, BLEU is 0.
//!
//! Papineni, Roukos, Ward and Zhu (2002); Post, A call for clarity in reporting BLEU scores (2018, arXiv 1804.08771).

use super::{TextMetric, Tokenization, counts, shared};
use random::{exp, ln};
use std::collections::HashMap;

const ORDERS: usize = 4;

/// BLEU of order 4 with one or more references a segment.
///
/// ```
/// use data::metrics::{Bleu, TextMetric};
/// let bleu = Bleu { references: 1, ..Bleu::default() };
/// let score = bleu.corpus(&[("the cat sat on the mat", vec!["the cat sat on a mat"])]);
/// assert!((score - 53.7285).abs() < 1e-4);
/// assert!(bleu.signature().starts_with("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bleu {
    /// What a token is.
    pub tokenization: Tokenization,
    /// References a segment, for the signature.
    pub references: usize,
}

impl Default for Bleu {
    fn default() -> Self {
        Bleu { tokenization: Tokenization::default(), references: 1 }
    }
}

impl TextMetric for Bleu {
    /// c_1 .. c_4, t_1 .. t_4, h, r.
    fn statistics(&self, hypothesis: &str, references: &[&str]) -> Vec<f64> {
        let hypothesis = self.tokenization.tokens(hypothesis.trim_end());
        let references: Vec<Vec<String>> =
            references.iter().map(|reference| self.tokenization.tokens(reference.trim_end())).collect();
        let mut statistics = vec![0.0; 2 * ORDERS + 2];
        for n in 1..=ORDERS {
            let ours = counts(&hypothesis, n);
            let mut most: HashMap<&[String], u64> = HashMap::new();
            for reference in &references {
                for (ngram, count) in counts(reference, n) {
                    let most = most.entry(ngram).or_default();
                    *most = count.max(*most);
                }
            }
            statistics[n - 1] = shared(&ours, &most) as f64;
            statistics[ORDERS + n - 1] = ours.values().sum::<u64>() as f64;
        }
        let length = hypothesis.len();
        let nearest = references.iter().map(Vec::len).min_by_key(|&len| (len.abs_diff(length), len));
        statistics[2 * ORDERS] = length as f64;
        statistics[2 * ORDERS + 1] = nearest.unwrap_or(0) as f64;
        statistics
    }

    fn score(&self, sums: &[f64]) -> f64 {
        let (agreeing, all) = (&sums[..ORDERS], &sums[ORDERS..2 * ORDERS]);
        let (ours, theirs) = (sums[2 * ORDERS], sums[2 * ORDERS + 1]);
        if agreeing.iter().all(|&c| c == 0.0) || all.contains(&0.0) {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let precisions = agreeing.iter().zip(all).map(|(&c, &t)| match c == 0.0 {
            true => {
                smoothing *= 2.0;
                1.0 / (smoothing * t)
            }
            false => c / t,
        });
        let logs: f64 = precisions.map(ln).sum();
        100.0 * exp((1.0 - theirs / ours).min(0.0) + logs / ORDERS as f64)
    }

    fn signature(&self) -> String {
        let (references, tokenization) = (self.references, self.tokenization.name());
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "nrefs:{references}|case:mixed|eff:no|tok:{tokenization}|smooth:exp|version:newleaf-{version}"
        )
    }
}
