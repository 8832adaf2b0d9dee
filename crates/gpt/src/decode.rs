//! Writing one token at a time, with a cache of keys and values.
//!
//! The forward of [`Gpt`] computes all positions of a sequence at once. While writing, only the newest
//! position is new: its query is compared with the keys of all positions before it, which have not changed.
//! So they are kept, and a token costs one pass over the weights instead of T. This is the same arithmetic on
//! the same parameters, by the kernels alone, without a tape; a test holds it to the model's logits.
//!
//! A token's time is that of reading all weights, so they may be read in eight bits: [`Int8Weights`].

use crate::config::GptConfig;
use crate::model::{Block, Gpt};
use nn::{Linear, Norm};
use std::collections::HashMap;
use tensor::kernels::attention;
use tensor::kernels::cross_entropy::{Regularizer, Targets, cross_entropy_forward};
use tensor::kernels::feed_forward::activate;
use tensor::kernels::int8::{Int8Matrix, Int16Vector, matvec_int8};
use tensor::kernels::layer_norm::layer_norm_forward;
use tensor::kernels::matvec::matvec;
use tensor::kernels::rms_norm::rms_norm_forward;
use tensor::kernels::rotary::rotary_forward;
use tensor::kernels::vmath::add_assign;
use tensor::ops::feed_forward::Activation;
use tensor::ops::soft_cap::SoftCap;
use tensor::{ParamId, Params};

/// The weights of a model's linear layers in eight bits, with one scale a row: made once, for any number of decoders.
/// Embeddings, norms and biases stay as they are.
pub struct Int8Weights(HashMap<ParamId, Int8Matrix>);

impl Int8Weights {
    /// Rounds the weights of `model`.
    #[must_use]
    pub fn new(model: &Gpt, params: &Params) -> Self {
        let blocks = model.h.iter();
        let layers = blocks.flat_map(|h| [&h.attn.c_attn, &h.attn.c_proj, &h.mlp.c_fc, &h.mlp.c_proj]);
        let int8 = |layer: &Linear| {
            let columns = params.shape(layer.weight)[1];
            (layer.weight, Int8Matrix::new(params.data(layer.weight), columns))
        };
        Self(layers.chain([&model.lm_head]).map(int8).collect())
    }

    /// Bytes in memory: about a quarter of what the weights take in f32.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.values().map(Int8Matrix::bytes).sum()
    }
}

/// Keys and values of the positions so far, in every block.
struct Cache {
    k: Vec<f32>, // (block_size, NKV hs)
    v: Vec<f32>, // (block_size, NKV hs)
}

/// What one position carries from block to block.
struct Position {
    at: usize,
    x: Vec<f32>,         // (C): the residual stream
    embedding: Vec<f32>, // (C): what it began as, where blocks see it again
    q: Vec<f32>,         // (C): the query in the block at hand, normalised and turned
    first_v: Vec<f32>,   // (NKV hs): the values of the first block, where later ones see them
}

impl Position {
    fn new(config: &GptConfig) -> Self {
        let (c, kv) = (config.n_embd, config.heads().n_kv_head * config.head_size());
        let zeros = |width| vec![0.0; width];
        Self { at: 0, x: zeros(c), embedding: zeros(c), q: zeros(c), first_v: zeros(kv) }
    }

    /// Nothing, where one was taken away to be worked on.
    fn empty() -> Self {
        Self { at: 0, x: Vec::new(), embedding: Vec::new(), q: Vec::new(), first_v: Vec::new() }
    }
}

/// Feeds a model one token at a time.
///
/// ```
/// use gpt::{Decoder, Gpt, config::Preset};
/// use random::{Rng, Stream};
/// let config = Preset::NanoCpu.config(65).model;
/// let mut params = tensor::Params::new();
/// let model = Gpt::new(&config, &mut params, &mut Rng::new(1337, Stream::Init));
/// let mut decoder = Decoder::new(&model, &params);
/// decoder.push(7);
/// assert_eq!(decoder.push(3).len(), 65);   // a score for each token that may follow "7 3"
/// ```
pub struct Decoder<'m> {
    model: &'m Gpt,
    weights: Weights<'m>,
    caches: Vec<Cache>,
    window: Vec<u32>, // the tokens whose keys and values are in the caches
    newest: Position, // the last of them
    normed: Vec<f32>, // (C)
    qkv: Vec<f32>,    // (C + 2 NKV hs)
    turned: Vec<f32>, // (C + 2 NKV hs): with queries and keys normalised and turned
    rstd: Vec<f32>,   // (NH + NKV), with QK-norm
    y: Vec<f32>,      // (C)
    h: Vec<f32>,      // (fan F)
    a: Vec<f32>,      // (F)
    logits: Vec<f32>, // (V)
}

impl<'m> Decoder<'m> {
    /// A decoder that has seen nothing.
    ///
    /// # Panics
    /// If the model is prepared for fine-tuning: [`Gpt::merge`] it first.
    #[must_use]
    pub fn new(model: &'m Gpt, params: &'m Params) -> Self {
        assert!(model.is_plain(), "merge what was tuned before writing");
        let config = &model.config;
        let (c, hidden, heads) = (config.n_embd, config.feed_forward_width(), config.heads());
        let kv = heads.n_kv_head * config.head_size();
        let row = heads.in_row() * config.head_size();
        let rows = |width: usize| vec![0.0; config.block_size * width];
        let rotary = model.h.first().map(|block| &block.attn.rotary);
        Self {
            model,
            weights: Weights { params, int8: None, rounded: Int16Vector::default() },
            caches: (0..config.n_layer).map(|_| Cache { k: rows(kv), v: rows(kv) }).collect(),
            window: Vec::with_capacity(config.block_size),
            newest: Position::new(config),
            normed: vec![0.0; c],
            qkv: vec![0.0; row],
            turned: vec![0.0; row],
            rstd: vec![0.0; rotary.map_or(0, |rotary| rotary.statistics(1))],
            y: vec![0.0; c],
            h: vec![0.0; hidden * model.activation().fan()],
            a: vec![0.0; hidden],
            logits: vec![0.0; config.vocab_size],
        }
    }

    /// Computes with these weights instead of those in `params`. They must be of this model, or the first token panics.
    #[must_use]
    pub fn with_int8(mut self, weights: &'m Int8Weights) -> Self {
        self.weights.int8 = Some(weights);
        self
    }

    /// Takes the next token; answers the scores of the one after it, (V).
    ///
    /// When `block_size` tokens are in the window, the older half is forgotten: positions are counted from its
    /// beginning, so a window that moves must be computed again, and doing that once every half window keeps writing
    /// at a constant cost a token.
    ///
    /// # Panics
    /// If the token is not in the vocabulary.
    pub fn push(&mut self, token: u32) -> &[f32] {
        if self.window.len() == self.model.config.block_size {
            let kept = self.window.split_off(self.window.len() / 2 + self.window.len() % 2);
            self.window.clear();
            kept.into_iter().for_each(|token| self.forward(token));
        }
        self.forward(token);
        self.head();
        &self.logits
    }

    /// Takes several tokens; answers the scores of the one after them, (V), or zeros for none. Only what fits
    /// into the window is computed.
    pub fn push_all(&mut self, tokens: &[u32]) -> &[f32] {
        let block_size = self.model.config.block_size;
        if self.window.len() + tokens.len() > block_size {
            // What would be forgotten on the way need not be computed.
            let mut all = std::mem::take(&mut self.window);
            all.extend_from_slice(tokens);
            let first = all.len() - block_size;
            all[first..].iter().for_each(|&token| self.forward(token));
        } else {
            tokens.iter().for_each(|&token| self.forward(token));
        }
        if !tokens.is_empty() {
            self.head();
        }
        &self.logits
    }

    /// Takes the beginning of a text in which every position sees all of the beginning, as in [`data::MaskSpec::Prefix`];
    /// answers the scores of the token after it, (V).
    ///
    /// # Panics
    /// If something was seen before, or there are no tokens, or more than the context holds.
    pub fn push_prefix(&mut self, tokens: &[u32]) -> &[f32] {
        let config = &self.model.config;
        assert!(self.window.is_empty(), "a prefix is the beginning");
        assert!((1..=config.block_size).contains(&tokens.len()), "1 to {} tokens", config.block_size);
        let mut positions: Vec<Position> = tokens.iter().map(|_| Position::new(config)).collect();
        for (&token, position) in tokens.iter().zip(&mut positions) {
            self.embed(token, position);
        }
        for (i, block) in self.model.h.iter().enumerate() {
            positions.iter_mut().for_each(|position| self.keys_and_values(i, block, position));
            positions.iter_mut().for_each(|position| self.attend(i, block, position, tokens.len()));
        }
        self.newest = positions.pop().expect("a token");
        self.head();
        &self.logits
    }

    /// Becomes a decoder that has seen what `other` has, of the same model.
    pub fn copy_from(&mut self, other: &Self) {
        self.window.clone_from(&other.window);
        for (own, others) in self.caches.iter_mut().zip(&other.caches) {
            let seen = self.window.len() * own.k.len() / self.model.config.block_size;
            own.k[..seen].copy_from_slice(&others.k[..seen]);
            own.v[..seen].copy_from_slice(&others.v[..seen]);
        }
    }

    /// Another one that has seen the same.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut fork = Self::new(self.model, self.weights.params);
        fork.weights.int8 = self.weights.int8;
        fork.copy_from(self);
        fork
    }

    /// The mean loss, in nats a token, over windows of `block_size` that do not overlap: what
    /// [`crate::train::evaluate`] answers, computed one token after the other, with the weights in use here. What
    /// was seen before is forgotten.
    ///
    /// # Panics
    /// If there are fewer than two tokens, or one is not in the vocabulary.
    pub fn loss(&mut self, tokens: &[u32]) -> f64 {
        assert!(tokens.len() > 1, "a loss needs a token and the one after it");
        let mut sum = 0.0;
        for (i, pair) in tokens.windows(2).enumerate() {
            if i % self.model.config.block_size == 0 {
                self.window.clear();
            }
            let target = Targets {
                ids: &pair[1..],
                weights: &[1.0],
                total_weight: 1.0,
                regularizer: Regularizer::NONE,
            };
            let logits = self.push(pair[0]);
            sum += f64::from(cross_entropy_forward(logits, logits.len(), target, &mut [0.0], &mut [0.0]));
        }
        sum / (tokens.len() - 1) as f64
    }

    /// How many tokens the window holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether nothing was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// One token through all blocks; leaves it in `newest`.
    fn forward(&mut self, token: u32) {
        let mut position = std::mem::replace(&mut self.newest, Position::empty());
        self.embed(token, &mut position);
        for (i, block) in self.model.h.iter().enumerate() {
            self.keys_and_values(i, block, &mut position);
            self.attend(i, block, &mut position, self.window.len());
        }
        self.newest = position;
    }

    /// A token more in the window, and what its stream begins as.
    fn embed(&mut self, token: u32, position: &mut Position) {
        let at = self.window.len();
        self.window.push(token);
        position.at = at;
        let (model, params, c) = (self.model, self.weights.params, self.model.config.n_embd);
        let x = &mut position.x;
        x.copy_from_slice(&params.data(model.wte.weight)[token as usize * c..][..c]);
        if let Some(wpe) = model.wpe {
            add_assign(x, &params.data(wpe.weight)[at * c..][..c]);
        }
        if let Some(sinusoids) = &model.sinusoids {
            add_assign(x, sinusoids.at(at));
        }
        let first = self.first_seen(at);
        let rows = model.ngram.last_rows(params, &self.window[first..]);
        let ngrams = model.ngram.tables.iter().zip(rows).map(|(table, row)| {
            let weight = table.weight.weight;
            &params.data(weight)[row as usize * c..][..c]
        });
        // The tables' sum first, as in training.
        self.normed.fill(0.0);
        ngrams.for_each(|row| add_assign(&mut self.normed, row));
        if !model.ngram.tables.is_empty() {
            add_assign(x, &self.normed);
        }
        position.embedding.copy_from_slice(x);
    }

    /// The first position that position `at` sees.
    fn first_seen(&self, at: usize) -> usize {
        self.model.config.window.map_or(0, |window| (at + 1).saturating_sub(window))
    }

    /// The first half of attention: what a position asks, and what others may know of it.
    fn keys_and_values(&mut self, i: usize, block: &Block, position: &mut Position) {
        let (model, weights) = (self.model, &mut self.weights);
        let (params, c) = (weights.params, model.config.n_embd);
        if let Some(w) = block.embedding_blend.map(|weights| params.data(weights)) {
            blend(&mut position.x, &position.embedding, w);
        }
        norm(&block.ln_1, params, &position.x, &mut self.normed);
        weights.linear(&block.attn.c_attn, &self.normed, &mut self.qkv);
        let kv = position.first_v.len(); // NKV hs
        if model.config.value_residual && i == 0 {
            position.first_v.copy_from_slice(&self.qkv[c + kv..]);
        }
        if let Some(w) = block.attn.value_blend.map(|weights| params.data(weights)) {
            blend(&mut self.qkv[c + kv..], &position.first_v, w);
        }
        let (rotary, at) = (&block.attn.rotary, position.at);
        let hs = model.config.head_size();
        rotary_forward(rotary, (at, 1), &self.qkv, &mut self.turned, &mut self.rstd, hs);
        position.q.copy_from_slice(&self.turned[..c]);
        let cache = &mut self.caches[i];
        cache.k[at * kv..(at + 1) * kv].copy_from_slice(&self.turned[c..c + kv]);
        cache.v[at * kv..(at + 1) * kv].copy_from_slice(&self.turned[c + kv..]);
    }

    /// The rest of a block, for a position that sees those before `end`.
    fn attend(&mut self, i: usize, block: &Block, position: &mut Position, end: usize) {
        let kv = position.first_v.len(); // NKV hs
        let seen = self.first_seen(position.at) * kv..end * kv;
        let (model, weights, cache) = (self.model, &mut self.weights, &self.caches[i]);
        let x = &mut position.x;
        // x + attn(ln_1(x))
        let heads = block.attn.rotary.heads;
        attention::decode(&position.q, &cache.k[seen.clone()], &cache.v[seen], heads, &mut self.y);
        weights.linear(&block.attn.c_proj, &self.y, &mut self.normed);
        add_assign(x, &self.normed);
        // x + mlp(ln_2(x))
        norm(&block.ln_2, weights.params, x, &mut self.normed);
        weights.linear(&block.mlp.c_fc, &self.normed, &mut self.h);
        activate(model.activation(), &self.h, self.a.len(), &mut self.a);
        weights.linear(&block.mlp.c_proj, &self.a, &mut self.normed);
        add_assign(x, &self.normed);
    }

    fn head(&mut self) {
        norm(&self.model.ln_f, self.weights.params, &self.newest.x, &mut self.normed);
        self.weights.linear(&self.model.lm_head, &self.normed, &mut self.logits);
        let cap = self.model.config.soft_cap;
        if cap > 0.0 {
            SoftCap { cap }.apply_to(&mut self.logits);
        }
    }
}

/// x = w0 x + w1 z
fn blend(x: &mut [f32], z: &[f32], w: &[f32]) {
    x.iter_mut().zip(z).for_each(|(x, z)| *x = w[0].mul_add(*x, w[1] * z));
}

/// The parameters, some of them in eight bits.
struct Weights<'m> {
    params: &'m Params,
    int8: Option<&'m Int8Weights>,
    rounded: Int16Vector, // the input of a layer in eight bits
}

impl Weights<'_> {
    /// y (N) = W x + b
    fn linear(&mut self, layer: &Linear, x: &[f32], y: &mut [f32]) {
        let bias = layer.bias.map(|bias| self.params.data(bias));
        match self.int8.map(|int8| &int8.0[&layer.weight]) {
            None => matvec(self.params.data(layer.weight), x, bias, y),
            Some(w) => {
                self.rounded.set(x);
                matvec_int8(w, &self.rounded, bias, y);
            }
        }
    }
}

fn norm(layer: &Norm, params: &Params, x: &[f32], y: &mut [f32]) {
    let (mut mean, mut rstd) = ([0.0], [0.0]);
    match layer {
        Norm::LayerNorm(layer) => {
            let bias = layer.bias.map(|bias| params.data(bias));
            layer_norm_forward(x, params.data(layer.weight), bias, layer.eps, y, &mut mean, &mut rstd);
        }
        Norm::RmsNorm(layer) => rms_norm_forward(x, params.data(layer.weight), layer.eps, y, &mut rstd),
    }
}

impl Gpt {
    /// The non-linearity of the feed-forward layers, as the kernels name it.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.config.activation.into()
    }
}
