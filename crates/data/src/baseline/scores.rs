//! How good a classifier is.

use super::{Classifier, Labelled, likeliest};
use serde::Serialize;

/// How well the labels of some texts were told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The share of texts whose label was told right.
    pub accuracy: f64,
    /// The mean over labels of F1 = 2 hits / (texts that have it + texts told to have it). Every label counts
    /// the same, so always telling the most frequent one scores low. Labels that no text has and that
    /// were never told are left out.
    pub macro_f1: f64,
    /// The mean over labels of the area under the ROC curve of that label against the others; none if
    /// the texts have one label only.
    pub auc: Option<f64>,
}

impl Scores {
    /// Of a classifier on texts.
    pub fn of(classifier: &impl Classifier, data: &Labelled) -> Scores {
        let p: Vec<Vec<f64>> = data.texts().iter().map(|text| classifier.probabilities(text)).collect();
        Scores::of_probabilities(&p, data.labels())
    }

    /// Of P(label | text), a row a text, and the right labels.
    pub fn of_probabilities(p: &[Vec<f64>], labels: &[usize]) -> Scores {
        let told: Vec<usize> = p.iter().map(|p| likeliest(p)).collect();
        let right = told.iter().zip(labels).filter(|(told, label)| told == label).count();
        let names = p.first().map_or(0, Vec::len);
        let of = |labels: &[usize], name| labels.iter().filter(|&&label| label == name).count();
        let f1: Vec<f64> = (0..names)
            .filter_map(|name| {
                let hits = told.iter().zip(labels).filter(|&(&t, &l)| t == name && l == name).count();
                let all = of(labels, name) + of(&told, name);
                (all > 0).then(|| 2.0 * hits as f64 / all as f64)
            })
            .collect();
        let curve = |name| {
            let score: Vec<f64> = p.iter().map(|p| p[name]).collect();
            let is: Vec<bool> = labels.iter().map(|&label| label == name).collect();
            area_under_curve(&score, &is)
        };
        let areas: Vec<f64> = (0..names).filter_map(curve).collect();
        Scores {
            accuracy: right as f64 / labels.len() as f64,
            macro_f1: mean(&f1).unwrap_or(0.0),
            auc: mean(&areas),
        }
    }
}

fn mean(x: &[f64]) -> Option<f64> {
    (!x.is_empty()).then(|| x.iter().sum::<f64>() / x.len() as f64)
}

/// The area under the ROC curve: the chance that a positive has a higher score than a negative, equal
/// scores counting half. None if one of the two is missing.
///
/// By ranks (Mann and Whitney 1947): with R the sum of the positives' ranks, and ranks of equals averaged,
/// the area is (R - n+ (n+ + 1)/2) / (n+ n-).
///
/// ```
/// let area = data::baseline::area_under_curve(&[0.9, 0.4, 0.6, 0.1], &[true, true, false, false]);
/// assert_eq!(area, Some(0.75)); // three of the four pairs are in order
/// ```
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let positives = positive.iter().filter(|&&p| p).count() as f64;
    let negatives = scores.len() as f64 - positives;
    let (mut rank_sum, mut before) = (0.0, 0);
    for equals in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = before as f64 + (equals.len() + 1) as f64 / 2.0;
        rank_sum += rank * equals.iter().filter(|&&i| positive[i]).count() as f64;
        before += equals.len();
    }
    let area = (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives);
    (positives > 0.0 && negatives > 0.0).then_some(area)
}
