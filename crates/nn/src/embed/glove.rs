//! GloVe: global vectors (Pennington, Socher & Manning 2014).
//!
//! ```text
//! J = 1/2 sum_ij f(X_ij) (w_i . u_j + b_i + c_j - ln X_ij)^2          f(x) = min(1, (x / x_max)^0.75)
//!
//! with e = f(X_ij) (w_i . u_j + b_i + c_j - ln X_ij):
//! dw_i = e u_j    du_j = e w_i    db_i = dc_j = e
//! ```
//!
//! over the entries of a co-occurrence table that are not 0. f keeps frequent pairs from drowning the others.
//! AdaGrad (Duchi et al. 2011), one step an entry, in glove.c's form, where the step lr g is squared and added
//! rather than the gradient g:
//!
//! ```text
//! p = p - lr g / sqrt(G)          G = G + (lr g)^2, 1 at first
//! ```
//!
//! The vector of a word is w + u ([`Glove::vectors`]), which averages their noise, for X is symmetric: that is what the
//! authors do, and right where like words stand near each other. Where they replace each other instead (noun, verb,
//! noun), ln X has large negative eigenvalues: there w_i . u_i < 0, so u points away from w, and the sum loses
//! what both have learnt. With small windows take w alone ([`Glove::word_vectors`]).
//!
//! Words are dealt to 16 parts and X into 16 x 16 blocks; an epoch is sixteen rounds, in each of which part i of w
//! meets part i + r of u. Blocks of a round share neither rows nor columns, so threads need no locks, and
//! the result does not depend on their number.
//!
//! Memory: 16 bytes an entry, four tables of V d floats.

use super::Cooccurrence;
use super::table::Table;
use random::{Rng, Stream};
use rayon::prelude::*;
use tensor::kernels::simd::{Kernel, LANES, Simd, dispatch};

/// Parts that words are dealt to: also the most threads that can take part.
const PARTS: usize = 16;

/// Settings of [`Glove`].
#[derive(Clone, Debug, PartialEq)]
pub struct GloveConfig {
    /// Numbers in a vector, d.
    pub dim: usize,
    /// The co-occurrence from which on pairs have the full weight: 100 in the paper, 10 in the authors' demo on a
    /// text of 100 MB.
    pub x_max: f64,
    /// AdaGrad's learning rate.
    pub learning_rate: f64,
    /// Passes over the table.
    pub epochs: usize,
    /// Where all randomness starts.
    pub seed: u64,
}

impl Default for GloveConfig {
    /// 100 numbers; x_max 10, for texts of ordinary size; glove.c's 0.05 and 25 epochs.
    fn default() -> Self {
        Self { dim: 100, x_max: 10.0, learning_rate: 0.05, epochs: 25, seed: 1337 }
    }
}

/// GloVe vectors in training.
///
/// ```
/// use nn::embed::{Cooccurrence, Glove, GloveConfig};
/// let x = Cooccurrence::new(vec![(0, 1, 8.0), (1, 0, 8.0), (1, 2, 2.0), (2, 1, 2.0)]);
/// let mut glove = Glove::new(GloveConfig { dim: 4, epochs: 500, ..GloveConfig::default() }, &x, 3);
/// let mut losses = vec![];
/// glove.train(|_, loss| losses.push(loss));
/// assert!(losses[499] < losses[0] / 1000.0);
/// assert!((glove.score(0, 1) - 8f64.ln()).abs() < 0.05);
/// ```
pub struct Glove {
    config: GloveConfig,
    vocab_size: usize,
    /// w and b; word i is row i / 16 of part i % 16.
    words: Vec<Part>,
    /// u and c, likewise
    contexts: Vec<Part>,
    /// `rounds[r][i]`: part i of the words with part (i + r) % 16 of the contexts.
    rounds: Vec<Vec<Block>>,
}

/// Some of the words, and the sums of squares that AdaGrad keeps beside each number.
struct Part {
    rows: Table,
    squares: Table,
    bias: Vec<f32>,
    bias_squares: Vec<f32>,
}

/// Some of the entries, and their own random numbers.
struct Block {
    entries: Vec<Entry>,
    rng: Rng,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Row in the words' part.
    word: u32,
    /// Row in the contexts' part.
    context: u32,
    ln_x: f32,
    /// f(x)
    weight: f32,
}

impl Glove {
    /// New vectors for a table of the co-occurrences of `vocab_size` words.
    ///
    /// # Panics
    /// If the table has other words, or there are no dimensions.
    #[must_use]
    pub fn new(config: GloveConfig, x: &Cooccurrence, vocab_size: usize) -> Self {
        assert!(config.dim > 0, "Glove: expected dim above 0");
        let mut rng = Rng::new(config.seed, Stream::Init);
        let mut parts = || -> Vec<Part> {
            (0..PARTS).map(|_| Part::new(vocab_size.div_ceil(PARTS), config.dim, &mut rng)).collect()
        };
        let (words, contexts) = (parts(), parts());
        let block =
            |n: usize| Block { entries: Vec::new(), rng: Rng::new(config.seed, Stream::Other(n as u64)) };
        let mut rounds: Vec<Vec<Block>> =
            (0..PARTS).map(|r| (0..PARTS).map(|i| block(r * PARTS + i)).collect()).collect();
        for &(i, j, x) in x.entries() {
            let (i, j) = (i as usize, j as usize);
            assert!(i < vocab_size && j < vocab_size, "Glove: no word {i} or {j} among {vocab_size}");
            let (part, round) = (i % PARTS, (j + PARTS - i % PARTS) % PARTS);
            rounds[round][part].entries.push(Entry {
                word: (i / PARTS) as u32,
                context: (j / PARTS) as u32,
                ln_x: random::ln(x) as f32,
                weight: weight(x, config.x_max) as f32,
            });
        }
        Self { config, vocab_size, words, contexts, rounds }
    }

    /// Goes through the table `epochs` times; `watch` gets the number of each epoch, from 1, and its mean loss an
    /// entry. If a loss is not finite the learning rate is too high, and the vectors are worthless.
    pub fn train(&mut self, mut watch: impl FnMut(usize, f64)) {
        let entries: usize = self.rounds.iter().flatten().map(|block| block.entries.len()).sum();
        for epoch in 1..=self.config.epochs {
            watch(epoch, self.epoch() / entries.max(1) as f64);
        }
    }

    /// One pass; answers its loss, summed in the order of the blocks.
    fn epoch(&mut self) -> f64 {
        let Self { config, words, contexts, rounds, .. } = self;
        let lr = config.learning_rate as f32;
        let mut loss = 0.0;
        for round in rounds {
            let pairs = words.par_iter_mut().zip(contexts.par_iter_mut()).zip(round.par_iter_mut());
            let losses: Vec<f64> = pairs
                .with_max_len(1)
                .map(|((word, context), block)| {
                    block.rng.shuffle(&mut block.entries);
                    dispatch(Steps { word, context, entries: &block.entries, lr })
                })
                .collect();
            loss += losses.iter().sum::<f64>();
            contexts.rotate_left(1); // after sixteen rounds it is as before
        }
        loss
    }

    /// w + u, row by row.
    #[must_use]
    pub fn vectors(&self) -> Vec<f32> {
        let sum = |word| {
            Self::row(&self.words, word).iter().zip(Self::row(&self.contexts, word)).map(|(w, u)| w + u)
        };
        (0..self.vocab_size).flat_map(sum).collect()
    }

    /// w, row by row.
    #[must_use]
    pub fn word_vectors(&self) -> Vec<f32> {
        (0..self.vocab_size).flat_map(|word| Self::row(&self.words, word)).copied().collect()
    }

    fn row(parts: &[Part], word: usize) -> &[f32] {
        parts[word % PARTS].rows.row(word / PARTS)
    }

    /// w_word . u_context + b_word + c_context: ln X, as the model has it.
    ///
    /// # Panics
    /// If there are no such words.
    #[must_use]
    pub fn score(&self, word: u32, context: u32) -> f64 {
        let (i, j) = (word as usize, context as usize);
        let (w, u) = (&self.words[i % PARTS], &self.contexts[j % PARTS]);
        let (i, j) = (i / PARTS, j / PARTS);
        let product = |(w, u): (&f32, &f32)| f64::from(*w) * f64::from(*u);
        let dot: f64 = w.rows.row(i).iter().zip(u.rows.row(j)).map(product).sum();
        dot + f64::from(w.bias[i]) + f64::from(u.bias[j])
    }
}

impl Part {
    fn new(rows: usize, dim: usize, rng: &mut Rng) -> Self {
        let mut squares = Table::zeros(rows, dim);
        squares.data.as_flattened_mut().fill(1.0);
        let bias = (0..rows).map(|_| (rng.f32() - 0.5) / dim as f32).collect();
        Self { rows: Table::uniform(rows, dim, rng), squares, bias, bias_squares: vec![1.0; rows] }
    }
}

/// f(x) = min(1, (x / x_max)^0.75)
fn weight(x: f64, x_max: f64) -> f64 {
    super::quarter_power((x / x_max).min(1.0), 3)
}

/// The definition: the loss of one entry in f64, for vectors w and u, biases b and c.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
pub fn entry_loss(w: &[f64], u: &[f64], b: f64, c: f64, x: f64, x_max: f64) -> f64 {
    let dot: f64 = w.iter().zip(u).map(|(w, u)| w * u).sum();
    0.5 * (x / x_max).min(1.0).powf(0.75) * (dot + b + c - x.ln()).powi(2)
}

/// The steps of a block, one after the other; answers their loss, that of each step before it was made.
struct Steps<'a> {
    word: &'a mut Part,
    context: &'a mut Part,
    entries: &'a [Entry],
    lr: f32,
}

impl Kernel for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Self { word, context, entries, lr } = self;
        let chunks = word.rows.chunks;
        let mut loss = 0.0;
        for entry in entries {
            let (i, j) = (entry.word as usize, entry.context as usize);
            let row = |r: usize| r * chunks..(r + 1) * chunks;
            let (w, w_squares) = (&mut word.rows.data[row(i)], &mut word.squares.data[row(i)]);
            let (u, u_squares) = (&mut context.rows.data[row(j)], &mut context.squares.data[row(j)]);
            let mut dot = s.splat(0.0);
            for (w, u) in w.iter().zip(u.iter()) {
                dot = s.fma(s.load(w), s.load(u), dot);
            }
            let diff = s.sum(dot) + word.bias[i] + context.bias[j] - entry.ln_x;
            let e = entry.weight * diff;
            loss += 0.5 * f64::from(e) * f64::from(diff);
            let step = lr * e;
            let factor = s.splat(step);
            for (((w, w2), u), u2) in w.iter_mut().zip(w_squares).zip(u).zip(u_squares) {
                let (old_w, old_u) = (s.load(w), s.load(u));
                adagrad(s, w, w2, s.mul(factor, old_u));
                adagrad(s, u, u2, s.mul(factor, old_w));
            }
            for (bias, squares) in [
                (&mut word.bias[i], &mut word.bias_squares[i]),
                (&mut context.bias[j], &mut context.bias_squares[j]),
            ] {
                *bias -= step / squares.sqrt();
                *squares += step * step;
            }
        }
        loss
    }
}

/// Takes lr g / sqrt(G) from sixteen numbers and adds the square to G.
#[inline(always)]
fn adagrad<S: Simd>(s: S, numbers: &mut [f32; LANES], squares: &mut [f32; LANES], step: S::V) {
    let old = s.load(squares);
    s.store(s.sub(s.load(numbers), s.div(step, s.sqrt(old))), numbers);
    s.store(s.fma(step, step, old), squares);
}

#[cfg(test)]
#[path = "glove_tests.rs"]
mod tests;
