//! A label, or a number, for a text.

use super::Task;
use super::head::{Head, HeadConfig};
use crate::Gpt;
use data::baseline::likeliest;
use data::metrics::{Confusion, pearson};
use data::{DataError, Tokenizer};
use nn::DropoutSeeds;
use random::Rng;
use serde::{Deserialize, Serialize};
use tensor::{Params, Tape, Var, Workspace};

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
    /// By what.
    pub head: HeadConfig,
}

/// A model that tells the labels of texts.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The model.
    pub gpt: Gpt,
    /// What tells the label.
    pub head: Head,
    /// Settings.
    pub config: ClassifierConfig,
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
    /// Puts a head on a model, after [`Gpt::tune`]. The tokenizer is the model's.
    ///
    /// # Errors
    /// If labels are told by words and the pattern does not go with the tokenizer, the model or the labels.
    pub fn new(
        gpt: Gpt,
        config: ClassifierConfig,
        tokenizer: &Tokenizer,
        params: &mut Params,
        rng: &mut Rng,
    ) -> Result<Self, DataError> {
        let head = Head::new(&gpt, (&config.head, &config.target), tokenizer, params, rng)?;
        Ok(Self { gpt, head, config })
    }

    /// Tokens of a text that are read, the first ones. In a pattern the text is cut, and never what stands around it.
    #[must_use]
    pub fn most_tokens(&self, params: &Params) -> usize {
        let most = self.gpt.most_tokens(params);
        match &self.head {
            Head::Linear(_) => most,
            Head::Words(words) => words.room(most),
        }
    }

    /// Scores (B, outputs).
    ///
    /// # Panics
    /// If there is no text, or one without tokens.
    #[must_use]
    pub fn scores<'t>(&self, tape: &'t Tape<'_>, texts: &[&[u32]], seeds: &DropoutSeeds) -> Var<'t> {
        match &self.head {
            Head::Linear(head) => head.scores(&self.gpt, tape, texts, seeds),
            Head::Words(words) => words.scores(&self.gpt, tape, texts, seeds),
        }
    }

    /// The scores of texts, a row a text, on weights that are not trained now.
    #[must_use]
    pub fn scores_of(&self, params: &Params, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let texts: Vec<&[u32]> = texts.iter().map(|text| &text[..]).collect();
        in_batches(params, &texts, self.head.rows(), |tape, texts| {
            self.scores(tape, texts, &DropoutSeeds::off())
        })
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

/// The scores of texts, a row a text, a few texts of similar lengths at a time. A text takes some rows of a batch.
pub(super) fn in_batches(
    params: &Params,
    texts: &[&[u32]],
    rows: usize,
    scores: impl for<'t> Fn(&'t Tape<'_>, &[&[u32]]) -> Var<'t>,
) -> Vec<Vec<f32>> {
    const ROWS: usize = 32;
    let workspace = Workspace::new();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| texts[i].len()); // little is computed for nothing
    let mut all = vec![Vec::new(); texts.len()];
    for part in order.chunks((ROWS / rows).max(1)) {
        let texts: Vec<&[u32]> = part.iter().map(|&i| texts[i]).collect();
        let tape = Tape::no_grad(params, &workspace);
        let found = scores(&tape, &texts).value();
        part.iter().zip(found.outer_iter()).for_each(|(&i, row)| all[i] = row.iter().copied().collect());
    }
    all
}

/// The first `most` tokens of each text.
pub(super) fn cut<'a>(texts: &[&'a [u32]], most: usize) -> Vec<&'a [u32]> {
    texts.iter().map(|text| &text[..text.len().min(most)]).collect()
}

/// e^score / sum of e^scores.
pub(super) fn softmax(scores: &[f32]) -> Vec<f64> {
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
        self.texts[example].len()
    }

    fn positions(&self, example: usize) -> usize {
        let (tokens, block_size) = (self.tokens(example), self.classifier.gpt.config.block_size);
        match &self.classifier.head {
            Head::Linear(_) => tokens.min(block_size),
            Head::Words(words) => words.positions(tokens, block_size),
        }
    }

    fn predicts_tokens(&self) -> bool {
        false // or at few positions, in a pattern
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.iter().map(|&i| self.targets.weight(i)).sum()
    }

    fn loss<'t>(
        &self,
        tape: &'t Tape<'_>,
        examples: &[usize],
        total_weight: f32,
        seeds: &DropoutSeeds,
    ) -> Var<'t> {
        let texts: Vec<&[u32]> = examples.iter().map(|&i| &self.texts[i][..]).collect();
        let scores = self.classifier.scores(tape, &texts, seeds);
        self.targets.loss(scores, examples, total_weight)
    }

    fn validate(&self, params: &Params) -> f64 {
        let scores = self.classifier.scores_of(params, self.dev_texts);
        self.dev_targets.score(&scores, self.metric)
    }
}

impl Targets {
    /// What an example weighs in a mean.
    fn weight(&self, example: usize) -> f32 {
        match self {
            Self::Labels(labels, weights) => weights[labels[example]],
            Self::Numbers(_) => 1.0,
        }
    }

    /// The loss of scores (B, outputs) for these examples: a weighted sum over `total_weight`.
    fn loss<'t>(&self, scores: Var<'t>, examples: &[usize], total_weight: f32) -> Var<'t> {
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
