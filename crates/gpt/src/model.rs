//! The model: a decoder-only transformer, read side by side with nanoGPT's `model.py`.

use crate::config::{self, GptConfig};
use data::Batch;
use nn::{
    Dropout, DropoutSeeds, Embedding, FeedForward, FeedForwardConfig, Init, Linear, Norm, NormKind,
    ParamBuilder, SelfAttention, SelfAttentionConfig,
};
use random::Rng;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::ops::feed_forward::Activation;
use tensor::{ParamId, Params, Tape, Var};

/// One block: attention, then a feed-forward layer, each added to the residual stream and each reading it
/// through a norm (pre-norm: Xiong et al. 2020).
#[derive(Clone, Debug)]
pub struct Block {
    /// Before attention.
    pub ln_1: Norm,
    /// Positions read each other.
    pub attn: SelfAttention,
    /// Before the feed-forward layer.
    pub ln_2: Norm,
    /// Each position alone.
    pub mlp: FeedForward,
}

impl Block {
    fn new(mut builder: ParamBuilder<'_>, config: &GptConfig) -> Self {
        let &GptConfig { n_embd, n_head, bias, dropout, .. } = config;
        let proj_init = Init::residual(config.n_layer);
        let attn = SelfAttentionConfig { n_embd, n_head, bias, dropout, proj_init };
        let hidden = config.feed_forward_width();
        let mlp = FeedForwardConfig {
            n_embd,
            hidden,
            activation: config.activation.into(),
            bias,
            dropout,
            proj_init,
        };
        Self {
            ln_1: norm(builder.pp("ln_1"), config),
            attn: SelfAttention::new(builder.pp("attn"), &attn),
            ln_2: norm(builder.pp("ln_2"), config),
            mlp: FeedForward::new(builder.pp("mlp"), &mlp),
        }
    }

    fn forward<'t>(&self, x: Var<'t>, intervals: &Arc<Intervals>, seeds: &DropoutSeeds) -> Var<'t> {
        let x = x + self.attn.forward(self.ln_1.forward(x), intervals, seeds);
        x + self.mlp.forward(self.ln_2.forward(x), seeds)
    }
}

fn norm(builder: ParamBuilder<'_>, config: &GptConfig) -> Norm {
    let kind = match config.norm {
        config::Norm::LayerNorm => NormKind::LayerNorm,
        config::Norm::RmsNorm => NormKind::RmsNorm,
    };
    Norm::new(builder, kind, config.n_embd, config.bias).with_eps(config.norm_eps)
}

impl From<config::Activation> for Activation {
    fn from(name: config::Activation) -> Self {
        match name {
            config::Activation::Gelu => Self::Gelu,
            config::Activation::GeluTanh => Self::GeluTanh,
            config::Activation::Relu2 => Self::Relu2,
            config::Activation::Swiglu => Self::SwiGlu,
        }
    }
}

/// A GPT (Radford et al. 2019). It holds the ids of its parameters; the numbers are in [`Params`].
#[derive(Clone, Debug)]
pub struct Gpt {
    /// Its shape.
    pub config: GptConfig,
    /// Token embedding.
    pub wte: Embedding,
    /// Position embedding.
    pub wpe: Embedding,
    /// The blocks.
    pub h: Vec<Block>,
    /// After the last block.
    pub ln_f: Norm,
    /// From the residual stream to a score for each token. The token embedding's weights, if they are tied.
    pub lm_head: Linear,
    drop: Dropout,
}

impl Gpt {
    /// A model with freshly initialised parameters: normal with standard deviation 0.02, the projections
    /// back to the residual stream 0.02 / sqrt(2 L), norms 1, biases 0 (GPT-2's recipe).
    #[must_use]
    pub fn new(config: &GptConfig, params: &mut Params, rng: &mut Rng) -> Self {
        let c = config.n_embd;
        let mut builder = ParamBuilder::new(params, rng);
        let wte = Embedding::new(builder.pp("wte"), config.vocab_size, c);
        Self {
            config: config.clone(),
            wte,
            wpe: Embedding::new(builder.pp("wpe"), config.block_size, c),
            h: (0..config.n_layer).map(|i| Block::new(builder.pp(format!("h.{i}")), config)).collect(),
            ln_f: norm(builder.pp("ln_f"), config),
            lm_head: if config.tied {
                wte.as_linear()
            } else {
                Linear::new(builder.pp("lm_head"), c, config.vocab_size, false, Init::GPT2)
            },
            drop: Dropout::new(config.dropout),
        }
    }

    /// The rows of each of the matrices that lie one above the other in a weight of the blocks, for an optimizer that
    /// takes matrices as wholes ([`nn::optim::Muon`]): queries, keys and values in `c_attn`, the two halves of a
    /// gated layer in `c_fc`. Nothing for embeddings, head and vectors.
    #[must_use]
    pub fn stacked_rows(&self, params: &Params, id: ParamId) -> Vec<usize> {
        let rows = params.shape(id)[0];
        let gates = if self.config.activation == config::Activation::Swiglu { 2 } else { 1 };
        for Block { attn, mlp, .. } in &self.h {
            if id == attn.c_attn.weight {
                let queries = self.config.n_embd;
                return vec![queries, (rows - queries) / 2, (rows - queries) / 2];
            }
            if id == mlp.c_fc.weight {
                return vec![rows / gates; gates];
            }
            if id == attn.c_proj.weight || id == mlp.c_proj.weight {
                return vec![rows];
            }
        }
        Vec::new()
    }

    /// Scores for every next token: ids of shape (B, T) to logits (B, T, V).
    ///
    /// # Panics
    /// If T is larger than the block size, or an id is not in the vocabulary.
    #[track_caller]
    #[must_use]
    pub fn logits<'t>(
        &self,
        tape: &'t Tape<'_>,
        ids: &[u32],
        shape: [usize; 2],
        intervals: &Arc<Intervals>,
        seeds: &DropoutSeeds,
    ) -> Var<'t> {
        self.lm_head.forward(self.hidden(tape, ids, shape, intervals, seeds)) // (B, T, V)
    }

    /// What the head reads: ids of shape (B, T) to the normalised residual stream (B, T, C) after the last block.
    #[track_caller]
    fn hidden<'t>(
        &self,
        tape: &'t Tape<'_>,
        ids: &[u32],
        shape: [usize; 2],
        intervals: &Arc<Intervals>,
        seeds: &DropoutSeeds,
    ) -> Var<'t> {
        let (t, block_size) = (shape[1], self.config.block_size);
        assert!(
            t <= block_size,
            "cannot forward a sequence of length {t}: the block size is only {block_size}"
        );
        let x = self.wte.forward_with_positions(&self.wpe, tape, ids, &shape); // (B, T, C)
        let mut x = self.drop.forward(x, seeds);
        for block in &self.h {
            let mark = tape.mark();
            x = block.forward(x, intervals, seeds);
            tape.free_since(mark, x); // on a tape that does not record, or that computes again what it forgets
        }
        self.ln_f.forward(x)
    }

    /// The mean cross-entropy of a batch, weighted: sum(w CE) / sum(w), in nats.
    #[track_caller]
    #[must_use]
    pub fn loss<'t>(&self, tape: &'t Tape<'_>, batch: &Batch, seeds: &DropoutSeeds) -> Var<'t> {
        self.loss_of_part(tape, batch, batch.total_weight() as f32, seeds, Regularizer::NONE)
    }

    /// What a part of a batch contributes to the batch's loss: sum(w CE) of the part / `total_weight` of the
    /// whole, with what the regularizer adds. The parts' losses and gradients add up to the whole's; a mean of means
    /// would not.
    #[track_caller]
    #[must_use]
    pub fn loss_of_part<'t>(
        &self,
        tape: &'t Tape<'_>,
        part: &Batch,
        total_weight: f32,
        seeds: &DropoutSeeds,
        regularizer: Regularizer,
    ) -> Var<'t> {
        let shape = [part.batch_size, part.block_size];
        let intervals = Arc::new(Intervals::causal(part.block_size));
        let x = self.hidden(tape, &part.ids, shape, &intervals, seeds);
        self.lm_head.cross_entropy(x, &part.labels, &part.weights, total_weight, regularizer)
    }
}
