//! A label, or a number, for a text.

use super::Task;
use super::head::{Head, HeadConfig};
use super::noise::Noise;
use super::rows::in_batches;
use super::target::{Metric, Target, Targets, softmax};
use crate::Gpt;
use data::{DataError, Tokenizer};
use random::Rng;
use serde::{Deserialize, Serialize};
use tensor::{Params, Tape, Var};

/// Settings of a [`Classifier`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierConfig {
    /// What is predicted.
    pub target: Target,
    /// By what.
    pub head: HeadConfig,
}

/// A model that predicts the labels of texts.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The model.
    pub gpt: Gpt,
    /// What predicts the label.
    pub head: Head,
    /// Settings.
    pub config: ClassifierConfig,
}

impl Classifier {
    /// Puts a head on a model, after [`Gpt::tune`]. The tokenizer is the model's.
    ///
    /// # Errors
    /// If labels are predicted by verbalizers and the pattern does not go with the tokenizer, the model or the labels.
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

    /// Tokens of a text that are read, the first ones: by a layer in pieces, each as long as the context. In a pattern the text is
    /// cut, and never what stands around it.
    #[must_use]
    pub fn max_tokens(&self, params: &Params) -> usize {
        let most = self.gpt.max_tokens(params);
        match &self.head {
            Head::Linear(head) => head.max_tokens(most),
            Head::Words(words) => words.room(most),
        }
    }

    /// Scores (B, outputs).
    ///
    /// # Panics
    /// If there is no text, or one without tokens.
    #[must_use]
    pub fn scores<'t>(&self, tape: &'t Tape<'_>, texts: &[&[u32]]) -> Var<'t> {
        match &self.head {
            Head::Linear(head) => head.scores(&self.gpt, tape, texts),
            Head::Words(words) => words.scores(&self.gpt, tape, texts),
        }
    }

    /// The scores of texts, a row a text, on weights that are not trained now.
    #[must_use]
    pub fn scores_of(&self, params: &Params, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let texts: Vec<&[u32]> = texts.iter().map(|text| &text[..]).collect();
        let max = self.gpt.max_tokens(params);
        in_batches(
            params,
            &texts,
            |tokens| self.head.rows(tokens, max),
            |tape, texts| self.scores(tape, texts),
        )
    }

    /// The numbers of texts; `None` if it predicts labels.
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
    /// How the texts are read that are learned from.
    pub noise: Noise,
}

impl Task for Classify<'_> {
    fn len(&self) -> usize {
        self.texts.len()
    }

    fn gpt(&self) -> Option<&Gpt> {
        Some(&self.classifier.gpt)
    }

    fn tokens(&self, example: usize) -> usize {
        self.texts[example].len()
    }

    fn positions(&self, example: usize) -> usize {
        let (tokens, block_size) = (self.tokens(example), self.classifier.gpt.config.block_size);
        let positions = match &self.classifier.head {
            Head::Linear(_) => self.classifier.head.rows(tokens, block_size) * tokens.min(block_size),
            Head::Words(words) => words.positions(tokens, block_size),
        };
        self.noise.readings() * positions
    }

    fn predicts_tokens(&self) -> bool {
        false // or at few positions, in a pattern
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.iter().map(|&i| self.targets.weight(i)).sum()
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize], total_weight: f32) -> Var<'t> {
        let texts: Vec<&[u32]> = examples.iter().map(|&i| &self.texts[i][..]).collect();
        let of = (self.targets, examples, total_weight);
        self.noise.loss(tape, &texts, of, |texts| self.classifier.scores(tape, texts))
    }

    fn validate(&self, params: &Params) -> f64 {
        let scores = self.classifier.scores_of(params, self.dev_texts);
        self.dev_targets.score(&scores, self.metric)
    }
}
