//! Several classifiers as one: each says what it sees, and texts that none has learnt from say how much it counts.
//!
//! ```text
//! P(label | text) = softmax over labels of (sum over classifiers i of w_i ln P_i(label | text)),   w_i >= 0
//! w               = argmin of the weighted mean of -ln P(answer | text) + sum of (w_i - 1/n)^2 / N
//! ```
//!
//! A logarithmic opinion pool (Genest and Zidek 1986) of n classifiers whose weights are learnt from N texts as in stacking (Wolpert
//! 1992). A weight of 0 leaves a classifier out; together they are more or less sure than each was. The second term counts as much
//! as one text: with a few of them alone, all count the same.

use super::{minimise, softmax};
use serde::{Deserialize, Serialize};

/// How much each of several classifiers counts: the weight of its log-probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mixture {
    /// One for each classifier.
    pub weights: Vec<f64>,
}

impl Mixture {
    /// The weights that suit these texts best: for each classifier the probabilities of every text, and the labels of the
    /// texts with what each text counts.
    ///
    /// # Panics
    /// If there are no texts, not as many of each, or more than eight classifiers.
    #[must_use]
    pub fn fit(classifiers: &[&[Vec<f64>]], (labels, counts): (&[usize], &[f64])) -> Self {
        let n = classifiers.len();
        assert_eq!(labels.len(), counts.len(), "what each text counts");
        assert!(
            !labels.is_empty() && (1..=8).contains(&n) && classifiers.iter().all(|p| p.len() == labels.len())
        );
        let (even, total) = (1.0 / n as f64, counts.iter().sum::<f64>());
        let of_a_text = 1.0 / labels.len() as f64;
        let texts: Vec<Vec<Vec<f64>>> = (0..labels.len())
            .map(|text| classifiers.iter().map(|p| logarithms(&p[text])).collect())
            .collect();
        // With some of the weights held at 0: `free` says which may change.
        let best = |free: &[bool]| {
            let start = free.iter().map(|&free| if free { even } else { 0.0 }).collect();
            minimise(start, 100, 1e-7, |weights, gradient| {
                let mut loss = 0.0;
                for (g, w) in gradient.iter_mut().zip(weights) {
                    loss += of_a_text * (w - even) * (w - even);
                    *g = 2.0 * of_a_text * (w - even);
                }
                for (logs, (&label, count)) in texts.iter().zip(labels.iter().zip(counts)) {
                    let share = count / total;
                    let p = pooled(logs, weights);
                    loss -= share * random::ln(p[label].max(f64::MIN_POSITIVE));
                    for (g, log) in gradient.iter_mut().zip(logs) {
                        let expected: f64 = p.iter().zip(log).map(|(p, log)| p * log).sum();
                        *g += share * (expected - log[label]);
                    }
                }
                gradient.iter_mut().zip(free).filter(|(_, free)| !**free).for_each(|(g, _)| *g = 0.0);
                loss
            })
        };
        // Convex: the least of those allowed is the least of all that has some weights at 0 and no other below.
        let subset = |bits: u32| -> Vec<bool> { (0..n).map(|i| bits >> i & 1 == 1).collect() };
        let found = (0..1_u32 << n).map(|bits| best(&subset(bits)));
        let allowed = found.filter(|minimum| minimum.x.iter().all(|&w| w >= 0.0));
        let least = allowed.reduce(|a, b| if b.value < a.value { b } else { a });
        Self { weights: least.map_or(vec![0.0; n], |minimum| minimum.x) }
    }

    /// Whether the weights can be those of a mixture.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0)
    }

    /// The probabilities of all as one: a row for each classifier.
    #[must_use]
    pub fn probabilities(&self, classifiers: &[Vec<f64>]) -> Vec<f64> {
        let logs: Vec<Vec<f64>> = classifiers.iter().map(|p| logarithms(p)).collect();
        pooled(&logs, &self.weights)
    }
}

/// The softmax of the weighted sum of rows of log-probabilities.
fn pooled(logs: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut p = vec![0.0; logs[0].len()];
    for (log, w) in logs.iter().zip(weights) {
        p.iter_mut().zip(log).for_each(|(p, x)| *p += w * x);
    }
    softmax(&mut p);
    p
}

/// A probability that is 0 in 64 bits is no certainty.
fn logarithms(p: &[f64]) -> Vec<f64> {
    p.iter().map(|&p| random::ln(p.max(1e-12))).collect()
}
