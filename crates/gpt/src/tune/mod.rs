//! Fine-tuning: a pretrained model learns a task from few examples.
//!
//! A [`Task`] has examples, a loss of some of them, and a score on other examples. [`fit`] goes over the examples a few
//! times, measures the score, keeps the best weights and stops when they get no better. [`Classifier`] is such a task, and
//! [`crate::peft`] says which of the weights are trained.

mod answerer;
mod classifier;
mod classifier_dir;
mod complete;
mod fit;
mod head;
mod in_context;
mod rows;
mod target;
mod words;

pub use answerer::{Answerer, Room};
pub use classifier::{Classifier, ClassifierConfig, Classify};
pub use classifier_dir::{SavedClassifier, load_classifier, save_classifier};
pub use complete::{Complete, grown, mean_loss};
pub use fit::{Event, Outcome, TuneConfig, TuneError, fit};
pub use head::{Head, HeadConfig, LinearConfig, LinearHead, Pool};
pub use in_context::{InContext, Told};
pub use rows::Rows;
pub use target::{Metric, Target, Targets};
pub use words::Words;

use tensor::{Params, Tape, Var};

/// What is learned.
pub trait Task: Sync {
    /// How many examples there are to learn from.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of an example: those of a similar length are computed together.
    fn tokens(&self, example: usize) -> usize;

    /// The loss of some examples, a mean over them.
    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize]) -> Var<'t>;

    /// How good these weights are on examples that are not trained on; higher is better.
    fn validate(&self, params: &Params) -> f64;
}
