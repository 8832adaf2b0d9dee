//! Writing one token at a time, with a cache of keys and values.
//!
//! The forward of [`Gpt`] computes all positions of a sequence at once. While writing, only the newest
//! position is new: its query is compared with the keys of all positions before it, which have not changed.
//! So they are kept, and a token costs one pass over the weights instead of T. This is the same arithmetic on
//! the same parameters, by the kernels alone, without a tape; a test holds it to the model's logits.

use crate::model::{Block, Gpt};
use nn::{Linear, Norm};
use tensor::Params;
use tensor::kernels::attention;
use tensor::kernels::feed_forward::activate;
use tensor::kernels::layer_norm::layer_norm_forward;
use tensor::kernels::matvec::matvec;
use tensor::kernels::rms_norm::rms_norm_forward;
use tensor::kernels::vmath::add_assign;
use tensor::ops::feed_forward::Activation;

/// Keys and values of the positions so far, in every block.
struct Cache {
    k: Vec<f32>, // (block_size, C)
    v: Vec<f32>, // (block_size, C)
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
    params: &'m Params,
    caches: Vec<Cache>,
    window: Vec<u32>, // the tokens whose keys and values are in the caches
    x: Vec<f32>,      // (C): the residual stream
    normed: Vec<f32>, // (C)
    qkv: Vec<f32>,    // (3C)
    y: Vec<f32>,      // (C)
    h: Vec<f32>,      // (fan F)
    a: Vec<f32>,      // (F)
    logits: Vec<f32>, // (V)
}

impl<'m> Decoder<'m> {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new(model: &'m Gpt, params: &'m Params) -> Self {
        let config = &model.config;
        let (c, hidden) = (config.n_embd, config.feed_forward_width());
        let rows = |width: usize| vec![0.0; config.block_size * width];
        Self {
            model,
            params,
            caches: (0..config.n_layer).map(|_| Cache { k: rows(c), v: rows(c) }).collect(),
            window: Vec::with_capacity(config.block_size),
            x: vec![0.0; c],
            normed: vec![0.0; c],
            qkv: vec![0.0; 3 * c],
            y: vec![0.0; c],
            h: vec![0.0; hidden * model.activation().fan()],
            a: vec![0.0; hidden],
            logits: vec![0.0; config.vocab_size],
        }
    }

    /// Takes the next token; answers the scores of the one after it, (V).
    ///
    /// When `block_size` tokens are in the window, the older half is forgotten: positions are learned, so a
    /// window that moves must be computed again, and doing that once every half window keeps writing
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

    /// One token through all blocks; leaves the residual stream in `x`.
    fn forward(&mut self, token: u32) {
        let (model, params) = (self.model, self.params);
        let (c, at) = (model.config.n_embd, self.window.len());
        let wte = &params.data(model.wte.weight)[token as usize * c..][..c];
        let wpe = &params.data(model.wpe.weight)[at * c..][..c];
        self.x.iter_mut().zip(wte.iter().zip(wpe)).for_each(|(x, (token, position))| *x = token + position);
        for (i, block) in model.h.iter().enumerate() {
            self.block(i, block, at);
        }
        self.window.push(token);
    }

    fn block(&mut self, i: usize, block: &Block, at: usize) {
        let (model, params) = (self.model, self.params);
        let c = model.config.n_embd;
        // x + attn(ln_1(x))
        norm(&block.ln_1, params, &self.x, &mut self.normed);
        linear(&block.attn.c_attn, params, &self.normed, &mut self.qkv);
        let cache = &mut self.caches[i];
        cache.k[at * c..(at + 1) * c].copy_from_slice(&self.qkv[c..2 * c]);
        cache.v[at * c..(at + 1) * c].copy_from_slice(&self.qkv[2 * c..]);
        let seen = (at + 1) * c;
        let n_head = model.config.n_head;
        attention::decode(&self.qkv[..c], &cache.k[..seen], &cache.v[..seen], n_head, &mut self.y);
        linear(&block.attn.c_proj, params, &self.y, &mut self.normed);
        add_assign(&mut self.x, &self.normed);
        // x + mlp(ln_2(x))
        norm(&block.ln_2, params, &self.x, &mut self.normed);
        linear(&block.mlp.c_fc, params, &self.normed, &mut self.h);
        activate(model.activation(), &self.h, self.a.len(), &mut self.a);
        linear(&block.mlp.c_proj, params, &self.a, &mut self.normed);
        add_assign(&mut self.x, &self.normed);
    }

    fn head(&mut self) {
        norm(&self.model.ln_f, self.params, &self.x, &mut self.normed);
        linear(&self.model.lm_head, self.params, &self.normed, &mut self.logits);
    }
}

fn linear(layer: &Linear, params: &Params, x: &[f32], y: &mut [f32]) {
    matvec(params.data(layer.weight), x, layer.bias.map(|bias| params.data(bias)), y);
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
