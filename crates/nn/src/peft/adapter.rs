//! Adapters: a narrow two-layer network behind a layer, with a way around it.
//!
//! y = x + W_up gelu(W_down x + b_down) + b_up,   W_down (m, C), W_up (C, m)
//!
//! W_up begins at zero and so do the biases, so y begins as x.
//!
//! Houlsby et al. 2019 (arXiv 1902.00751); two in each block, behind attention and behind the feed-forward layer.

use crate::{Init, Linear, ParamBuilder};
use tensor::Var;

/// A bottleneck of m features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adapter {
    /// To m features.
    pub down: Linear,
    /// And back.
    pub up: Linear,
}

impl Adapter {
    /// Parameters `down` and `up`, with biases.
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, n_embd: usize, width: usize) -> Self {
        Self {
            down: Linear::new(builder.pp("down"), n_embd, width, true, Init::GPT2),
            up: Linear::new(builder.pp("up"), width, n_embd, true, Init::Zeros),
        }
    }

    /// (.., C) to (.., C)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        x + self.up.forward(self.down.forward(x).gelu())
    }
}
