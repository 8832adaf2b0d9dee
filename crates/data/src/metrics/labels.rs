//! How well labels were told.

use super::correlation::ranks;
use super::mean;
use crate::baseline::{Classifier, Labelled, likeliest};
use serde::Serialize;

/// How often each label was told for each right one.
///
/// ```
/// use data::metrics::Confusion;
/// let confusion = Confusion::new(2, &[0, 0, 1, 1], &[0, 0, 0, 1]); // told, right
/// assert_eq!(confusion.counts(), [[2, 1], [0, 1]]);
/// assert_eq!(confusion.accuracy(), 0.75);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Of `labels` labels, the ones told and the right ones, text by text.
    ///
    /// # Panics
    /// If a label is not below `labels`.
    #[must_use]
    pub fn new(labels: usize, told: &[usize], right: &[usize]) -> Confusion {
        let mut counts = vec![vec![0; labels]; labels];
        told.iter().zip(right).for_each(|(&told, &right)| counts[right][told] += 1);
        Confusion { counts }
    }

    /// `counts[right][told]`.
    #[must_use]
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// The share that is right; 0 of none.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.counts.iter().enumerate().map(|(i, row)| row[i]).sum();
        let all: u64 = self.counts.iter().flatten().sum();
        right as f64 / all.max(1) as f64
    }

    /// The mean over labels of F1 ([`OfLabel::f1`]). Every label counts the same, so always telling the most frequent one
    /// scores low. Labels that no text has and that were never told are left out.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        let f1 = |label: usize| self.of_label(label).f1();
        mean(&(0..self.counts.len()).filter_map(f1).collect::<Vec<_>>()).unwrap_or(0.0)
    }

    /// The counts of one label against all others.
    ///
    /// # Panics
    /// If there is no such label.
    #[must_use]
    pub fn of_label(&self, label: usize) -> OfLabel {
        OfLabel {
            having: self.counts[label].iter().sum(),
            told: self.counts.iter().map(|row| row[label]).sum(),
            hits: self.counts[label][label],
        }
    }
}

/// One label against all others. A share of none is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfLabel {
    /// Texts that have it.
    pub having: u64,
    /// Texts that were told to have it.
    pub told: u64,
    /// Texts that are both.
    pub hits: u64,
}

impl OfLabel {
    /// hits / told
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        (self.told > 0).then(|| self.hits as f64 / self.told as f64)
    }

    /// hits / having
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        (self.having > 0).then(|| self.hits as f64 / self.having as f64)
    }

    /// 2 hits / (having + told), the harmonic mean of precision and recall
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        let both = self.having + self.told;
        (both > 0).then(|| 2.0 * self.hits as f64 / both as f64)
    }
}

/// How well a classifier predicts the labels of some texts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LabelScores {
    /// [`Confusion::accuracy`].
    pub accuracy: f64,
    /// [`Confusion::macro_f1`].
    pub macro_f1: f64,
    /// The mean over labels of the area under the ROC curve of that label against the others; none if
    /// the texts have one label only.
    pub auc: Option<f64>,
}

impl LabelScores {
    /// Of a classifier on texts.
    pub fn of(classifier: &impl Classifier, data: &Labelled) -> LabelScores {
        let p: Vec<Vec<f64>> = data.texts().iter().map(|text| classifier.probabilities(text)).collect();
        LabelScores::of_probabilities(&p, data.labels())
    }

    /// Of P(label | text), a row a text, and the right labels.
    #[must_use]
    pub fn of_probabilities(p: &[Vec<f64>], labels: &[usize]) -> LabelScores {
        let told: Vec<usize> = p.iter().map(|p| likeliest(p)).collect();
        let names = p.first().map_or(0, Vec::len);
        let confusion = Confusion::new(names, &told, labels);
        let curve = |name| {
            let score: Vec<f64> = p.iter().map(|p| p[name]).collect();
            let is: Vec<bool> = labels.iter().map(|&label| label == name).collect();
            area_under_curve(&score, &is)
        };
        let areas: Vec<f64> = (0..names).filter_map(curve).collect();
        LabelScores { accuracy: confusion.accuracy(), macro_f1: confusion.macro_f1(), auc: mean(&areas) }
    }
}

/// The area under the ROC curve: the chance that a positive has a higher score than a negative, equal
/// scores counting half. None if one of the two is missing.
///
/// By ranks (Mann and Whitney 1947): with R the sum of the positives' ranks, and ranks of equals averaged,
/// the area is (R - n+ (n+ + 1)/2) / (n+ n-).
///
/// ```
/// let area = data::metrics::area_under_curve(&[0.9, 0.4, 0.6, 0.1], &[true, true, false, false]);
/// assert_eq!(area, Some(0.75)); // three of the four pairs are in order
/// ```
#[must_use]
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let positives = positive.iter().filter(|&&p| p).count() as f64;
    let negatives = scores.len() as f64 - positives;
    let of_positives = ranks(scores).into_iter().zip(positive).filter(|&(_, &positive)| positive);
    let rank_sum: f64 = of_positives.map(|(rank, _)| rank).sum();
    let area = (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives);
    (positives > 0.0 && negatives > 0.0).then_some(area)
}
