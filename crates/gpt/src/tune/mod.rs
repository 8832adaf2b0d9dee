//! Fine-tuning: a pretrained model learns a task from few examples.
//!
//! A [`Task`] has examples, a loss of some of them, and a score on other examples. [`fit`] goes over the examples a few
//! times on the [`Engine`](crate::train::Engine) of pretraining, measures the score, keeps the best weights and stops when
//! they get no better; [`fit_keeping`] can be interrupted. [`Classifier`] is such a task, and
//! [`crate::peft`] says which of the weights are trained.

mod answerer;
mod classifier;
mod classifier_dir;
mod complete;
mod config;
mod find_cloze;
mod fit;
mod head;
mod in_context;
mod keep;
mod noise;
mod rows;
mod state;
mod target;
mod trials;
mod wide;
mod words;

pub use answerer::{Answerer, Room};
pub use classifier::{Classifier, ClassifierConfig, Classify};
pub use classifier_dir::{SavedClassifier, load_classifier, save_classifier};
pub use complete::{Complete, grown, mean_loss};
pub use config::TuneConfig;
pub use find_cloze::{LabelledTexts, find_cloze};
pub use fit::{Event, Measured, Outcome, TuneError, fit, fit_keeping};
pub use head::{Head, HeadConfig, LinearConfig, LinearHead, Pool};
pub use in_context::{InContext, Told};
pub use keep::Keep;
pub use noise::Noise;
pub use rows::Rows;
pub use target::{Metric, Target, Targets};
pub use trials::{Trial, best_trial, next_trial};
pub use wide::Wide;
pub use words::Words;

use crate::Gpt;
use tensor::{Params, Tape, Var};

/// What is learned.
pub trait Task: Sync {
    /// How many examples there are to learn from.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The model that learns, which says how deep its parameters lie; none for something else.
    fn gpt(&self) -> Option<&Gpt>;

    /// Tokens of an example: those of a similar length are computed together.
    fn tokens(&self, example: usize) -> usize;

    /// Positions of the model that an example takes, which say how many examples are computed at a time.
    fn positions(&self, example: usize) -> usize {
        self.tokens(example)
    }

    /// Whether every position predicts a token: the scores of a large vocabulary take much of the memory.
    fn predicts_tokens(&self) -> bool {
        true
    }

    /// What some examples weigh together in a mean of losses.
    fn total_weight(&self, examples: &[usize]) -> f32;

    /// What some examples of a batch contribute to its loss: the weighted sum of their losses over the weight of the whole
    /// batch ([`Task::total_weight`]). So the losses of its parts add up to the mean loss of the batch.
    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize], total_weight: f32) -> Var<'t>;

    /// How good these weights are on examples that are not trained on; higher is better.
    fn validate(&self, params: &Params) -> f64;
}
