//! Writing text: tokens from a model, one after the other.

use crate::decode::Decoder;
use crate::model::Gpt;
use crate::sampling::Sampler;
use random::Rng;
use tensor::Params;

/// An endless sequence of tokens that continue a prompt.
///
/// ```
/// use gpt::{Generator, Gpt, config::Preset, sampling::Sampler};
/// use random::{Rng, Stream};
/// let config = Preset::NanoCpu.config(65).model;
/// let mut params = tensor::Params::new();
/// let model = Gpt::new(&config, &mut params, &mut Rng::new(1337, Stream::Init));
/// let rng = Rng::new(1337, Stream::Sampling);
/// let tokens: Vec<u32> = Generator::new(&model, &params, &[0], Sampler::default(), rng).take(20).collect();
/// assert_eq!(tokens.len(), 20);
/// ```
pub struct Generator<'m> {
    decoder: Decoder<'m>,
    logits: Vec<f32>,
    sampler: Sampler,
    rng: Rng,
    never: Vec<u32>,
}

impl<'m> Generator<'m> {
    /// Continues `prompt`, of which the last `block_size` tokens count.
    ///
    /// # Panics
    /// If the prompt is empty, or holds a token that is not in the vocabulary.
    #[must_use]
    pub fn new(model: &'m Gpt, params: &'m Params, prompt: &[u32], sampler: Sampler, rng: Rng) -> Self {
        Self::with_decoder(Decoder::new(model, params), prompt, sampler, rng)
    }

    /// Continues what `decoder` has seen, and then `prompt`.
    ///
    /// # Panics
    /// As [`Generator::new`].
    #[must_use]
    pub fn with_decoder(mut decoder: Decoder<'m>, prompt: &[u32], sampler: Sampler, rng: Rng) -> Self {
        assert!(!prompt.is_empty(), "a prompt has at least one token");
        let logits = decoder.push_all(prompt).to_vec();
        Self::after(decoder, logits, sampler, rng)
    }

    /// Continues what `decoder` has seen, (V) `logits` being the scores it gave for the next token.
    #[must_use]
    pub fn after(decoder: Decoder<'m>, logits: Vec<f32>, sampler: Sampler, rng: Rng) -> Self {
        Self { decoder, logits, sampler, rng, never: Vec::new() }
    }

    /// Never writes these tokens: the special ones of a tokenizer, which are no text.
    #[must_use]
    pub fn without(mut self, tokens: &[u32]) -> Self {
        self.never = tokens.to_vec();
        self
    }
}

impl Iterator for Generator<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.never.iter().for_each(|&token| self.logits[token as usize] = f32::NEG_INFINITY);
        let token = self.sampler.sample(&self.logits, &mut self.rng);
        self.logits.copy_from_slice(self.decoder.push(token));
        Some(token)
    }
}
