//! Sampling text: tokens from a model, one after the other.

use super::{Decoder, Sampler};
use crate::model::Gpt;
use random::Rng;
use tensor::Params;

/// A sequence of tokens that continue a prompt. It has no end, unless the model's weights are such that no score of the next
/// token is a finite number.
///
/// ```
/// use gpt::{Gpt, config::Preset, generate::{Generator, Sampler}};
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
    history: Vec<u32>,
    /// The last token, which the decoder has not seen yet.
    pending: Option<u32>,
    sampler: Sampler,
    rng: Rng,
}

impl<'m> Generator<'m> {
    /// Continues `prompt`, of which the last tokens count, as many as the context holds.
    ///
    /// # Panics
    /// If the prompt is empty, or holds a token that is not in the vocabulary.
    #[must_use]
    pub fn new(model: &'m Gpt, params: &'m Params, prompt: &[u32], sampler: Sampler, rng: Rng) -> Self {
        assert!(!prompt.is_empty(), "a prompt has at least one token");
        let mut decoder = Decoder::new(model, params);
        decoder.push_all(prompt);
        Self { history: prompt.to_vec(), ..Self::after(decoder, sampler, rng) }
    }

    /// Continues what `decoder` has seen.
    #[must_use]
    pub fn after(decoder: Decoder<'m>, sampler: Sampler, rng: Rng) -> Self {
        Self { history: decoder.tokens().to_vec(), decoder, pending: None, sampler, rng }
    }

    /// The same for more tokens than the context holds: see [`Decoder::sliding`].
    #[must_use]
    pub fn sliding(mut self) -> Self {
        self.decoder = self.decoder.sliding();
        self
    }
}

impl Iterator for Generator<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if let Some(token) = self.pending.take() {
            self.decoder.push(token);
        }
        if !self.decoder.logits().iter().any(|score| score.is_finite()) {
            return None;
        }
        let token = self.sampler.sample(&self.history, self.decoder.logits(), &mut self.rng);
        self.history.push(token);
        self.pending = Some(token);
        Some(token)
    }
}
