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
        let off = |p: &Vec<f64>, &label: &usize| -> f64 {
            p.iter().enumerate().map(|(i, p)| p - f64::from(u8::from(i == label))).map(|off| off * off).sum()
        };
        let brier: Vec<f64> = p.iter().zip(labels).map(|(p, label)| off(p, label)).collect();
        let apart: f64 = Bin::all(p, labels).iter().map(|bin| (bin.right - bin.p).abs()).sum();
        Some(Calibration { expected_error: apart / p.len() as f64, brier: mean(&brier)? })
    }
}

/// Answers that are about as sure: of [`Bin::COUNT`] bins of equal width between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many answers have the probability of their label in this bin.
    pub answers: f64,
    /// How many of them are right.
    pub right: f64,
    /// The sum of these probabilities: how many would be right, if all of them were true.
    pub p: f64,
}

impl Bin {
    /// How many bins there are, as Guo et al. have it.
    pub const COUNT: usize = 15;

    /// All bins, of P(label | text), a row a text, and the right labels.
    #[must_use]
    pub fn all(p: &[Vec<f64>], labels: &[usize]) -> [Bin; Self::COUNT] {
        let mut bins = [Bin::default(); Self::COUNT];
        for (p, &label) in p.iter().zip(labels) {
            let told = crate::baseline::likeliest(p);
            let bin = &mut bins[((p[told] * Self::COUNT as f64) as usize).min(Self::COUNT - 1)];
            bin.answers += 1.0;
            bin.right += f64::from(u8::from(told == label));
            bin.p += p[told];
        }
        bins
    }
}
