//! Whether a model that says "90 %" is right nine times out of ten.

use super::mean;
use serde::Serialize;

/// How probabilities and outcomes go together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error: answers are put into bins by the probability p of the label told, and
    /// ECE = sum over bins (answers in it / all) |share that is right - mean p|. Guo et al. 2017 (arXiv 1706.04599).
    pub expected_error: f64,
    /// The mean of sum_label (p(label) - \[it is the right one\])^2 (Brier 1950): 0 for certain and right, 2 for certain
    /// and wrong.
    pub brier: f64,
}

impl Calibration {
    /// Bins of equal width between 0 and 1.
    const BINS: usize = 15;

    /// Of P(label | text), a row a text, and the right labels; `None` of no texts.
    ///
    /// ```
    /// use data::metrics::Calibration;
    /// // Two thirds sure, and right two times out of three.
    /// let p = vec![vec![2.0 / 3.0, 1.0 / 3.0]; 3];
    /// assert!(Calibration::of(&p, &[0, 0, 1]).unwrap().expected_error < 1e-12);
    /// ```
    #[must_use]
    pub fn of(p: &[Vec<f64>], labels: &[usize]) -> Option<Calibration> {
        let mut bins = [(0.0, 0.0, 0.0); Self::BINS]; // answers, right ones, sum of p
        let mut brier = Vec::with_capacity(p.len());
        for (p, &label) in p.iter().zip(labels) {
            let told = crate::baseline::likeliest(p);
            let bin = ((p[told] * Self::BINS as f64) as usize).min(Self::BINS - 1);
            bins[bin].0 += 1.0;
            bins[bin].1 += f64::from(u8::from(told == label));
            bins[bin].2 += p[told];
            let off = |(i, p): (usize, &f64)| p - f64::from(u8::from(i == label));
            brier.push(p.iter().enumerate().map(off).map(|x| x * x).sum());
        }
        let apart: f64 = bins.iter().map(|(_, right, p)| (right - p).abs()).sum();
        Some(Calibration { expected_error: apart / p.len() as f64, brier: mean(&brier)? })
    }
}
