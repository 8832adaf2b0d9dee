//! What can go wrong in training.

use super::UpdateError;
use crate::files::{CheckpointError, TensorsError};
use crate::peft::MethodError;
use crate::run_dir::RunDirError;
use data::DataError;
use nn::optim::{MissingGradient, StateError};

/// Why training stopped, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A loss or a gradient was not a finite number. No weight was changed by it.
    #[error(
        "training stopped before update {iter}: {what}\n  the weights are those of the last good update; \
         the usual remedies are a lower --learning-rate, a longer --warmup-iters, or a look at the data"
    )]
    NonFinite {
        /// The update that was not made.
        iter: u64,
        /// The first operation with a non-finite value, as a printed equation.
        what: String,
    },
    /// A weight, or something that the optimizer remembers about it, was not a finite number after an update.
    #[error(
        "training stopped at update {iter}: not finite after it: {names} (the weights, or what the optimizer or their \
         average remembers)\n  the numbers in memory are lost, and were not saved; if it happens again, a lower \
         --learning-rate is the usual remedy"
    )]
    Damaged {
        /// The update that cannot be used.
        iter: u64,
        /// The parameters.
        names: String,
    },
    /// The data does not fit the training.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A part of the model is not used by the loss.
    #[error(transparent)]
    MissingGradient(#[from] MissingGradient),
    /// The model has nothing of what is to be trained.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The weights to begin with are not those of the configuration.
    #[error("the weights to begin with do not fit: {0}")]
    Weights(TensorsError),
    /// The optimizer cannot continue from the checkpoint.
    #[error(transparent)]
    OptimizerState(#[from] StateError),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run's directory could not be written.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// The checkpoint does not fit.
    #[error("cannot resume: {problem}\n  {remedy}")]
    Resume {
        /// What does not fit.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl TrainError {
    /// Why update `iter` failed.
    pub(super) fn of_update(iter: u64, error: UpdateError) -> Self {
        match error {
            UpdateError::NonFinite(what) => Self::NonFinite { iter, what },
            UpdateError::Damaged(names) => Self::Damaged { iter, names },
            UpdateError::MissingGradient(missing) => missing.into(),
        }
    }
}
