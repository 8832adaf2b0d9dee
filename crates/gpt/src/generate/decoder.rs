//! A sequence that a model goes on with, token by token.
//!
//! The forward is the model's own ([`Gpt::extend`]), with a cache of keys and values: a prompt costs one forward pass of all
//! its tokens, and each further token one of a single position, which reads every weight once. Sequences side by side
//! ([`Decoder::push_each`]) read them once together.
//!
//! A token's time is that of reading all weights, so they may be read in eight bits: [`Gpt::round_to_int8`].

use crate::model::Gpt;
use nn::Cache;
use tensor::kernels::cross_entropy::{Regularizer, Targets, cross_entropy_forward};
use tensor::kernels::matvec::SERIAL_BELOW;
use tensor::kernels::parallel;
use tensor::{Params, Tape, Workspace};

/// Sequences of a pass that one thread computes. With their later positions they are sixteen rows, which linear layers
/// multiply one by one.
const TOGETHER: usize = 8;

/// Feeds a model tokens, one or many at a time, and has the logits of the next one.
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
///
/// When the context is full, the older half is forgotten: positions are counted from its beginning, so the newer half is
/// computed again at its new positions. [`Decoder::sliding`] spreads that over the tokens before.
#[derive(Clone)]
pub struct Decoder<'m> {
    model: &'m Gpt,
    params: &'m Params,
    workspace: Workspace,
    cache: Cache,
    /// The newer half of the context at its later positions, as far as it is computed, if the context slides.
    next: Option<Cache>,
    serial: bool,     // whether each product of this model stays on one thread
    logits: Vec<f32>, // (V)
}

impl<'m> Decoder<'m> {
    /// A decoder that has seen nothing. A model that is tuned, merged or not, generates like any other.
    #[must_use]
    pub fn new(model: &'m Gpt, params: &'m Params) -> Self {
        let (cache, workspace) = (model.new_cache(params), Workspace::new());
        let logits = vec![0.0; model.config.vocab_size];
        let serial = params.ids().all(|id| params.data(id).len() < SERIAL_BELOW);
        Self { model, params, workspace, cache, next: None, serial, logits }
    }

    /// Prepares for a text longer than the context: from the middle of the context on, each token is computed at its later
    /// position, too, in the same pass over the weights, so that no token has to wait for the whole newer half.
    #[must_use]
    pub fn sliding(mut self) -> Self {
        let mut next = self.cache.clone();
        next.truncate(0);
        self.next = Some(next);
        self
    }

    /// Takes the next token; returns the logits of the one after it, (V).
    ///
    /// # Panics
    /// If the token is not in the vocabulary.
    pub fn push(&mut self, token: u32) -> &[f32] {
        Self::push_each(&mut [self], &[token]);
        &self.logits
    }

    /// Each sequence takes its next token, in one pass over the weights; [`Decoder::logits`] then has what follows. The result
    /// of a sequence has the same bits whatever others there are (up to some number of sequences, from which on the products
    /// are blocked).
    ///
    /// # Panics
    /// If there are not as many tokens as sequences, the models or parameters differ, or a token is not in the vocabulary.
    #[track_caller]
    pub fn push_each(decoders: &mut [&mut Self], tokens: &[u32]) {
        assert_eq!(decoders.len(), tokens.len(), "a token for each sequence");
        let Some(first) = decoders.first() else { return };
        let (model, params, serial) = (first.model, first.params, first.serial);
        let same = |other: &&mut Self| std::ptr::eq(other.model, model) && std::ptr::eq(other.params, params);
        assert!(decoders.iter().all(same), "sequences of one model and its parameters");
        decoders.iter_mut().for_each(|decoder| decoder.make_room(1));
        if decoders.len() == 1 {
            return Self::push_together(decoders, tokens);
        }
        // Weights that a kernel reads on one thread are read by each thread for some of the sequences: for so few that their
        // bits do not depend on how many threads there are.
        let size = match serial {
            true => decoders.len().div_ceil(parallel::threads()).min(TOGETHER),
            false => decoders.len(),
        };
        let parts = decoders.chunks_mut(size).zip(tokens.chunks(size)).collect();
        parallel::side_by_side(parts, |(decoders, tokens)| Self::push_together(decoders, tokens));
    }

    /// The sequences that one forward pass takes.
    fn push_together(decoders: &mut [&mut Self], tokens: &[u32]) {
        let (model, params, workspace) =
            (decoders[0].model, decoders[0].params, decoders[0].workspace.clone());
        let halfway = model.max_tokens(params).div_ceil(2);
        let mut later = Vec::new();
        let mut sequences: Vec<(&mut Cache, &[u32])> = Vec::with_capacity(decoders.len());
        for (decoder, token) in decoders.iter_mut().zip(tokens) {
            if decoder.cache.len() >= halfway
                && let Some(next) = &mut decoder.next
            {
                later.push((next, std::slice::from_ref(token)));
            }
            sequences.push((&mut decoder.cache, std::slice::from_ref(token)));
        }
        let n = sequences.len();
        sequences.extend(later);
        let tape = Tape::no_grad(params, &workspace);
        model.extend(&tape, sequences, n, false).read(|found| {
            for (decoder, logits) in decoders.iter_mut().zip(found.data.chunks(model.config.vocab_size)) {
                decoder.logits.copy_from_slice(logits);
            }
        });
    }

    /// Takes several tokens in one forward pass; returns the logits of the one after them, (V), or zeros for none. Only what
    /// fits into the context is computed.
    pub fn push_all(&mut self, tokens: &[u32]) -> &[f32] {
        let room = self.model.max_tokens(self.params);
        if self.cache.len() + tokens.len() > room {
            // What would be forgotten on the way need not be computed.
            let all = [self.cache.tokens(), tokens].concat();
            self.clear();
            return self.push_all(&all[all.len() - room..]);
        }
        if !tokens.is_empty() {
            self.extend(tokens, false);
            self.catch_up();
        }
        &self.logits
    }

    /// Takes the beginning of a text in which every position sees all of the beginning, as in [`data::MaskSpec::Prefix`];
    /// returns the logits of the token after it, (V).
    ///
    /// # Panics
    /// If something was seen before, or there are no tokens, or more than the context holds.
    pub fn push_prefix(&mut self, tokens: &[u32]) -> &[f32] {
        let room = self.model.max_tokens(self.params);
        assert!(self.is_empty(), "a prefix is the beginning");
        assert!((1..=room).contains(&tokens.len()), "1 to {room} tokens");
        self.next = None; // without its beginning it would be another text
        self.extend(tokens, true);
        &self.logits
    }

    /// Forgets all but the first `len` tokens, so that a text that begins like the last one need not be computed from its
    /// beginning. The logits are those of before, until a token is pushed.
    pub fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
        if let Some(next) = &mut self.next {
            next.truncate(0);
            self.catch_up();
        }
    }

    fn clear(&mut self) {
        self.truncate(0);
    }

    fn extend(&mut self, tokens: &[u32], both_sides: bool) {
        let tape = Tape::no_grad(self.params, &self.workspace);
        let sequences = vec![(&mut self.cache, tokens)];
        self.model.extend(&tape, sequences, 1, both_sides).read(|x| self.logits.copy_from_slice(x.data));
    }

    /// Makes room for `count` tokens: from a full context the older half goes.
    fn make_room(&mut self, count: usize) {
        if self.cache.len() + count <= self.model.max_tokens(self.params) {
            return;
        }
        let newer = self.cache.tokens()[self.cache.len().div_ceil(2)..].to_vec();
        if let Some(next) = &mut self.next {
            std::mem::swap(&mut self.cache, next);
            next.truncate(0); // its memory is used again
        } else {
            self.cache.truncate(0);
        }
        if self.cache.len() < newer.len() {
            let tape = Tape::no_grad(self.params, &self.workspace);
            let missing = newer[self.cache.len()..].to_vec();
            let _ = self.model.extend(&tape, vec![(&mut self.cache, &missing)], 0, false);
        }
    }

    /// Brings the newer half, at its later positions, up to the tokens so far.
    fn catch_up(&mut self) {
        let halfway = self.model.max_tokens(self.params).div_ceil(2);
        let Some(next) = &mut self.next else { return };
        let done = halfway + next.len();
        if self.cache.len() > done {
            let tape = Tape::no_grad(self.params, &self.workspace);
            let _ = self.model.extend(&tape, vec![(next, &self.cache.tokens()[done..])], 0, false);
        }
    }

    /// The logits of the token after the last one, (V); zeros before the first.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The tokens in the context.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        self.cache.tokens()
    }

    /// How many tokens are in the context.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether nothing was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// Bytes of cached keys and values.
    #[must_use]
    pub fn cache_bytes(&self) -> usize {
        self.cache.bytes() + self.next.as_ref().map_or(0, Cache::bytes)
    }

    /// The mean loss, in nats a token, over windows of the context's length that do not overlap: what
    /// [`crate::train::evaluate`] returns, computed one token after the other, with the weights in use here. What
    /// was seen before is forgotten.
    ///
    /// # Panics
    /// If there are fewer than two tokens, or one is not in the vocabulary.
    pub fn loss(&mut self, tokens: &[u32]) -> f64 {
        assert!(tokens.len() > 1, "a loss needs a token and the one after it");
        let (mut sum, room) = (0.0, self.model.max_tokens(self.params));
        for (i, pair) in tokens.windows(2).enumerate() {
            if i % room == 0 {
                self.clear();
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
}

impl Gpt {
    /// Rounds the weights of the linear layers to eight bits, one scale a row, for the passes that do not record: generating
    /// then reads a quarter of the memory. Embeddings, norms and biases stay as they are. Returns the bytes of the rounded
    /// weights.
    pub fn round_to_int8(&self, params: &mut Params) -> usize {
        let layers = self.h.iter().flat_map(|h| [&h.attn.c_attn, &h.attn.c_proj, &h.mlp.c_fc, &h.mlp.c_proj]);
        let weights: Vec<_> = layers.chain([&self.lm_head]).map(|layer| layer.weight).collect();
        weights.iter().for_each(|&id| params.round_to_int8(id));
        weights.iter().filter_map(|&id| params.int8(id)).map(|weight| weight.bytes()).sum()
    }
}
