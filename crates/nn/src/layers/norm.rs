//! Either norm, for models that let one choose.

use crate::{LayerNorm, ParamBuilder, RmsNorm};
use tensor::Var;

/// Which norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormKind {
    /// [`LayerNorm`].
    #[default]
    LayerNorm,
    /// [`RmsNorm`].
    RmsNorm,
}

/// One of the two norms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// [`LayerNorm`].
    LayerNorm(LayerNorm),
    /// [`RmsNorm`].
    RmsNorm(RmsNorm),
}

impl Norm {
    /// A norm of this kind for rows of `width` features. RMSNorm has no bias, whatever `bias` says.
    #[track_caller]
    #[must_use]
    pub fn new(builder: ParamBuilder<'_>, kind: NormKind, width: usize, bias: bool) -> Self {
        match kind {
            NormKind::LayerNorm => Self::LayerNorm(LayerNorm::new(builder, width, bias)),
            NormKind::RmsNorm => Self::RmsNorm(RmsNorm::new(builder, width)),
        }
    }

    /// The same norm with another eps than the usual one.
    #[must_use]
    pub fn with_eps(self, eps: f32) -> Self {
        match self {
            Self::LayerNorm(norm) => Self::LayerNorm(LayerNorm { eps, ..norm }),
            Self::RmsNorm(norm) => Self::RmsNorm(RmsNorm { eps, ..norm }),
        }
    }

    /// (.., width) to (.., width)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self {
            Self::LayerNorm(norm) => norm.forward(x),
            Self::RmsNorm(norm) => norm.forward(x),
        }
    }
}
