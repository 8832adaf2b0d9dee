//! The self-attention layer.

use super::context::Context;
use super::dropout::Dropout;
use crate::peft::{Adapter, Prefix};
use crate::{Init, Linear, ParamBuilder};
use std::sync::Arc;
use tensor::kernels::attention::Heads;
use tensor::kernels::rotary::{Rotary, Rotations};
use tensor::{ParamId, Var};

/// Settings of [`SelfAttention`].
#[derive(Clone, Debug, PartialEq)]
pub struct SelfAttentionConfig {
    /// C: features of a position.
    pub n_embd: usize,
    /// NH, heads of C / NH features, and NKV, heads of keys and values.
    pub heads: Heads,
    /// Whether the projections have a bias.
    pub bias: bool,
    /// The probability of dropout on the output.
    pub dropout: f32,
    /// The probability of dropout on the attention weights.
    pub attn_dropout: f32,
    /// How the output projection begins; [`Init::residual`] in GPT-2.
    pub proj_init: Init,
    /// Queries and keys are normalised, with this added to the mean square (QK-norm).
    pub qk_norm: Option<f32>,
    /// Queries and keys are turned by their positions (RoPE).
    pub rotations: Option<Arc<Rotations>>,
    /// What this layer has to do with the values of the first.
    pub value_residual: ValueResidual,
}

impl SelfAttentionConfig {
    /// Attention without any switch: no bias, no dropout, no positions of its own.
    #[must_use]
    pub fn new(n_embd: usize, heads: impl Into<Heads>) -> Self {
        Self {
            n_embd,
            heads: heads.into(),
            bias: false,
            dropout: 0.0,
            attn_dropout: 0.0,
            proj_init: Init::GPT2,
            qk_norm: None,
            rotations: None,
            value_residual: ValueResidual::None,
        }
    }
}

/// Value residual (Zhou et al. 2024, arXiv 2410.17897): later layers see the values of the first beside their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueResidual {
    /// Each layer has its own values.
    #[default]
    None,
    /// This is the first layer, which hands its values on.
    First,
    /// This layer blends its values with those of the first.
    Later,
}

/// Multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762): every position asks (query), offers
/// (key) and tells (value); it receives the average of what the others tell, weighted by how well their
/// offers fit what it asks. Parameters `c_attn` (queries, keys and values in one, `[C + 2 NKV hs, C]`) and `c_proj`
/// (`[C, C]`), as in GPT-2, and `value_blend` (2).
#[derive(Clone, Debug, PartialEq)]
pub struct SelfAttention {
    /// The projection to queries, keys and values.
    pub c_attn: Linear,
    /// The projection of the heads' outputs, side by side, back to the residual stream.
    pub c_proj: Linear,
    /// What happens to queries and keys in between.
    pub rotary: Rotary,
    /// The weights of this layer's values and of the first layer's.
    pub value_blend: Option<ParamId>,
    /// Learned keys and values that every position sees, in fine-tuning.
    pub prefix: Option<Prefix>,
    /// Behind the output, in fine-tuning with adapters.
    pub adapter: Option<Adapter>,
    hands_values_on: bool,
    attn_dropout: Dropout,
    resid_dropout: Dropout,
}

impl SelfAttention {
    /// # Panics
    /// If the number of heads does not divide `n_embd`, or that of keys and values not that of queries.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, config: &SelfAttentionConfig) -> Self {
        let &SelfAttentionConfig { n_embd, heads, bias, dropout, proj_init, .. } = config;
        let Heads { n_head, n_kv_head } = heads;
        assert!(
            n_head > 0 && n_embd.is_multiple_of(n_head),
            "self-attention: expected n_head to divide n_embd; found n_head {n_head}, n_embd {n_embd}"
        );
        assert!(
            n_kv_head > 0 && n_head.is_multiple_of(n_kv_head),
            "self-attention: expected n_kv_head to divide n_head; found n_kv_head {n_kv_head}, n_head {n_head}"
        );
        let width = n_embd / n_head * heads.in_row();
        Self {
            c_attn: Linear::new(builder.pp("c_attn"), n_embd, width, bias, Init::GPT2),
            c_proj: Linear::new(builder.pp("c_proj"), n_embd, n_embd, bias, proj_init),
            rotary: Rotary { heads, norm_eps: config.qk_norm, rotations: config.rotations.clone() },
            value_blend: (config.value_residual == ValueResidual::Later)
                .then(|| builder.add("value_blend", [2], Init::Pair(0.5, 0.5))),
            prefix: None,
            adapter: None,
            hands_values_on: config.value_residual == ValueResidual::First,
            attn_dropout: Dropout::new(config.attn_dropout),
            resid_dropout: Dropout::new(dropout),
        }
    }

    /// (B, T, C) to (B, T, C). What each position sees is in `cx`, and so are the caches, where the pass has some; the first
    /// layer leaves its values there, for those that blend theirs with them.
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>, cx: &mut Context<'t, '_>) -> Var<'t> {
        let mut qkv = self.c_attn.forward(x); // (B, T, C + 2 NKV hs)
        if self.hands_values_on {
            cx.first_values = Some(self.values(qkv));
        }
        if let (Some(weights), Some(first)) = (self.value_blend, cx.first_values) {
            qkv = qkv.blend(first, x.tape().param(weights));
        }
        let y = match &mut cx.growing {
            Some(growing) => {
                let before = self.prefix.map_or(0, |prefix| prefix.tokens);
                x.tape()
                    .compute(&[qkv], x.shape(), |qkv, y| growing.attend(&self.rotary, before, qkv[0].data, y))
            }
            None => self.attend(qkv, cx),
        };
        let y = self.resid_dropout.forward(self.c_proj.forward(y));
        self.adapter.map_or(y, |adapter| adapter.forward(y))
    }

    /// All positions at once: (B, T, C + 2 NKV hs) to (B, T, C).
    fn attend<'t>(&self, mut qkv: Var<'t>, cx: &Context<'t, '_>) -> Var<'t> {
        if self.rotary.norm_eps.is_some() || self.rotary.rotations.is_some() {
            qkv = qkv.rotary(&self.rotary);
        }
        let dropout = self.attn_dropout.draw(cx.tape);
        match &self.prefix {
            None => qkv.attention(self.rotary.heads, &cx.intervals, dropout),
            Some(prefix) => {
                let (qkv, intervals) = prefix.before(qkv, &cx.intervals); // (B, p + T, C + 2 NKV hs)
                prefix.without(qkv.attention(self.rotary.heads, &intervals, dropout))
            }
        }
    }

    fn values<'t>(&self, qkv: Var<'t>) -> Var<'t> {
        let (width, Heads { n_kv_head, .. }) = (qkv.shape()[2], self.rotary.heads);
        qkv.slice(2, width - width / self.rotary.heads.in_row() * n_kv_head, width)
    }
}
