//! The linear layer.

use crate::peft::Tuning;
use crate::{Init, ParamBuilder};
use tensor::kernels::cross_entropy::Regularizer;
use tensor::{ParamId, Var};

/// y = x W^T + b, for each row x of the last axis: parameters `weight` `[n_out, n_in]` and, if it has one,
/// `bias` `[n_out]`, which begins at zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    /// W
    pub weight: ParamId,
    /// b
    pub bias: Option<ParamId>,
    /// What changes W and b, in fine-tuning with few parameters.
    pub tuning: Tuning,
}

impl Linear {
    /// A layer from `n_in` to `n_out` features.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, n_in: usize, n_out: usize, bias: bool, init: Init) -> Self {
        let weight = builder.add("weight", [n_out, n_in], init);
        let bias = bias.then(|| builder.add("bias", [n_out], Init::Zeros));
        Self { weight, bias, tuning: Tuning::default() }
    }

    /// (.., n_in) to (.., n_out)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (weight, bias) = self.on_tape(x);
        x.linear(weight, bias)
    }

    /// The cross-entropy of this layer's outputs as logits, bounded by a soft cap if there is one, for x (.., n_in):
    /// sum(weight * -ln p(target)) / `total_weight`, and what the regularizer adds. The bits of
    /// `forward(x).soft_cap(..).regularized_cross_entropy(..)`, in memory for a few rows of logits.
    #[track_caller]
    #[must_use]
    pub fn cross_entropy<'t>(
        &self,
        x: Var<'t>,
        soft_cap: Option<f32>,
        targets: &[u32],
        weights: &[f32],
        total_weight: f32,
        regularizer: Regularizer,
    ) -> Var<'t> {
        let (weight, bias) = self.on_tape(x);
        x.linear_cross_entropy(weight, bias, soft_cap, targets, weights, total_weight, regularizer)
    }

    /// The parameters as values on the tape of `x`, for operations that fuse this layer with others.
    pub(crate) fn on_tape<'t>(&self, x: Var<'t>) -> (Var<'t>, Option<Var<'t>>) {
        let tape = x.tape();
        let weight = self.tuning.weight(tape.param(self.weight));
        (weight, self.bias.map(|bias| self.tuning.bias(tape.param(bias))))
    }
}
