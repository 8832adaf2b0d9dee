//! Simple classifiers of texts: what a fine-tuned model has to beat.
//!
//! | | what it knows of a text | what it learns |
//! |---|---|---|
//! | [`Majority`] | nothing | which label is the most frequent |
//! | [`NaiveBayes`] | how often each word occurs | how often each label has each word |
//! | [`LogisticRegression`] | which words occur, or runs of characters, rare ones counting more (TF-IDF) | a weight for each and label |
//!
//! "Words" are those of [`words`]: a Chinese character is one, and with pairs of them
//! ([`Features`], `max_n` = 2) no word segmentation is needed.
//!
//! ```
//! use data::baseline::{Classifier, Labelled, NaiveBayes};
//! use data::metrics::LabelScores;
//! let row = |text: &str, label: &str| (text.to_string(), label.to_string());
//! let train = Labelled::new(vec![
//!     row("warm and very good", "good"),
//!     row("a good dinner", "good"),
//!     row("cold and bad", "bad"),
//!     row("bad, late, cold", "bad"),
//! ])?;
//! let model = NaiveBayes::fit(&train, 1, 1);
//! assert_eq!(train.names()[model.predict("the soup was cold")], "bad");
//! assert!(LabelScores::of(&model, &train).accuracy == 1.0);
//! # Ok::<(), data::DataError>(())
//! ```

mod features;
mod lbfgs;
mod logistic;
mod mixture;
mod naive_bayes;
mod self_training;

pub use features::{Counted, Features, Sparse, words};
pub use lbfgs::{Minimum, minimise};
pub use logistic::{LogisticRegression, MIN_DOCUMENTS};
pub use mixture::Mixture;
pub use naive_bayes::NaiveBayes;
pub use self_training::{Taught, WEIGHT, self_training};

use crate::DataError;
use crate::error::listed;

/// Texts with their labels, which are numbered in alphabetical order.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    texts: Vec<String>,
    labels: Vec<usize>,
    names: Vec<String>,
    weights: Vec<f64>,
}

/// The number of a label among sorted names.
fn place(names: &[String], label: &str) -> Option<usize> {
    names.binary_search_by(|name| name.as_str().cmp(label)).ok()
}

impl Labelled {
    /// From rows of a text and its label.
    ///
    /// # Errors
    /// If there are no rows.
    pub fn new(rows: Vec<(String, String)>) -> Result<Labelled, DataError> {
        let mut names: Vec<String> = rows.iter().map(|(_, label)| label.clone()).collect();
        names.sort_unstable();
        names.dedup();
        Labelled::with_names(rows, &names)
    }

    /// The same with the labels of another set, for texts to be classified by what was learnt there.
    ///
    /// # Errors
    /// If there are no rows, or one has a label that is not among the names.
    pub fn with_names(rows: Vec<(String, String)>, names: &[String]) -> Result<Labelled, DataError> {
        if rows.is_empty() {
            return Err(DataError::InvalidSetting {
                name: "number of labelled texts",
                found: "0".into(),
                expected: "at least 1",
            });
        }
        let mut unknown: Vec<&str> = rows
            .iter()
            .map(|(_, label)| label.as_str())
            .filter(|label| place(names, label).is_none())
            .collect();
        let texts = unknown.len();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            return Err(DataError::Malformed {
                what: "labels".into(),
                place: String::new(),
                found: format!(
                    "{} ({texts} of {} texts), which the training texts do not have",
                    listed(&unknown),
                    rows.len()
                ),
                expected: format!("one of {}", listed(names)),
                remedy: "correct the label, or add texts that have it to the training set".into(),
            });
        }
        let labels = rows.iter().filter_map(|(_, label)| place(names, label)).collect();
        let texts: Vec<String> = rows.into_iter().map(|(text, _)| text).collect();
        Ok(Labelled { weights: vec![1.0; texts.len()], texts, labels, names: names.to_vec() })
    }

    /// The same and more texts with the numbers of their labels, each of which counts as `weight` of the others does.
    ///
    /// # Panics
    /// If there is no such label.
    #[must_use]
    pub fn and(mut self, rows: impl IntoIterator<Item = (String, usize)>, weight: f64) -> Labelled {
        for (text, label) in rows {
            assert!(label < self.names.len(), "a label of these");
            self.texts.push(text);
            self.labels.push(label);
            self.weights.push(weight);
        }
        self
    }

    /// The same, each text counting as much more as its label does.
    ///
    /// # Panics
    /// If there is not a weight for each label.
    #[must_use]
    pub fn weighted(mut self, of_labels: &[f64]) -> Labelled {
        assert_eq!(of_labels.len(), self.names.len(), "a weight for each label");
        self.weights.iter_mut().zip(&self.labels).for_each(|(weight, &label)| *weight *= of_labels[label]);
        self
    }

    /// The texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The number of each text's label.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// What each text counts in what is learned: 1, unless something else was said.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The labels by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// What predicts the label of a text.
pub trait Classifier {
    /// P(label | text) of every label; they sum to 1.
    fn probabilities(&self, text: &str) -> Vec<f64>;

    /// The likeliest label; of equals, the first.
    fn predict(&self, text: &str) -> usize {
        likeliest(&self.probabilities(text))
    }
}

/// The place of the largest number; of equals, the first.
pub fn likeliest<T: PartialOrd>(p: &[T]) -> usize {
    (0..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best })
}

/// The classifier that reads nothing: every text has the shares of the labels in the training texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Majority {
    shares: Vec<f64>,
}

impl Majority {
    /// Counts the labels.
    pub fn fit(data: &Labelled) -> Majority {
        let mut shares = vec![0.0; data.names.len()];
        data.labels.iter().for_each(|&label| shares[label] += 1.0 / data.labels.len() as f64);
        Majority { shares }
    }
}

impl Classifier for Majority {
    fn probabilities(&self, _: &str) -> Vec<f64> {
        self.shares.clone()
    }
}

/// e^score / sum of e^scores, without overflow.
pub fn softmax(scores: &mut [f64]) {
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|s| *s = random::exp(*s - max));
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}

#[cfg(test)]
#[path = "baseline_tests.rs"]
mod tests;
