//! The feed-forward layer.

use super::dropout::Dropout;
use crate::peft::Adapter;
use crate::{Init, Linear, ParamBuilder};
use tensor::Var;
use tensor::kernels::feed_forward::activate;
use tensor::ops::feed_forward::Activation;

/// Settings of [`FeedForward`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedForwardConfig {
    /// C: features of a position.
    pub n_embd: usize,
    /// H: features in between; [`hidden_width`] has the usual number.
    pub hidden: usize,
    /// The function in between.
    pub activation: Activation,
    /// Whether the projections have a bias.
    pub bias: bool,
    /// The probability of dropout on the output.
    pub dropout: f32,
    /// How the output projection begins; [`Init::residual`] in GPT-2.
    pub proj_init: Init,
}

/// The two-layer network that each position goes through alone: up to H features, an activation, and down
/// again. Parameters `c_fc` (`[H, C]`; for SwiGLU `[2H, C]`, the gate's rows first) and `c_proj` (`[C, H]`).
/// `mlp` in nanoGPT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedForward {
    /// Up.
    pub c_fc: Linear,
    /// Down, back to the residual stream.
    pub c_proj: Linear,
    /// Behind the output, in fine-tuning with adapters.
    pub adapter: Option<Adapter>,
    activation: Activation,
    dropout: Dropout,
}

/// The usual H: 4 C. SwiGLU has three matrices instead of two, so that 8/3 C gives the same number of
/// parameters (Shazeer 2020, arXiv 2002.05202); rounded to a multiple of 16, the lanes of a vector.
///
/// ```
/// use tensor::ops::feed_forward::Activation;
/// assert_eq!(nn::hidden_width(Activation::Gelu, 384), 1536);
/// assert_eq!(nn::hidden_width(Activation::SwiGlu, 384), 1024);
/// ```
#[must_use]
pub fn hidden_width(activation: Activation, n_embd: usize) -> usize {
    match activation {
        // 8/3 C / 16 = 8 C / 48, to the nearest. Saturating: a size may come from a file, not yet validated.
        Activation::SwiGlu => (n_embd.saturating_mul(8).saturating_add(24) / 48 * 16).max(16),
        _ => n_embd.saturating_mul(4),
    }
}

impl FeedForward {
    /// A layer with these settings.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, config: &FeedForwardConfig) -> Self {
        let &FeedForwardConfig { n_embd, hidden, activation, bias, dropout, proj_init } = config;
        let up = if activation == Activation::SwiGlu { 2 * hidden } else { hidden };
        Self {
            c_fc: Linear::new(builder.pp("c_fc"), n_embd, up, bias, Init::GPT2),
            c_proj: Linear::new(builder.pp("c_proj"), hidden, n_embd, bias, proj_init),
            adapter: None,
            activation,
            dropout: Dropout::new(dropout),
        }
    }

    /// (.., C) to (.., C)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = if self.c_fc.reads_weight_once(x) {
            self.c_proj.forward(self.activate(self.c_fc.forward(x)))
        } else {
            let (c_fc, c_fc_bias) = self.c_fc.on_tape(x);
            let (c_proj, c_proj_bias) = self.c_proj.on_tape(x);
            // c_proj(activation(c_fc(x))), without writing what is in between to memory more than needed
            x.feed_forward(c_fc, c_fc_bias, c_proj, c_proj_bias, self.activation)
        };
        let y = self.dropout.forward(y);
        self.adapter.map_or(y, |adapter| adapter.forward(y))
    }

    /// The non-linearity alone, on a tape that does not record: (.., fan H) to (.., H).
    fn activate<'t>(&self, h: Var<'t>) -> Var<'t> {
        let shape = h.shape();
        let hidden = shape[shape.len() - 1] / self.activation.fan();
        h.tape()
            .compute(&[h], shape.with_last(hidden), |h, a| activate(self.activation, h[0].data, hidden, a))
    }
}
