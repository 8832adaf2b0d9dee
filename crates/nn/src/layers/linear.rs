//! The linear layer.

use crate::peft::Tuning;
use crate::{Init, ParamBuilder};
use tensor::kernels::cross_entropy::Regularizer;
use tensor::kernels::int8::{Int8Matrix, matvec_int8};
use tensor::kernels::matvec::matvec;
use tensor::{ParamId, Var};

/// Rows of x up to which a pass that does not record multiplies the weight by one after the other: each weight is read from
/// memory once, and a row's result has the same bits whatever stands beside it. From there on the blocked product is faster.
const FEW_ROWS: usize = 16;

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
    ///
    /// A pass that does not record takes the weight in eight bits, if there is one (`Params::round_to_int8`).
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        if self.reads_weight_once(x) {
            return self.forward_rows(x);
        }
        let (weight, bias) = self.on_tape(x);
        x.linear(weight, bias)
    }

    /// Whether the weight is multiplied by the rows of x one by one: see [`FEW_ROWS`].
    pub(crate) fn reads_weight_once(&self, x: Var<'_>) -> bool {
        !x.tape().is_recording() && (self.int8(x).is_some() || x.shape().rows_and_width().0 <= FEW_ROWS)
    }

    /// The weight in eight bits. What tunes the weight is not in it.
    fn int8<'t>(&self, x: Var<'t>) -> Option<&'t Int8Matrix> {
        x.tape().params().int8(self.weight).filter(|_| self.tuning.is_none())
    }

    fn forward_rows<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (tape, params, shape) = (x.tape(), x.tape().params(), x.shape());
        let (rows, int8) = (shape.rows_and_width().0, self.int8(x));
        let tuned = (!self.tuning.is_none()).then(|| self.on_tape(x));
        let shape = shape.with_last(params.shape(self.weight)[0]);
        let product = |x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]| match int8 {
            _ if rows == 0 => {}
            None => matvec(weight, x, rows, bias, y),
            Some(weight) => matvec_int8(weight, x, rows, bias, y),
        };
        match tuned {
            None => tape.compute(&[x], shape, |x, y| {
                let bias = self.bias.map(|bias| params.data(bias));
                product(x[0].data, params.data(self.weight), bias, y);
            }),
            Some((weight, bias)) => tape.compute(&[x, weight, bias.unwrap_or(x)], shape, |x, y| {
                product(x[0].data, x[1].data, bias.map(|_| x[2].data), y);
            }),
        }
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
        let (weight, bias) = (tape.param(self.weight), self.bias.map(|bias| tape.param(bias)));
        match &self.tuning {
            none if none.is_none() => (weight, bias),
            tuning => (tuning.weight(weight), bias.map(|bias| tuning.bias(bias))),
        }
    }
}
