//! The self-attention layer.

use super::dropout::{Dropout, DropoutSeeds};
use crate::{Init, Linear, ParamBuilder};
use std::sync::Arc;
use tensor::Var;
use tensor::kernels::attention::Intervals;

/// Settings of [`SelfAttention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfAttentionConfig {
    /// C: features of a position.
    pub n_embd: usize,
    /// NH: heads, each of C / NH features.
    pub n_head: usize,
    /// Whether the projections have a bias.
    pub bias: bool,
    /// The probability of dropout, on the attention weights and on the output.
    pub dropout: f32,
    /// How the output projection begins; [`Init::residual`] in GPT-2.
    pub proj_init: Init,
}

/// Multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762): every position asks (query), offers
/// (key) and tells (value); it receives the average of what the others tell, weighted by how well their
/// offers fit what it asks. Parameters `c_attn` (queries, keys and values in one, `[3C, C]`) and `c_proj`
/// (`[C, C]`), as in GPT-2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfAttention {
    /// The projection to queries, keys and values.
    pub c_attn: Linear,
    /// The projection of the heads' outputs, side by side, back to the residual stream.
    pub c_proj: Linear,
    n_head: usize,
    attn_dropout: Dropout,
    resid_dropout: Dropout,
}

impl SelfAttention {
    /// # Panics
    /// If `n_head` does not divide `n_embd`.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, config: &SelfAttentionConfig) -> Self {
        let &SelfAttentionConfig { n_embd, n_head, bias, dropout, proj_init } = config;
        assert!(
            n_head > 0 && n_embd.is_multiple_of(n_head),
            "self-attention: expected n_head to divide n_embd; found n_head {n_head}, n_embd {n_embd}"
        );
        Self {
            c_attn: Linear::new(builder.pp("c_attn"), n_embd, 3 * n_embd, bias, Init::GPT2),
            c_proj: Linear::new(builder.pp("c_proj"), n_embd, n_embd, bias, proj_init),
            n_head,
            attn_dropout: Dropout::new(dropout),
            resid_dropout: Dropout::new(dropout),
        }
    }

    /// (B, T, C) to (B, T, C). Position i sees the positions in interval i, for instance
    /// `Intervals::causal(T)`.
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>, intervals: &Arc<Intervals>, seeds: &DropoutSeeds) -> Var<'t> {
        let qkv = self.c_attn.forward(x); // (B, T, 3C)
        let y = qkv.attention(self.n_head, intervals, self.attn_dropout.draw(x.tape(), seeds)); // (B, T, C)
        self.resid_dropout.forward(self.c_proj.forward(y), seeds)
    }
}
