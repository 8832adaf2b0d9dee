//! What a classifier or a regression is to predict, and how good its predictions are.

use data::baseline::likeliest;
use data::metrics::{Confusion, pearson};
use serde::{Deserialize, Serialize};
use tensor::Var;

/// What is predicted of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One of these labels.
    Label {
        /// Their names.
        names: Vec<String>,
    },
    /// A number. It is learned as (y - mean) / deviation, of the training set.
    Number {
        /// The mean of the training set.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

impl Target {
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Label { names } => names.len(),
            Self::Number { .. } => 1,
        }
    }
}

/// The right answers of some texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Numbers of labels, and what each example weighs.
    Labels(Vec<usize>, Vec<f32>),
    /// Numbers, as they are learned.
    Numbers(Vec<f32>),
}

/// The score by which the best weights are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share that is right.
    Accuracy,
    /// The mean F1 of the labels.
    #[default]
    MacroF1,
    /// Less the loss, which changes more smoothly than counts do.
    Loss,
    /// Pearson's correlation, of numbers.
    Pearson,
}

impl Targets {
    /// Labels, each of which has a weight, the same for all its examples.
    ///
    /// # Panics
    /// If a label has no weight.
    #[must_use]
    pub fn labels(labels: Vec<usize>, of_label: &[f32]) -> Self {
        let weights = labels.iter().map(|&label| of_label[label]).collect();
        Self::Labels(labels, weights)
    }

    /// What an example weighs in a mean.
    pub(super) fn weight(&self, example: usize) -> f32 {
        match self {
            Self::Labels(_, weights) => weights[example],
            Self::Numbers(_) => 1.0,
        }
    }

    /// The loss of scores (B, outputs) for these examples: a weighted sum over `total_weight`.
    pub(super) fn loss<'t>(&self, scores: Var<'t>, examples: &[usize], total_weight: f32) -> Var<'t> {
        let weights: Vec<f32> = examples.iter().map(|&i| self.weight(i)).collect();
        match self {
            Self::Labels(labels, _) => {
                let of: Vec<u32> = examples.iter().map(|&i| labels[i] as u32).collect();
                scores.cross_entropy(&of, &weights, total_weight)
            }
            Self::Numbers(numbers) => {
                let of: Vec<f32> = examples.iter().map(|&i| numbers[i]).collect();
                scores.mse(&of, &weights, total_weight)
            }
        }
    }

    /// A metric of the scores of all of them.
    #[must_use]
    pub fn score(&self, scores: &[Vec<f32>], metric: Metric) -> f64 {
        match self {
            Self::Labels(labels, _) => {
                let told: Vec<usize> = scores.iter().map(|scores| likeliest(scores)).collect();
                let confusion = Confusion::new(scores.first().map_or(0, Vec::len), &told, labels);
                match metric {
                    Metric::Accuracy => confusion.accuracy(),
                    Metric::Loss | Metric::Pearson => {
                        let p = |(scores, &label): (&Vec<f32>, &usize)| {
                            random::ln(softmax(scores)[label].max(1e-300))
                        };
                        scores.iter().zip(labels).map(p).sum::<f64>() / labels.len() as f64
                    }
                    Metric::MacroF1 => confusion.macro_f1(),
                }
            }
            Self::Numbers(numbers) => {
                let told: Vec<f64> = scores.iter().map(|scores| f64::from(scores[0])).collect();
                let right: Vec<f64> = numbers.iter().map(|&y| f64::from(y)).collect();
                match metric {
                    Metric::Pearson => pearson(&told, &right).unwrap_or(0.0),
                    _ => {
                        -told.iter().zip(&right).map(|(t, y)| (t - y) * (t - y)).sum::<f64>()
                            / right.len() as f64
                    }
                }
            }
        }
    }
}

/// e^score / sum of e^scores.
pub(super) fn softmax(scores: &[f32]) -> Vec<f64> {
    let mut p: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
    data::baseline::softmax(&mut p);
    p
}
