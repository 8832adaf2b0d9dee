//! A label, or a number, for a text.
//!
//! logits = W dropout(p) + b,   p = the mean of the last block's outputs over the text, or that of its last token
//!
//! A causal model has seen the whole text at its last token only (so did GPT-1: Radford et al. 2018, section 3.2); the mean
//! also asks what each position says of what stands before it. With `both_sides` every position sees all of the text, as in
//! masked language modelling.

use super::{Rows, Task};
use crate::Gpt;
use data::baseline::likeliest;
use data::metrics::{Confusion, pearson};
use nn::{Dropout, DropoutSeeds, Init, Linear, ParamBuilder};
use random::Rng;
use serde::{Deserialize, Serialize};
use tensor::{Params, Tape, Var, Workspace};

/// What of the model's outputs tells the label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over the text.
    #[default]
    Mean,
    /// The last token's.
    Last,
}

/// What a text is told to be.
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

/// Settings of a [`Classifier`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierConfig {
    /// What is told.
    pub target: Target,
    /// From what.
    pub pool: Pool,
    /// Whether each position sees what comes after it.
    pub both_sides: bool,
    /// Dropout before the last layer.
    pub dropout: f32,
}

/// A model with a layer for labels on it: parameters `classifier.weight` and `classifier.bias`.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The model.
    pub gpt: Gpt,
    /// From C to a score for each label.
    pub head: Linear,
    /// Settings.
    pub config: ClassifierConfig,
    dropout: Dropout,
}

/// The right answers of some texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Numbers of labels, and the weight of each label.
    Labels(Vec<usize>, Vec<f32>),
    /// Numbers, as they are learned.
    Numbers(Vec<f32>),
}

impl Classifier {
    /// Puts a layer on a model, after [`Gpt::tune`].
    #[must_use]
    pub fn new(gpt: Gpt, config: ClassifierConfig, params: &mut Params, rng: &mut Rng) -> Self {
        if !gpt.config.tied {
            params.set_trainable(gpt.lm_head.weight, false); // nobody asks what comes next
        }
        let outputs = config.target.outputs();
        let mut builder = ParamBuilder::new(params, rng);
        let head = Linear::new(builder.pp("classifier"), gpt.config.n_embd, outputs, true, Init::GPT2);
        Self { gpt, head, dropout: Dropout::new(config.dropout), config }
    }

    /// Tokens of a text that are read.
    #[must_use]
    pub fn most_tokens(&self, params: &Params) -> usize {
        self.gpt.config.block_size - self.gpt.virtual_tokens(params)
    }

    /// Scores (B, outputs).
    #[must_use]
    pub fn scores<'t>(&self, tape: &'t Tape<'_>, rows: &Rows, seeds: &DropoutSeeds) -> Var<'t> {
        let intervals = rows.intervals(self.config.both_sides);
        let x = self.gpt.hidden(tape, &rows.ids, rows.shape(), &intervals, seeds); // (B, T, C)
        let [b, t] = rows.shape();
        let weights = match self.config.pool {
            Pool::Mean => rows.means(),
            Pool::Last => rows.lasts(),
        };
        let weights = ndarray::ArrayD::from_shape_vec(vec![b, t, 1], weights).expect("a weight a position");
        let weights = tape.constant(&weights).broadcast_to(x.shape());
        let pooled = (x * weights).sum_axis(1); // (B, C)
        self.head.forward(self.dropout.forward(pooled, seeds))
    }

    /// The scores of texts, a row a text, on weights that are not trained now.
    #[must_use]
    pub fn scores_of(&self, params: &Params, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        const TEXTS: usize = 32;
        let (workspace, most) = (Workspace::new(), self.most_tokens(params));
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| texts[i].len()); // little is computed for nothing
        let mut scores = vec![Vec::new(); texts.len()];
        for part in order.chunks(TEXTS) {
            let rows = Rows::new(&part.iter().map(|&i| &texts[i]).collect::<Vec<_>>(), most);
            let tape = Tape::no_grad(params, &workspace);
            let found = self.scores(&tape, &rows, &DropoutSeeds::off()).value();
            part.iter()
                .zip(found.outer_iter())
                .for_each(|(&i, row)| scores[i] = row.iter().copied().collect());
        }
        scores
    }

    /// The numbers of texts; `None` if it tells labels.
    #[must_use]
    pub fn numbers(&self, params: &Params, texts: &[Vec<u32>]) -> Option<Vec<f64>> {
        let Target::Number { mean, deviation } = self.config.target else { return None };
        let scores = self.scores_of(params, texts);
        Some(scores.iter().map(|scores| mean + deviation * f64::from(scores[0])).collect())
    }

    /// P(label | text), a row a text: the softmax of the scores.
    #[must_use]
    pub fn probabilities(&self, params: &Params, texts: &[Vec<u32>]) -> Vec<Vec<f64>> {
        self.scores_of(params, texts).iter().map(|scores| softmax(scores)).collect()
    }
}

/// e^score / sum of e^scores.
fn softmax(scores: &[f32]) -> Vec<f64> {
    let mut p: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
    data::baseline::softmax(&mut p);
    p
}

/// Learning the labels of texts: a [`Task`].
pub struct Classify<'a> {
    /// What learns.
    pub classifier: &'a Classifier,
    /// The texts to learn from.
    pub texts: &'a [Vec<u32>],
    /// Their answers.
    pub targets: &'a Targets,
    /// The texts to measure on.
    pub dev_texts: &'a [Vec<u32>],
    /// Their answers.
    pub dev_targets: &'a Targets,
    /// Which number is the score.
    pub metric: Metric,
    /// Tokens of a text that are read: [`Classifier::most_tokens`].
    pub most: usize,
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

impl Task for Classify<'_> {
    fn len(&self) -> usize {
        self.texts.len()
    }

    fn tokens(&self, example: usize) -> usize {
        self.texts[example].len().min(self.most)
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize], seeds: &DropoutSeeds) -> Var<'t> {
        let rows = Rows::new(&examples.iter().map(|&i| &self.texts[i]).collect::<Vec<_>>(), self.most);
        let scores = self.classifier.scores(tape, &rows, seeds);
        self.targets.loss(scores, examples)
    }

    fn validate(&self, params: &Params) -> f64 {
        let scores = self.classifier.scores_of(params, self.dev_texts);
        self.dev_targets.score(&scores, self.metric)
    }
}

impl Targets {
    /// The mean loss of scores (B, outputs) for these examples.
    fn loss<'t>(&self, scores: Var<'t>, examples: &[usize]) -> Var<'t> {
        match self {
            Self::Labels(labels, weights) => {
                let of: Vec<u32> = examples.iter().map(|&i| labels[i] as u32).collect();
                let weights: Vec<f32> = examples.iter().map(|&i| weights[labels[i]]).collect();
                let total = weights.iter().sum();
                scores.cross_entropy(&of, &weights, total)
            }
            Self::Numbers(numbers) => {
                let of: Vec<f32> = examples.iter().map(|&i| numbers[i]).collect();
                scores.mse(&of, &vec![1.0; of.len()], of.len() as f32)
            }
        }
    }

    /// A metric of the scores of all of them.
    #[must_use]
    pub fn score(&self, scores: &[Vec<f32>], metric: Metric) -> f64 {
        match self {
            Self::Labels(labels, weights) => {
                let told: Vec<usize> = scores.iter().map(|scores| likeliest(scores)).collect();
                let confusion = Confusion::new(weights.len(), &told, labels);
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
                        -told.iter().zip(&right).map(|(t, y)| (t - y).powi(2)).sum::<f64>()
                            / right.len() as f64
                    }
                }
            }
        }
    }
}
