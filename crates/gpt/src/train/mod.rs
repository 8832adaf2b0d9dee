//! Training: from batches to updates of the weights.
//!
//! [`Engine`] makes one update of any model by any loss. [`Trainer`] is one step of pretraining at a time, in memory.
//! [`Run`] is a whole training with evaluations, checkpoints and a log, on top of it. [`crate::tune::fit`] is fine-tuning on
//! the same engine.

mod by_time;
mod checkpoint;
mod diagnose;
mod engine;
mod error;
mod evaluate;
#[cfg(test)]
mod faults_tests;
mod history;
mod run;
mod spike;
mod step;

pub use by_time::TimeLimit;
pub use checkpoint::Checkpoint;
#[cfg(test)]
pub(crate) use checkpoint::small_checkpoint;
pub(crate) use engine::rows_at_a_time;
pub use engine::{BatchLoss, Engine, EngineConfig, Update, UpdateError};
pub use error::TrainError;
pub use evaluate::{evaluate, evaluate_objective};
pub use history::{History, Restored};
pub use run::{Evaluation, Losses, Observer, Outcome, Run, Stopped, Unwritten};
pub use spike::LossStatistics;
pub use step::{StepReport, Trainer, ngram_rows};
