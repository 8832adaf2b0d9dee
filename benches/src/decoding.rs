//! Greedy decoding with a cache of keys and values: what `benches/decode.rs` and the peer of PyTorch time.

use gpt::config::GptConfig;
use gpt::{Decoder, Gpt};
use random::{Rng, Stream};
use std::time::Instant;
use tensor::{Params, Tape, Workspace};

/// A model with random weights.
pub struct Writer {
    model: Gpt,
    params: Params,
}

impl Writer {
    /// A model of this shape.
    #[must_use]
    pub fn new(config: &GptConfig) -> Self {
        let mut params = Params::new();
        let model = Gpt::new(config, &mut params, &mut Rng::new(0, Stream::Init));
        Self { model, params }
    }

    /// The same with its weights in eight bits.
    #[must_use]
    pub fn in_int8(mut self) -> Self {
        self.model.round_to_int8(&mut self.params);
        self
    }

    /// Writes a text: a prompt of one token, and `tokens` more, each the likeliest. Answers them.
    #[must_use]
    pub fn write(&self, tokens: usize) -> Vec<u32> {
        let mut decoder = Decoder::new(&self.model, &self.params);
        let mut last = 0;
        let mut next = || {
            last = likeliest(decoder.push(last));
            last
        };
        (0..tokens).map(|_| next()).collect()
    }
}

impl Writer {
    /// A prompt of so many tokens, up to the logits of the next one.
    pub fn prefill(&self, tokens: usize) {
        let ids: Vec<u32> = (0..tokens as u32).map(|i| i % self.model.config.vocab_size as u32).collect();
        std::hint::black_box(Decoder::new(&self.model, &self.params).push_all(&ids));
    }

    /// What the prefill is compared with: one forward pass of as many tokens without a cache, up to what the head reads.
    pub fn forward(&self, tokens: usize) {
        let ids: Vec<u32> = (0..tokens as u32).map(|i| i % self.model.config.vocab_size as u32).collect();
        let workspace = Workspace::new();
        let tape = Tape::no_grad(&self.params, &workspace);
        let hidden = self.model.hidden(&ids, &mut self.model.causal(&tape, [1, tokens]));
        std::hint::black_box(hidden.shape());
    }

    /// So many texts of `tokens` side by side, a token each in one pass over the weights.
    pub fn write_side_by_side(&self, texts: usize, tokens: usize) {
        let mut decoders: Vec<_> = (0..texts).map(|_| Decoder::new(&self.model, &self.params)).collect();
        let mut last = vec![0; texts];
        for _ in 0..tokens {
            Decoder::push_each(&mut decoders.iter_mut().collect::<Vec<_>>(), &last);
            last.iter_mut().zip(&decoders).for_each(|(last, decoder)| *last = likeliest(decoder.logits()));
        }
        std::hint::black_box(last);
    }

    /// The seconds of each token of a text longer than the context, by a decoder that slides.
    #[must_use]
    pub fn seconds_of_tokens(&self, tokens: usize) -> Vec<f64> {
        let mut decoder = Decoder::new(&self.model, &self.params).sliding();
        let mut last = 0;
        let mut next = || {
            let start = Instant::now();
            last = likeliest(decoder.push(last));
            start.elapsed().as_secs_f64()
        };
        (0..tokens).map(|_| next()).collect()
    }
}

/// The index of the largest score.
fn likeliest(scores: &[f32]) -> u32 {
    let better = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (0..scores.len()).fold(0, better) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_likeliest_is_the_first_of_the_largest() {
        assert_eq!(likeliest(&[0.0, 2.0, -1.0, 2.0]), 1);
    }

    #[test]
    fn a_text_fills_the_block_and_is_always_the_same() {
        let config = samples::config("nano-cpu").unwrap().model;
        let texts = [0; 2].map(|_| Writer::new(&config).write(config.block_size - 1));
        assert_eq!(texts[0].len(), 63);
        assert_eq!(texts[0], texts[1]);
    }
}
