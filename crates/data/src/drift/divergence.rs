//! S2: how differently the next character is distributed, given the few before it.
//!
//! With q the frequencies of the test text Q and p those of the training text P, for order k:
//!
//! ```text
//! KL_k = sum over h, w of q(h w) ln( q(w | h) / p(w | h) )          h: k-1 characters
//! p(w | h) = (count(h w) + alpha) / (count(h) + alpha V)
//! JS_k = KL(q || m)/2 + KL(p || m)/2 of the whole k-grams,  m = (p + q)/2
//! ```
//!
//! KL_k is the excess loss, in nats a character, of an order-k model of P on Q; for a source that depends
//! on its last k-1 characters it is the divergence rate itself. JS_k is symmetric and at most ln 2.
//!
//! **Noise.** Two samples of one source differ too, and the more n-grams there are the more they do. The
//! *floor* is the divergence between two parts of the training text, one of the test's size, dealt at random
//! from about 100 blocks (so that neighbouring characters stay together); a shift shows above it. The
//! *standard error* is the spread over bootstrap samples of both texts' blocks (Efron 1979; blocks: Kuensch
//! 1989).

use super::Options;
use random::Rng;
use serde::Serialize;
use std::collections::HashMap;
use std::ops::Range;

/// The divergence of a test text from a training text, in n-grams of one length; see the module of
/// [`divergences`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Length of the n-grams.
    pub order: usize,
    /// KL_k, in nats a character.
    pub kl: f64,
    /// The standard error of `kl`.
    pub standard_error: f64,
    /// What `kl` is between two parts of the training text, on average.
    pub floor: f64,
    /// What it exceeds in one of twenty such divisions.
    pub floor_95: f64,
    /// JS_k, in nats.
    pub js: f64,
    /// What `js` is between two parts of the training text, on average.
    pub js_floor: f64,
}

/// Blocks that a text is cut into for resampling.
const BLOCKS: usize = 100;
/// "No n-gram ends here": the first of a text.
const NONE: u32 = u32::MAX;

/// The divergences of order 1 to `options.divergence_order`. Tokens are below `vocab_size`; both texts
/// have at least a few hundred.
pub fn divergences(
    train: &[u32],
    test: &[u32],
    vocab_size: usize,
    options: &Options,
    rng: &mut Rng,
) -> Vec<Divergence> {
    let (train_blocks, test_blocks) = (blocks(0..train.len()), blocks(train.len()..train.len() + test.len()));
    // The training text is divided as the pair is, or in halves if the test is longer.
    let share = (test.len() as f64 / train.len() as f64).min(0.5);
    let part = ((share * train_blocks.len() as f64).round() as usize).max(1);
    let mut grams = Grams::of_length_one(train, test, vocab_size);
    let mut found = Vec::new();
    for order in 1..=options.divergence_order {
        if order > 1 {
            grams = grams.one_longer(train, test);
        }
        let measure = |test: &[Range<usize>], train: &[Range<usize>]| {
            let (q, p) = (grams.counts(test), grams.counts(train));
            (grams.kl(&q, &p, options.alpha, vocab_size), js(&q, &p))
        };
        let (kl, js) = measure(&test_blocks, &train_blocks);
        let bootstrap: Vec<f64> = (0..options.resamples)
            .map(|_| measure(&drawn(&test_blocks, rng), &drawn(&train_blocks, rng)).0)
            .collect();
        let divided = |_| {
            let mut dealt = train_blocks.clone();
            rng.shuffle(&mut dealt);
            measure(&dealt[..part], &dealt[part..])
        };
        let (floors, js_floors): (Vec<f64>, Vec<f64>) = (0..options.resamples).map(divided).unzip();
        found.push(Divergence {
            order,
            kl,
            standard_error: deviation(&bootstrap),
            floor: mean(&floors),
            floor_95: exceeded_once_in_twenty(floors),
            js,
            js_floor: mean(&js_floors),
        });
    }
    found
}

/// What the largest twentieth begins with; not a number if there is none.
fn exceeded_once_in_twenty(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    let at = (0.95 * x.len() as f64).ceil() as usize;
    x.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// A range in about [`BLOCKS`] equal pieces.
fn blocks(range: Range<usize>) -> Vec<Range<usize>> {
    let size = range.len().div_ceil(BLOCKS).max(1);
    range.clone().step_by(size).map(|start| start..(start + size).min(range.end)).collect()
}

/// As many blocks, drawn with replacement.
fn drawn(blocks: &[Range<usize>], rng: &mut Rng) -> Vec<Range<usize>> {
    blocks.iter().map(|_| blocks[rng.below(blocks.len() as u64) as usize].clone()).collect()
}

/// The mean; 0 of nothing.
fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len().max(1) as f64
}

/// The standard deviation of a sample.
fn deviation(x: &[f64]) -> f64 {
    let mean = mean(x);
    (x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (x.len() as f64 - 1.0)).sqrt()
}

/// The n-grams of one length in both texts, numbered.
struct Grams {
    /// The n-gram that ends at each position of the training text and then of the test text.
    at: Vec<u32>,
    /// The number of each n-gram's context: the n-gram one shorter that ends one position before.
    context: Vec<u32>,
    /// How many contexts there are.
    contexts: usize,
}

impl Grams {
    fn of_length_one(train: &[u32], test: &[u32], vocab_size: usize) -> Grams {
        Grams { at: [train, test].concat(), context: vec![0; vocab_size], contexts: 1 }
    }

    /// A longer n-gram is one of these and the token after it; numbered in order of appearance.
    fn one_longer(&self, train: &[u32], test: &[u32]) -> Grams {
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        let (mut at, mut context) = (vec![NONE; self.at.len()], Vec::new());
        for (offset, text) in [(0, train), (train.len(), test)] {
            for i in 1..text.len() {
                let before = self.at[offset + i - 1];
                if before != NONE {
                    at[offset + i] = *numbers.entry((before, text[i])).or_insert_with(|| {
                        context.push(before);
                        context.len() as u32 - 1
                    });
                }
            }
        }
        Grams { at, context, contexts: self.context.len() }
    }

    /// How often each n-gram ends in the blocks.
    fn counts(&self, blocks: &[Range<usize>]) -> Vec<u32> {
        let mut counts = vec![0; self.context.len()];
        for block in blocks {
            self.at[block.clone()]
                .iter()
                .filter(|&&gram| gram != NONE)
                .for_each(|&gram| counts[gram as usize] += 1);
        }
        counts
    }

    /// KL_k of the counts q from the counts p.
    fn kl(&self, q: &[u32], p: &[u32], alpha: f64, vocab_size: usize) -> f64 {
        let (q_of, p_of) = (self.context_counts(q), self.context_counts(p));
        let n = f64::from(q.iter().sum::<u32>());
        let mut sum = 0.0;
        for (gram, &context) in self.context.iter().enumerate().filter(|(gram, _)| q[*gram] > 0) {
            let context = context as usize;
            let (q, p) = (f64::from(q[gram]), f64::from(p[gram]));
            let in_q = q / f64::from(q_of[context]);
            let in_p = (p + alpha) / (f64::from(p_of[context]) + alpha * vocab_size as f64);
            sum += q * random::ln(in_q / in_p);
        }
        sum / n
    }

    fn context_counts(&self, counts: &[u32]) -> Vec<u32> {
        let mut of = vec![0; self.contexts];
        self.context.iter().zip(counts).for_each(|(&context, n)| of[context as usize] += n);
        of
    }
}

/// JS of the distributions that two lists of counts are.
fn js(q: &[u32], p: &[u32]) -> f64 {
    let [n_q, n_p] = [q, p].map(|counts| f64::from(counts.iter().sum::<u32>()));
    let term = |x: f64, m: f64| if x > 0.0 { 0.5 * x * random::ln(x / m) } else { 0.0 };
    let both = q.iter().zip(p).map(|(&q, &p)| (f64::from(q) / n_q, f64::from(p) / n_p));
    both.map(|(q, p)| term(q, 0.5 * (q + p)) + term(p, 0.5 * (q + p))).sum()
}
