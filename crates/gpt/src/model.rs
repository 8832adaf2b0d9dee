//! The model: a decoder-only transformer, read side by side with nanoGPT's `model.py`.

use crate::config::{GptConfig, Position};
use data::Batch;
use nn::{
    Cache, Context, Dropout, Embedding, FeedForward, FeedForwardConfig, Growing, Init, Linear,
    NgramEmbedding, NgramEmbeddingConfig, Norm, ParamBuilder, SelfAttention, SelfAttentionConfig, Sinusoids,
    ValueResidual, Visibility,
};
use random::Rng;
use std::sync::Arc;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::kernels::rotary::Rotations;
use tensor::ops::feed_forward::Activation;
use tensor::{ParamId, Params, Tape, Var, Workspace};

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
        }
    }

    fn forward<'t>(&self, x: Var<'t>, cx: &mut Context<'t, '_>) -> Var<'t> {
        let x = match (self.embedding_blend, cx.embedding) {
            (Some(weights), Some(embedding)) => x.blend(embedding, cx.tape.param(weights)),
            _ => x,
        };
        let x = x + self.attn.forward(self.ln_1.forward(x), cx);
        x + self.mlp.forward(self.ln_2.forward(x))
    }
}

fn norm(builder: ParamBuilder<'_>, config: &GptConfig) -> Norm {
    Norm::new(builder, config.norm.into(), config.n_embd, config.bias).with_eps(config.norm_eps)
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

    /// The non-linearity of the feed-forward layers, as the kernels name it.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.config.activation.into()
    }

    /// How far positions see: what makes all intervals of this model.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        Visibility { window: self.config.window }
    }

    /// A forward pass of ids of `shape` (B, T), whose positions see themselves and those before them.
    #[must_use]
    pub fn causal<'t>(&self, tape: &'t Tape<'_>, shape: [usize; 2]) -> Context<'t, 'static> {
        Context::new(tape, shape, self.visibility().causal(shape[1]))
    }

    /// A forward pass of a batch, whose positions see what the batch says.
    fn batched<'t>(&self, tape: &'t Tape<'_>, batch: &Batch) -> Context<'t, 'static> {
        let shape = [batch.batch_size, batch.block_size];
        match &batch.intervals {
            None => self.causal(tape, shape),
            Some(intervals) => {
                Context::new(tape, shape, self.visibility().cut(shape[1], intervals.iter().copied()))
            }
        }
    }

    /// The rows of each of the matrices that lie one above the other in a weight of the blocks, for an optimizer that
    /// takes matrices as wholes ([`nn::optim::Muon`]): queries, keys and values in `c_attn`, the two halves of a
    /// gated layer in `c_fc`. Nothing for embeddings, head and vectors.
    #[must_use]
    pub fn stacked_rows(&self, params: &Params, id: ParamId) -> Vec<usize> {
        let rows = params.shape(id)[0];
        let gates = self.activation().fan();
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

    /// Scores for every next token: ids (B, T) to logits (B, T, V).
    ///
    /// # Panics
    /// If T is larger than the block size, or an id is not in the vocabulary.
    #[track_caller]
    #[must_use]
    pub fn logits<'t>(&self, ids: &[u32], cx: &mut Context<'t, '_>) -> Var<'t> {
        self.unembed(self.hidden(ids, cx)) // (B, T, V)
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

    /// What the residual stream begins as: ids (B, T) to (B, T, C).
    fn embedding<'t>(&self, ids: &[u32], cx: &Context<'t, '_>) -> Var<'t> {
        let tokens = match &cx.growing {
            None => self.tokens_from_0(ids, cx),
            Some(growing) => self.tokens_from_caches(ids, cx, growing),
        };
        let x = match self.ngram.forward(ids, cx) {
            Some(ngrams) => tokens + ngrams,
            None => tokens,
        };
        self.drop.forward(x)
    }

    /// Token and position vectors of texts that begin here, (B, T, C).
    fn tokens_from_0<'t>(&self, ids: &[u32], cx: &Context<'t, '_>) -> Var<'t> {
        let (tape, shape) = (cx.tape, &cx.shape);
        let first = self.virtual_tokens(tape.params());
        match self.positions(tape) {
            None => self.wte.forward(tape, ids, shape),
            Some(all) if first == 0 => self.wte.forward_with_positions(all, ids, shape),
            Some(all) => self.wte.forward_with_positions(all.slice(0, first, first + shape[1]), ids, shape),
        }
    }

    /// Token and position vectors of new positions, each behind those of its cache, (B, T, C).
    fn tokens_from_caches<'t>(&self, ids: &[u32], cx: &Context<'t, '_>, growing: &Growing<'_>) -> Var<'t> {
        let (tape, shape) = (cx.tape, &cx.shape);
        let tokens = self.wte.forward(tape, ids, shape);
        let at: Vec<u32> = growing.places(shape[1]).map(|place| place as u32).collect();
        match (&self.wpe, &self.sinusoids) {
            (Some(wpe), _) => tokens + wpe.forward(tape, &at, shape),
            (None, Some(sinusoids)) => tokens + sinusoids.of(tape, &at).reshape(tokens.shape()),
            (None, None) => tokens,
        }
    }

    /// What the head reads: ids (B, T) to the normalised residual stream (B, T, C) after the last block.
    ///
    /// # Panics
    /// As [`Gpt::logits`].
    #[track_caller]
    #[must_use]
    pub fn hidden<'t>(&self, ids: &[u32], cx: &mut Context<'t, '_>) -> Var<'t> {
        let (t, block_size) = (cx.shape[1], self.max_tokens(cx.tape.params()));
        assert!(
            t <= block_size,
            "cannot forward a sequence of length {t}: the block size is only {block_size}"
        );
        let mut x = self.embedding(ids, cx); // (B, T, C)
        // With caches the prompt is in them.
        let prompt = self.prompt.filter(|_| cx.growing.is_none());
        if let Some(prompt) = prompt {
            x = self.after_prompt(cx.tape.param(prompt), x); // (B, p + T, C)
            cx.intervals = Arc::new(cx.intervals.after(x.shape()[1] - t));
        }
        x = self.blocks(x, cx);
        if prompt.is_some() {
            x = x.slice(1, x.shape()[1] - t, x.shape()[1]); // the text's positions
        }
        self.ln_f.forward(x)
    }

    fn blocks<'t>(&self, mut x: Var<'t>, cx: &mut Context<'t, '_>) -> Var<'t> {
        cx.embedding = Some(x);
        for (i, block) in self.h.iter().enumerate() {
            if let Some(growing) = &mut cx.growing {
                growing.layer = i;
            }
            let mark = cx.tape.mark();
            x = block.forward(x, cx);
            // on a tape that does not record, or that computes again what it forgets
            cx.tape.free_since(mark, &[x, cx.first_values.unwrap_or(x)]);
        }
        x
    }

    /// A cache before the first token: with the learned prompt or prefix in it, if there is one.
    #[must_use]
    pub fn new_cache(&self, params: &Params) -> Cache {
        let mut cache = Cache::new(self.h.len());
        for (i, prefix) in self.h.iter().enumerate().filter_map(|(i, h)| Some((i, h.attn.prefix?))) {
            let width = params.shape(prefix.keys_and_values)[1];
            cache.push_prefix(i, params.data(prefix.keys_and_values), width);
        }
        if let Some(prompt) = self.prompt {
            let workspace = Workspace::new();
            let tape = Tape::no_grad(params, &workspace);
            let x = self.with_positions(tape.param(prompt)); // (p, C)
            let [p, c] = x.shape()[..] else { unreachable!("a matrix") };
            let mut cx = self.growing(&tape, vec![&mut cache], vec![p], false);
            let _ = self.blocks(x.reshape([1, p, c]), &mut cx);
        }
        cache.set_virtual_tokens(self.virtual_tokens(params));
        cache
    }

    fn growing<'t, 'c>(
        &self,
        tape: &'t Tape<'_>,
        caches: Vec<&'c mut Cache>,
        new: Vec<usize>,
        both_sides: bool,
    ) -> Context<'t, 'c> {
        let visibility = self.visibility();
        Context::with_caches(tape, Growing { caches, new, visibility, both_sides, layer: 0 })
    }

    /// Sequences that go on: each cache takes its new tokens, at least one, and the logits (n, V) of the token after them are
    /// computed for the first `n` sequences. One call serves a prompt of many tokens, one token, and many sequences of
    /// unequal length. With `both_sides` the new tokens of a sequence all see each other, as in [`data::MaskSpec::Prefix`].
    /// The tape does not record.
    ///
    /// # Panics
    /// If a sequence gets no token, more than the context has room for, or one that is not in the vocabulary.
    #[track_caller]
    #[must_use]
    pub fn extend<'t>(
        &self,
        tape: &'t Tape<'_>,
        sequences: Vec<(&mut Cache, &[u32])>,
        n: usize,
        both_sides: bool,
    ) -> Var<'t> {
        let time = sequences.iter().map(|(_, tokens)| tokens.len()).max().expect("a sequence");
        let mut ids = vec![0; sequences.len() * time]; // (B, T)
        let (mut caches, mut new) =
            (Vec::with_capacity(sequences.len()), Vec::with_capacity(sequences.len()));
        for ((cache, tokens), ids) in sequences.into_iter().zip(ids.chunks_mut(time)) {
            assert!(!tokens.is_empty(), "a sequence goes on by at least one token");
            cache.push_tokens(tokens);
            let (positions, block_size) = (cache.positions(), self.config.block_size);
            assert!(positions <= block_size, "{positions} positions: the block size is only {block_size}");
            ids[..tokens.len()].copy_from_slice(tokens);
            caches.push(cache);
            new.push(tokens.len());
        }
        let mut cx = self.growing(tape, caches, new, both_sides);
        let x = self.hidden(&ids, &mut cx); // (B, T, C)
        let [b, t, c] = x.shape()[..] else { unreachable!("rows of positions") };
        if n == b * t {
            return self.unembed(x); // (B, 1, V)
        }
        let new = cx.growing.map(|growing| growing.new).unwrap_or_default();
        let last: Vec<u32> = new[..n].iter().enumerate().map(|(b, new)| (b * t + new - 1) as u32).collect();
        self.unembed(x.reshape([b * t, c]).embedding(&last, &[n]))
    }

    /// Positions that a learned prompt or prefix takes from the block: texts begin behind them.
    #[must_use]
    pub fn virtual_tokens(&self, params: &Params) -> usize {
        let prefix = || self.h.first().and_then(|h| h.attn.prefix).map_or(0, |prefix| prefix.tokens);
        self.prompt.map_or_else(prefix, |prompt| params.shape(prompt)[0])
    }

    /// Tokens of a text that have room.
    #[must_use]
    pub fn max_tokens(&self, params: &Params) -> usize {
        self.config.block_size - self.virtual_tokens(params)
    }

    /// A prompt (p, C), with its positions, before each text (B, T, C).
    fn after_prompt<'t>(&self, prompt: Var<'t>, text: Var<'t>) -> Var<'t> {
        let [p, c] = prompt.shape()[..] else { unreachable!("a matrix") };
        let prompts = self.with_positions(prompt).broadcast_to([text.shape()[0], p, c]);
        prompts.concat(1, &[text])
    }

    /// Rows (p, C) at the first p positions.
    fn with_positions<'t>(&self, rows: Var<'t>) -> Var<'t> {
        match self.positions(rows.tape()) {
            None => rows,
            Some(all) => rows + all.slice(0, 0, rows.shape()[0]),
        }
    }

    /// The mean cross-entropy of a batch, weighted: sum(w CE) / sum(w), in nats.
    #[track_caller]
    #[must_use]
    pub fn loss<'t>(&self, tape: &'t Tape<'_>, batch: &Batch) -> Var<'t> {
        self.loss_of_part(tape, batch, batch.total_weight() as f32, Regularizer::NONE)
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
        regularizer: Regularizer,
    ) -> Var<'t> {
        let x = self.hidden(&part.ids, &mut self.batched(tape, part)); // (B, T, C)
        let soft_cap = (self.config.soft_cap > 0.0).then_some(self.config.soft_cap);
        let asked: Vec<u32> = (0..).zip(&part.weights).filter(|(_, w)| **w != 0.0).map(|(i, _)| i).collect();
        if asked.is_empty() || asked.len() == part.weights.len() {
            return self.lm_head.cross_entropy(
                x,
                soft_cap,
                &part.labels,
                &part.weights,
                total_weight,
                regularizer,
            );
        }
        // (A part where nothing counts has a loss, too: 0, which all parameters are on the way to.)
        // Only what is asked for meets the vocabulary: with masked words, pairs and dialogues that is a part.
        let x = x.reshape([part.weights.len(), self.config.n_embd]).embedding(&asked, &[asked.len()]); // (N, C)
        let labels: Vec<u32> = asked.iter().map(|&i| part.labels[i as usize]).collect();
        let weights: Vec<f32> = asked.iter().map(|&i| part.weights[i as usize]).collect();
        self.lm_head.cross_entropy(x, soft_cap, &labels, &weights, total_weight, regularizer)
    }
}
