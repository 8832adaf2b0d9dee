//! Optimizers: from gradients to the next parameters.
//!
//! | | update of one element p with gradient g |
//! |---|---|
//! | [`Sgd`] | `v = momentum v + g;  p -= lr v` |
//! | [`Adam`] | `m = mean of g, v = mean of g^2;  p -= lr m / (sqrt(v) + eps)` |
//! | [`AdamW`] | the same, and `p -= lr weight_decay p` beside it |
//! | [`Muon`] | matrices: `v = mean of g;  p -= lr o`, the orthogonal matrix nearest to v; all else as AdamW |
//! | [`SparseSgd`] | rows that were reached: `p -= lr g / rms of g`; all else by another of these |
//!
//! Each but Muon and SparseSgd is a [`Rule`] for one element, of about ten lines, and a [`Slots`] that remembers v or (m, v) for
//! every parameter and applies the rule to all of them, vectorised and on all threads. What happens to an
//! element never depends on another element, so the result has the same bits for any number of threads.

mod adam;
mod adamw;
mod clip;
mod ema;
mod muon;
mod orthogonal;
mod rule;
mod sgd;
mod slots;
mod sparse_sgd;

pub use adam::{Adam, AdamConfig};
pub use adamw::{AdamW, AdamWConfig};
pub use clip::{clip_factor, clip_grad_norm};
pub use ema::Ema;
pub use muon::{Muon, MuonConfig};
pub use rule::Rule;
pub use sgd::{Sgd, SgdConfig};
pub use slots::{Group, Slots, usual_group};
pub use sparse_sgd::{SparseSgd, SparseSgdConfig};

use tensor::{Grads, Params};

/// Changes parameters by their gradients, and remembers what it needs from step to step.
///
/// ```
/// use nn::optim::{AdamW, AdamWConfig, Optimizer};
/// use tensor::{Grads, Params, Tape, Workspace};
/// # let mut params = Params::new();
/// # let w = params.add("w", [4, 3], |w| w.fill(1.0));
/// let workspace = Workspace::new();
/// let mut grads = Grads::new(&params);
/// let mut optimizer = AdamW::new(&params, AdamWConfig::default());
/// for _ in 0..20 {
///     let tape = Tape::new(&params, &workspace);
///     let loss = (tape.param(w) * tape.param(w)).sum();
///     grads.clear();
///     loss.backward(&mut grads);
///     drop(tape);
///     optimizer.step(&mut params, &grads, 0.05)?;
/// }
/// assert!(params.data(w).iter().all(|w| w.abs() < 0.2));
/// # Ok::<(), nn::optim::StepError>(())
/// ```
pub trait Optimizer: Send {
    /// One step with the learning rate `lr`. Parameters that are frozen stay as they are.
    ///
    /// # Errors
    /// [`MissingGradient`] if a trainable parameter has no gradient: then nothing was changed.
    /// [`StepError::NonFinite`] if a parameter, or what is remembered about it, is not finite after the step: then
    /// training cannot go on from these numbers.
    ///
    /// # Panics
    /// If a parameter is trainable that was frozen, or did not exist, when the optimizer was made.
    fn step(&mut self, params: &mut Params, grads: &Grads, lr: f32) -> Result<(), StepError> {
        self.step_scaled(params, grads, lr, 1.0)
    }

    /// As [`Optimizer::step`] with every gradient multiplied by `grad_scale` on the way: clipping without
    /// a pass over memory of its own ([`clip_factor`]).
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    ///
    /// # Panics
    /// As [`Optimizer::step`].
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError>;

    /// How many steps were taken.
    fn step_count(&self) -> u64;

    /// Everything that the next step depends on, beside [`Optimizer::step_count`]: named tensors, most of
    /// the shapes of their parameters, for the checkpoint. The names are PyTorch's with the parameter's behind:
    /// `exp_avg.h.0.attn.c_attn.weight`. The number of steps of a parameter, where it is not that of all because the
    /// parameter was frozen for a time, is `step.h.0.attn.c_attn.weight`.
    fn state(&self) -> Vec<(String, &[f32])>;

    /// Puts back what [`Optimizer::step_count`] and [`Optimizer::state`] gave, in any order.
    ///
    /// # Errors
    /// If a tensor is missing, of another length, or belongs to nothing here: then nothing was changed.
    fn load_state(&mut self, step_count: u64, state: &[(String, &[f32])]) -> Result<(), StateError>;
}

/// Why a step was not made, or must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Nothing was changed.
    #[error(transparent)]
    MissingGradient(#[from] MissingGradient),
    /// A NaN or an infinity came out of the step. The update looks at every number that it writes, in the loop that writes
    /// them (see [`Rule`]), so this finds out at once what a loss would tell later, or never: an embedding of a token that
    /// no batch has, an average that is infinite and stops its weight.
    #[error("not finite after the update: {} (the parameters, or what the optimizer remembers about them)", names.join(", "))]
    NonFinite {
        /// The parameters' names.
        names: Vec<String>,
    },
}

impl StepError {
    /// An error if there are any names.
    fn unless_finite<'a>(damaged: impl Iterator<Item = &'a str>) -> Result<(), Self> {
        let names: Vec<String> = damaged.map(str::to_string).collect();
        if names.is_empty() { Ok(()) } else { Err(Self::NonFinite { names }) }
    }
}

/// Trainable parameters that no backward sweep reached. It is an error, because a parameter that is
/// silently left out looks like a model that learns a little worse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no gradient for {}: the loss does not depend on what should be trained; \
     use it in the model, or freeze it with Params::set_trainable",
    names.join(", ")
)]
pub struct MissingGradient {
    /// Their names.
    pub names: Vec<String>,
}

/// Why an optimizer cannot continue from a saved state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A tensor of the optimizer is not in the saved state.
    #[error("the optimizer state has no {name:?}: was it saved by another optimizer, or for another model?")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// A saved tensor belongs to nothing in this optimizer.
    #[error(
        "the optimizer state has {name:?}, which this optimizer does not know: \
         was it saved by another optimizer, or for another model?"
    )]
    Unknown {
        /// The tensor.
        name: String,
    },
    /// A saved tensor is of another length.
    #[error("{name:?} in the optimizer state: expected {expected} numbers; found {found}")]
    Length {
        /// The tensor.
        name: String,
        /// How many numbers its parameter has.
        expected: usize,
        /// How many were saved.
        found: usize,
    },
    /// A parameter cannot have taken part in so many steps.
    #[error(
        "{name:?} in the optimizer state: expected a whole number of steps, {all} at most; found {found}"
    )]
    Steps {
        /// The tensor.
        name: String,
        /// Steps of the optimizer.
        all: u64,
        /// The number that was saved.
        found: String,
    },
}

/// base^exponent by repeated squaring: the precision of std's `powi` and `powf` is unspecified, so the
/// weights of two machines could differ.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn power_is_repeated_multiplication() {
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(2.0, 10), 1024.0);
        for exponent in [1, 2, 3, 7, 10, 100, 1000] {
            let product: f64 = (0..exponent).map(|_| 0.999).product();
            assert!((power(0.999, exponent) - product).abs() <= 1e-13 * product);
        }
        assert_eq!(power(0.999, u64::MAX), 0.0); // the bias is long gone
    }
}
