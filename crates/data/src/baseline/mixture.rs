//! Two classifiers as one: each says what it sees, and texts that neither has learnt from say how much it counts.
//!
//! ```text
//! P(label | text) = softmax over labels of (a ln P1(label | text) + b ln P2(label | text)),   a, b >= 0
//! a, b            = argmin of the mean of -ln P(answer | text) + ((a - 1/2)^2 + (b - 1/2)^2) / N
//! ```
//!
//! A logarithmic opinion pool (Genest and Zidek 1986) whose weights are learnt as in stacking (Wolpert 1992). A weight of 0
//! leaves a classifier out; both together are more or less sure than the two were. The second term counts as much as one
//! text: with a few of them alone, both count the same.

use super::{minimise, softmax};
use serde::{Deserialize, Serialize};

/// How much each of two classifiers counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixture {
    /// The weight of the first one's log-probabilities.
    pub first: f64,
    /// The weight of the second one's.
    pub second: f64,
}

impl Mixture {
    /// The weights that suit these texts best: for each its probabilities by both classifiers, and its label.
    ///
    /// # Panics
    /// If there are no texts, or not as many of each.
    #[must_use]
    pub fn fit(first: &[Vec<f64>], second: &[Vec<f64>], labels: &[usize]) -> Self {
        assert!(!labels.is_empty() && first.len() == labels.len() && second.len() == labels.len());
        let share = 1.0 / labels.len() as f64;
        let texts: Vec<_> = first.iter().zip(second).map(|(p, q)| [logarithms(p), logarithms(q)]).collect();
        // With one of the weights held at 0, `free` says which of the two may change.
        let best = |free: [f64; 2]| {
            let start = free.map(|free| free / 2.0).to_vec();
            let minimum = minimise(start, 100, 1e-7, |weights, gradient| {
                let mut loss = 0.0;
                for i in 0..2 {
                    let away = weights[i] - 0.5;
                    loss += share * away * away;
                    gradient[i] = 2.0 * share * away;
                }
                for (logs, &label) in texts.iter().zip(labels) {
                    let p = pooled(logs, [weights[0], weights[1]]);
                    loss -= share * random::ln(p[label].max(f64::MIN_POSITIVE));
                    for i in 0..2 {
                        let expected: f64 = p.iter().zip(&logs[i]).map(|(p, log)| p * log).sum();
                        gradient[i] += share * (expected - logs[i][label]);
                    }
                }
                gradient.iter_mut().zip(free).for_each(|(gradient, free)| *gradient *= free);
                loss
            });
            (minimum.x[0], minimum.x[1])
        };
        // Convex: where the least of all is outside, the least of those allowed is on the border.
        let (first, second) = match best([1.0, 1.0]) {
            (first, _) if first < 0.0 => (0.0, best([0.0, 1.0]).1.max(0.0)),
            (_, second) if second < 0.0 => (best([1.0, 0.0]).0.max(0.0), 0.0),
            both => both,
        };
        Self { first, second }
    }

    /// Whether the weights can be those of a mixture.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [self.first, self.second].iter().all(|weight| weight.is_finite() && *weight >= 0.0)
    }

    /// The probabilities of both as one.
    #[must_use]
    pub fn probabilities(&self, first: &[f64], second: &[f64]) -> Vec<f64> {
        pooled(&[logarithms(first), logarithms(second)], [self.first, self.second])
    }
}

/// The softmax of the weighted sum of two rows of log-probabilities.
fn pooled(logs: &[Vec<f64>; 2], weights: [f64; 2]) -> Vec<f64> {
    let mut p: Vec<f64> =
        logs[0].iter().zip(&logs[1]).map(|(x, y)| weights[0] * x + weights[1] * y).collect();
    softmax(&mut p);
    p
}

/// A probability that is 0 in 64 bits is no certainty.
fn logarithms(p: &[f64]) -> Vec<f64> {
    p.iter().map(|&p| random::ln(p.max(1e-12))).collect()
}
