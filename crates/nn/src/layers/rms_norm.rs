//! The RMSNorm layer.

use crate::{Init, ParamBuilder};
use tensor::{ParamId, Var};

/// y = x / sqrt(mean of x^2 + eps) * weight over each row of the last axis: LayerNorm without the mean and
/// without the bias, which models hardly miss (Zhang & Sennrich 2019, arXiv 1910.07467). One parameter,
/// `weight` `[width]`, ones at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// The scale of each feature.
    pub weight: ParamId,
    /// Added to the mean square before its root is taken.
    pub eps: f32,
}

impl RmsNorm {
    /// Llama's.
    pub const EPS: f32 = 1e-5;

    /// For rows of `width` features.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, width: usize) -> Self {
        Self { weight: builder.add("weight", [width], Init::Ones), eps: Self::EPS }
    }

    /// (.., width) to (.., width)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        x.rms_norm(x.tape().param(self.weight), self.eps)
    }
}
