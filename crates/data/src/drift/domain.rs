//! S4: can a classifier tell which text a passage is from?
//!
//! Passages of both texts, equally many, are labelled by their origin; a logistic regression on TF-IDF
//! words learns from four fifths of them and is asked about the rest, five times. If the two texts are
//! samples of one source, the area under its ROC curve is 1/2 up to chance, whatever the classifier; the
//! further above, the more they differ. (A classifier two-sample test: Lopez-Paz and Oquab,
//! arXiv:1610.06545.)

use super::{Options, passages::chunks};
use crate::DataError;
use crate::baseline::{Classifier, Counted, Labelled, LogisticRegression};
use crate::metrics::area_under_curve;
use random::Rng;
use serde::Serialize;

/// How well passages of two texts are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DomainTest {
    /// The mean area under the ROC curve over five parts: 0.5 not at all, 1 always.
    pub auc: f64,
    /// The standard deviation of `auc` if there is no shift.
    pub null_deviation: f64,
    /// Passages from each text.
    pub passages: usize,
}

const FOLDS: usize = 5;

/// Tells passages of two texts apart; none if one has fewer than ten.
///
/// # Errors
/// None that a text can cause.
pub fn domain_test(
    train: &str,
    test: &str,
    options: &Options,
    rng: &mut Rng,
) -> Result<Option<DomainTest>, DataError> {
    let mut texts = [train, test].map(|text| chunks(text, options.chunk));
    // Whole fifths, so that every part has as many passages of one text as of the other.
    let most = texts[0].len().min(texts[1].len()).min(options.most_chunks) / FOLDS * FOLDS;
    if most < 2 * FOLDS {
        return Ok(None);
    }
    texts.iter_mut().for_each(|passages| {
        rng.shuffle(passages);
        passages.truncate(most);
    });
    let mut sum = 0.0;
    for fold in 0..FOLDS {
        sum += area_of_fold(&texts, fold)?;
    }
    // Under the null the variance of an area of n against n is (2n+1)/(12 n^2), for each part of n.
    let n = (most / FOLDS) as f64;
    let null_deviation = ((2.0 * n + 1.0) / (12.0 * n * n) / FOLDS as f64).sqrt();
    Ok(Some(DomainTest { auc: sum / FOLDS as f64, null_deviation, passages: most }))
}

/// The area on every fifth passage, from `fold` on, after learning from the others.
fn area_of_fold(texts: &[Vec<&str>; 2], fold: usize) -> Result<f64, DataError> {
    let (mut learn, mut ask) = (Vec::new(), Vec::new());
    for (passages, name) in texts.iter().zip(["train", "test"]) {
        for (i, passage) in passages.iter().enumerate() {
            let rows = if i % FOLDS == fold { &mut ask } else { &mut learn };
            rows.push((passage.to_string(), name.to_string()));
        }
    }
    let learn = Labelled::new(learn)?;
    let ask = Labelled::with_names(ask, learn.names())?;
    let model = LogisticRegression::fit(&learn, Counted::Words(1), 2, 1.0);
    // The labels are in order of the alphabet: "test" is the first.
    let scores: Vec<f64> = ask.texts().iter().map(|text| model.probabilities(text)[0]).collect();
    let is_test: Vec<bool> = ask.labels().iter().map(|&label| label == 0).collect();
    Ok(area_under_curve(&scores, &is_test).unwrap_or(f64::NAN))
}
