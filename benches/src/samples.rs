//! Inputs of the measurements: models by name, random numbers and random text.

use gpt::config::{Config, GptConfig, Preset};
use random::{Rng, Stream};
use tensor::AlignedVec;

/// Characters in the vocabulary: as many as in Shakespeare's.
pub const VOCABULARY: usize = 65;
/// The training steps that are measured: name, batch. `baby` has a smaller batch than its preset's 64, which
/// would take seconds a step and is nothing but more of the same.
pub const STEPS: [(&str, usize); 3] = [("nano-cpu", 12), ("mid", 16), ("baby", 8)];

/// The settings of `nano-cpu`, `mid` or `baby`, without dropout; `None` for another name. `mid` is between
/// the two presets of newleaf: 6 layers, 6 heads, width 192, 128 positions, batch 16.
#[must_use]
pub fn config(name: &str) -> Option<Config> {
    let mut config = match name {
        "nano-cpu" | "mid" => Preset::NanoCpu.config(VOCABULARY),
        "baby" => Preset::Baby.config(VOCABULARY),
        _ => return None,
    };
    if name == "mid" {
        config.model = GptConfig { n_layer: 6, n_head: 6, n_embd: 192, block_size: 128, ..config.model };
        config.train.batch_size = 16;
    }
    config.model.dropout = 0.0;
    Some(config)
}

/// A text of random characters.
#[must_use]
pub fn text(length: usize) -> Vec<u32> {
    let mut rng = Rng::new(0, Stream::Sampling);
    (0..length).map(|_| rng.below(VOCABULARY as u64) as u32).collect()
}

/// Normally distributed numbers. They begin on a cache line, as the buffers of training do: a kernel may take up to one and a
/// half times as long where its vectors straddle two.
#[must_use]
pub fn floats(length: usize, seed: u64) -> AlignedVec {
    let mut x = AlignedVec::zeros(length);
    Rng::new(seed, Stream::Init).fill_normal(&mut x, 0.0, 1.0);
    x
}

/// The largest difference between two lists of numbers, in parts of the largest number of the second; NaN
/// if there is one in either.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn difference(x: &[f32], reference: &[f32]) -> f64 {
    assert_eq!(x.len(), reference.len(), "two lists of one length");
    let pairs = x.iter().zip(reference).map(|(&x, &r)| (f64::from(x - r).abs(), f64::from(r).abs()));
    // f64::max would lose a NaN.
    let largest = |a: f64, b: f64| if a > b || a.is_nan() { a } else { b };
    let (distance, size) = pairs.fold((0.0, 0.0), |(d, s), (x, r)| (largest(d, x), largest(s, r)));
    if distance == 0.0 { 0.0 } else { distance / size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_configurations_are_valid() {
        for (name, _) in STEPS {
            config(name).expect("one of the three").validate().unwrap();
        }
        assert!(config("huge").is_none());
    }

    #[test]
    fn differences_are_relative_and_do_not_lose_a_nan() {
        assert_eq!(difference(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert_eq!(difference(&[1.0, 5.0], &[1.0, 4.0]), 0.25);
        assert!(difference(&[f32::NAN, 1.0], &[1.0, 1.0]).is_nan());
        assert!(difference(&[0.0, 1.0], &[f32::NAN, 1.0]).is_nan());
    }
}
