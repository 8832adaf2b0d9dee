//! The LayerNorm layer.

use crate::{Init, ParamBuilder};
use tensor::{ParamId, Var};

/// y = (x - mean) / sqrt(variance + eps) * weight + bias over each row of the last axis (Ba et al. 2016,
/// arXiv 1607.06450): parameters `weight` `[width]`, ones at first, and, if it has one, `bias` `[width]`,
/// zeros at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// The scale of each feature.
    pub weight: ParamId,
    /// The offset of each feature.
    pub bias: Option<ParamId>,
    /// Added to the variance before its root is taken.
    pub eps: f32,
}

impl LayerNorm {
    /// PyTorch's and GPT-2's.
    pub const EPS: f32 = 1e-5;

    /// For rows of `width` features.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, width: usize, bias: bool) -> Self {
        let weight = builder.add("weight", [width], Init::Ones);
        let bias = bias.then(|| builder.add("bias", [width], Init::Zeros));
        Self { weight, bias, eps: Self::EPS }
    }

    /// (.., width) to (.., width)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        x.layer_norm(tape.param(self.weight), self.bias.map(|bias| tape.param(bias)), self.eps)
    }
}
