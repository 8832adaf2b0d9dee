//! Training: from batches to updates of the weights.
//!
//! [`Trainer`] is one step at a time, in memory. [`Run`] is a whole training with evaluations, checkpoints
//! and a log, on top of it.

mod diagnose;
mod error;
mod evaluate;
#[cfg(test)]
mod faults_tests;
mod run;
mod spike;
mod step;

pub use error::TrainError;
pub use evaluate::{evaluate, evaluate_objective};
pub use run::{Evaluation, Observer, Outcome, Run, Stopped, Unwritten};
pub use spike::LossStatistics;
pub(crate) use step::rows_at_a_time;
pub use step::{StepReport, Trainer};
