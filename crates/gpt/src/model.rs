//! The model: a decoder-only transformer, read side by side with nanoGPT's `model.py`.

use crate::config::{self, GptConfig, Position};
use data::Batch;
use nn::peft::Adapter;
use nn::{
    Dropout, DropoutSeeds, Embedding, FeedForward, FeedForwardConfig, Init, Linear, NgramEmbedding,
    NgramEmbeddingConfig, Norm, NormKind, ParamBuilder, SelfAttention, SelfAttentionConfig, Sinusoids,
    ValueResidual,
};
use random::Rng;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::kernels::rotary::Rotations;
use tensor::ops::feed_forward::Activation;
use tensor::{ParamId, Params, Tape, Var};

/// One block: attention, then a feed-forward layer, each added to the residual stream and each reading it
/// through a norm (pre-norm: Xiong et al. 2020).
#[derive(Clone, Debug)]
pub struct Block {
    /// The weights of the stream and of the embedding it began as, whose blend the block reads.
    pub embedding_blend: Option<ParamId>,
    /// Before attention.
    pub ln_1: Norm,
    /// Positions read each other.
    pub attn: SelfAttention,
    /// Before the feed-forward layer.
    pub ln_2: Norm,
    /// Each position alone.
    pub mlp: FeedForward,
    /// Behind attention and behind the feed-forward layer, in fine-tuning with adapters.
    pub adapters: Option<[Adapter; 2]>,
}

impl Block {
    /// Block number `i`.
    fn new(
        mut builder: ParamBuilder<'_>,
        config: &GptConfig,
        i: usize,
        rotations: Option<&Arc<Rotations>>,
    ) -> Self {
        let &GptConfig { n_embd, bias, dropout, .. } = config;
        let proj_init = if config.zero_init { Init::Zeros } else { Init::residual(config.n_layer) };
        let attn = SelfAttentionConfig {
            n_embd,
            heads: config.heads(),
            bias,
            dropout,
            attn_dropout: config.attn_dropout.unwrap_or(dropout),
            proj_init,
            qk_norm: config.qk_norm.then_some(config.norm_eps),
            rotations: rotations.cloned(),
            value_residual: match i {
                _ if !config.value_residual => ValueResidual::None,
                0 => ValueResidual::First,
                _ => ValueResidual::Later,
            },
        };
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
            embedding_blend: config
                .embedding_skip
                .then(|| builder.add("embedding_blend", [2], Init::Pair(1.0, 0.0))),
            ln_1: norm(builder.pp("ln_1"), config),
            attn: SelfAttention::new(builder.pp("attn"), &attn),
            ln_2: norm(builder.pp("ln_2"), config),
            mlp: FeedForward::new(builder.pp("mlp"), &mlp),
            adapters: None,
        }
    }

    fn forward<'t>(&self, x: Var<'t>, context: &mut Context<'t, '_>) -> Var<'t> {
        let Context { embedding, first_values, intervals, seeds } = context;
        let x = match self.embedding_blend {
            Some(weights) => x.blend(*embedding, x.tape().param(weights)),
            None => x,
        };
        let adapted = |i: usize, y: Var<'t>| self.adapters.map_or(y, |adapters| adapters[i].forward(y));
        let x = x + adapted(0, self.attn.forward(self.ln_1.forward(x), intervals, first_values, seeds));
        x + adapted(1, self.mlp.forward(self.ln_2.forward(x), seeds))
    }
}

/// What all blocks share in one forward.
struct Context<'t, 'a> {
    /// What the stream began as, (B, T, C).
    embedding: Var<'t>,
    /// The values of the first block, where later ones see them: (B, T, NKV hs).
    first_values: Option<Var<'t>>,
    /// Which positions each one sees.
    intervals: &'a Arc<Intervals>,
    /// Of the masks of dropout.
    seeds: &'a DropoutSeeds,
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
    /// Position embedding, where positions are learned.
    pub wpe: Option<Embedding>,
    /// What the last few tokens say together, if anything.
    pub ngram: NgramEmbedding,
    /// The blocks.
    pub h: Vec<Block>,
    /// After the last block.
    pub ln_f: Norm,
    /// From the residual stream to a score for each token. The token embedding's weights, if they are tied.
    pub lm_head: Linear,
    /// Vectors (p, C) that stand before every text, in fine-tuning.
    pub prompt: Option<ParamId>,
    /// Position vectors that are not learned.
    pub(crate) sinusoids: Option<Sinusoids>,
    drop: Dropout,
}

impl Gpt {
    /// A model with freshly initialised parameters: normal with standard deviation 0.02, the projections
    /// back to the residual stream 0.02 / sqrt(2 L), norms 1, biases 0 (GPT-2's recipe). With `zero_init` the projections
    /// and an untied head begin at zero.
    #[must_use]
    pub fn new(config: &GptConfig, params: &mut Params, rng: &mut Rng) -> Self {
        Self::build(config, ParamBuilder::new(params, rng))
    }

    /// A model whose parameters are zeros, to be replaced by those of a file: no random numbers are drawn.
    #[must_use]
    pub fn zeros(config: &GptConfig, params: &mut Params) -> Self {
        Self::build(config, ParamBuilder::zeros(params))
    }

    pub(crate) fn build(config: &GptConfig, mut builder: ParamBuilder<'_>) -> Self {
        let &GptConfig { n_layer, n_embd, vocab_size, block_size, .. } = config;
        let positions = if builder.has_values() { block_size } else { 0 }; // in tables that are no parameters
        let rotations = (config.position == Position::Rope)
            .then(|| Arc::new(Rotations::new(positions, config.head_size(), config.rope_base)));
        let wte = Embedding::new(builder.pp("wte"), vocab_size, n_embd);
        Self {
            config: config.clone(),
            wte,
            wpe: (config.position == Position::Learned)
                .then(|| Embedding::new(builder.pp("wpe"), block_size, n_embd)),
            ngram: NgramEmbedding::new(
                builder.pp("ngram"),
                &NgramEmbeddingConfig {
                    n_embd,
                    max_order: config.ngram,
                    rows: config.ngram_rows,
                    dropout: config.ngram_dropout,
                },
            ),
            h: (0..n_layer)
                .map(|i| Block::new(builder.pp(format!("h.{i}")), config, i, rotations.as_ref()))
                .collect(),
            ln_f: norm(builder.pp("ln_f"), config),
            lm_head: if config.tied {
                wte.as_linear()
            } else {
                let init = if config.zero_init { Init::Zeros } else { Init::GPT2 };
                Linear::new(builder.pp("lm_head"), n_embd, vocab_size, false, init)
            },
            prompt: None,
            sinusoids: (config.position == Position::Sinusoidal).then(|| Sinusoids::new(positions, n_embd)),
            drop: Dropout::new(config.dropout),
        }
    }

    /// Which positions each one sees in a batch: its intervals, cut to the window if the model has one.
    fn intervals_of(&self, batch: &Batch) -> Arc<Intervals> {
        let time = batch.block_size;
        let Some(intervals) = &batch.intervals else { return self.intervals(time) };
        let window = self.config.window.unwrap_or(usize::MAX);
        let rows = intervals.iter().enumerate();
        let (lo, hi) =
            rows.map(|(at, &(lo, hi))| (lo.max((at % time + 1).saturating_sub(window) as u32), hi)).unzip();
        Arc::new(Intervals::new(lo, hi, time))
    }

    /// Which positions each of `time` sees in a text: all before it and itself, or the last few of them.
    #[must_use]
    pub fn intervals(&self, time: usize) -> Arc<Intervals> {
        Arc::new(match self.config.window {
            None => Intervals::causal(time),
            Some(window) => Intervals::sliding_window(time, window),
        })
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
        self.unembed(self.hidden(tape, ids, shape, intervals, seeds)) // (B, T, V)
    }

    /// From what the head reads, (.., C), to logits (.., V), within the bound if there is one.
    pub(crate) fn unembed<'t>(&self, x: Var<'t>) -> Var<'t> {
        let logits = self.lm_head.forward(x);
        if self.config.soft_cap > 0.0 { logits.soft_cap(self.config.soft_cap) } else { logits }
    }

    /// The vectors of all positions, (block_size, C), if positions have any.
    fn positions<'t>(&self, tape: &'t Tape<'_>) -> Option<Var<'t>> {
        let learned = self.wpe.map(|wpe| tape.param(wpe.weight));
        learned.or_else(|| self.sinusoids.as_ref().map(|sinusoids| sinusoids.on(tape)))
    }

    /// What the residual stream begins as: ids of shape (B, T) to (B, T, C).
    fn embedding<'t>(
        &self,
        tape: &'t Tape<'_>,
        ids: &[u32],
        shape: [usize; 2],
        intervals: &Arc<Intervals>,
        seeds: &DropoutSeeds,
    ) -> Var<'t> {
        let first = self.virtual_tokens(tape.params());
        let tokens = match self.positions(tape) {
            None => self.wte.forward(tape, ids, &shape),
            Some(all) if first == 0 => self.wte.forward_with_positions(all, ids, &shape),
            Some(all) => self.wte.forward_with_positions(all.slice(0, first, first + shape[1]), ids, &shape),
        };
        let x = match self.ngram.forward(tape, ids, shape, intervals, seeds) {
            Some(ngrams) => tokens + ngrams,
            None => tokens,
        };
        self.drop.forward(x, seeds)
    }

    /// What the head reads: ids of shape (B, T) to the normalised residual stream (B, T, C) after the last block.
    ///
    /// # Panics
    /// As [`Gpt::logits`].
    #[track_caller]
    #[must_use]
    pub fn hidden<'t>(
        &self,
        tape: &'t Tape<'_>,
        ids: &[u32],
        shape: [usize; 2],
        intervals: &Arc<Intervals>,
        seeds: &DropoutSeeds,
    ) -> Var<'t> {
        let (t, block_size) = (shape[1], self.most_tokens(tape.params()));
        assert!(
            t <= block_size,
            "cannot forward a sequence of length {t}: the block size is only {block_size}"
        );
        let text = self.embedding(tape, ids, shape, intervals, seeds); // (B, T, C)
        let (embedding, intervals) = &match self.prompt {
            None => (text, intervals.clone()),
            Some(prompt) => self.after_prompt(tape.param(prompt), text, intervals), // (B, p + T, C)
        };
        let embedding = *embedding;
        let mut context = Context { embedding, first_values: None, intervals, seeds };
        let mut x = embedding;
        for block in &self.h {
            let mark = tape.mark();
            x = block.forward(x, &mut context);
            // on a tape that does not record, or that computes again what it forgets
            tape.free_since(mark, &[x, context.first_values.unwrap_or(x)]);
        }
        let x = match self.prompt {
            None => x,
            Some(_) => x.slice(1, x.shape()[1] - t, x.shape()[1]), // the text's positions
        };
        self.ln_f.forward(x)
    }

    /// Positions that a learned prompt or prefix takes from the block: texts begin behind them.
    #[must_use]
    pub fn virtual_tokens(&self, params: &Params) -> usize {
        let prefix = || self.h.first().and_then(|h| h.attn.prefix).map_or(0, |prefix| prefix.tokens);
        self.prompt.map_or_else(prefix, |prompt| params.shape(prompt)[0])
    }

    /// Tokens of a text that have room.
    #[must_use]
    pub fn most_tokens(&self, params: &Params) -> usize {
        self.config.block_size - self.virtual_tokens(params)
    }

    /// A prompt (p, C), with its positions, before each text (B, T, C), and what the positions of both then see.
    fn after_prompt<'t>(
        &self,
        prompt: Var<'t>,
        text: Var<'t>,
        intervals: &Intervals,
    ) -> (Var<'t>, Arc<Intervals>) {
        let [p, c] = prompt.shape()[..] else { unreachable!("a matrix") };
        let prompt = match self.positions(prompt.tape()) {
            None => prompt,
            Some(all) => prompt + all.slice(0, 0, p),
        };
        let prompts = prompt.broadcast_to([text.shape()[0], p, c]);
        (prompts.concat(1, &[text]), Arc::new(intervals.after(p)))
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
        let intervals = self.intervals_of(part);
        let x = self.hidden(tape, &part.ids, shape, &intervals, seeds);
        if self.config.soft_cap > 0.0 {
            return self.unembed(x).regularized_cross_entropy(
                &part.labels,
                &part.weights,
                total_weight,
                regularizer,
            );
        }
        self.lm_head.cross_entropy(x, &part.labels, &part.weights, total_weight, regularizer)
    }
}
