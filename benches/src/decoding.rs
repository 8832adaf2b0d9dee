//! Greedy decoding with a cache of keys and values: what `benches/decode.rs` and the peer of PyTorch time.

use gpt::config::GptConfig;
use gpt::{Decoder, Gpt};
use random::{Rng, Stream};
use tensor::Params;

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
