//! Is one system better than another, or was it lucky with this test set?
//!
//! From the segments of a test set of n, n are drawn with replacement, the same ones for both systems, and the metric of each
//! is computed anew; this many times over. How often the difference changes sign is the p-value, and where 95 % of the
//! differences lie an interval. Drawing the same segments for both (*paired*) is what makes it sharp: a segment that is
//! hard for one is hard for the other.
//!
//! Koehn, Statistical significance tests for machine translation evaluation (2004).

use super::sum;
use random::{Rng, Stream};
use serde::Serialize;

/// Two systems on one test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The metric of the first on the whole set.
    pub first: f64,
    /// Of the second.
    pub second: f64,
    /// first - second, on the whole set.
    pub difference: f64,
    /// 95 % of the differences of drawn sets lie between these two.
    pub interval: (f64, f64),
    /// The share of drawn sets, one more added to both counts, in which the difference is 0 or has the other sign.
    pub p_value: f64,
}

/// Compares two systems by the statistics of their segments, a row a segment, drawing `draws` sets.
///
/// # Panics
/// If they do not have the same segments, or there are none.
#[must_use]
pub fn paired_bootstrap(
    first: &[Vec<f64>],
    second: &[Vec<f64>],
    score: impl Fn(&[f64]) -> f64,
    draws: usize,
    seed: u64,
) -> Comparison {
    assert!(first.len() == second.len() && !first.is_empty(), "both systems on the same segments");
    let of = |statistics: &[Vec<f64>], drawn: &[usize]| {
        score(&sum(drawn.iter().map(|&i| statistics[i].clone())).expect("segments"))
    };
    let all: Vec<usize> = (0..first.len()).collect();
    let (of_first, of_second) = (of(first, &all), of(second, &all));
    let difference = of_first - of_second;
    let mut rng = Rng::new(seed, Stream::Data);
    let mut differences: Vec<f64> = (0..draws)
        .map(|_| {
            let drawn: Vec<usize> = all.iter().map(|_| rng.below(all.len() as u64) as usize).collect();
            of(first, &drawn) - of(second, &drawn)
        })
        .collect();
    let against = differences.iter().filter(|&&d| d * difference <= 0.0).count();
    differences.sort_by(f64::total_cmp);
    let quantile = |share: f64| match differences.len() {
        0 => difference,
        n => differences[((n - 1) as f64 * share).round() as usize],
    };
    Comparison {
        first: of_first,
        second: of_second,
        difference,
        interval: (quantile(0.025), quantile(0.975)),
        p_value: (against + 1) as f64 / (draws + 1) as f64,
    }
}
