//! Skip-gram with negative sampling: word2vec (Mikolov, Sutskever, Chen, Corrado & Dean 2013, arXiv 1310.4546).
//!
//! A word c and a neighbour o that was seen beside it, against k words n drawn at random:
//!
//! ```text
//! loss = -ln s(u_o . v_c) - sum_n ln s(-u_n . v_c)          s(x) = 1 / (1 + e^-x)
//!
//! with f_o = u_o . v_c and g = s(f) - 1 for o, s(f) for a noise word (the derivative of the loss by f):
//! dv_c = sum_t g_t u_t          du_t = g_t v_c
//! ```
//!
//! Plain gradient descent; the learning rate falls linearly to 1e-4 of itself. The settings are word2vec.c's: the
//! window of each word is uniform in 1 ..= window, frequent words are thinned out, noise is drawn by
//! count^0.75, v begins uniform in +-0.5/d and u at 0.
//!
//! With as many dimensions as words, the loss is least where v_w . u_c = ln(p(c | w) / (k q(c))), q being the noise
//! (Levy & Goldberg 2014): PMI(w, c) - ln k if words are drawn as often as they occur. word2vec.c differs in one
//! point: it skips a noise word that happens to be o. Then the optimum is another one, noticeably so in a
//! vocabulary of a few dozen words; here nothing is skipped.
//!
//! Cost of a step: k + 1 products of d numbers, as many additions of rows. Memory: two tables of V d floats.

use super::sgns_config::SgnsConfig;
use super::table::Table;
use super::windows::{Block, Windows, keep_thresholds};
use super::{Alias, Corpus, quarter_power};
use random::{Rng, Stream};
use tensor::kernels::simd::{Kernel, LANES, Simd, dispatch};
use tensor::kernels::vmath::{Exp, Lanewise};

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgnsReport {
    /// Words read so far, all epochs together.
    pub words: u64,
    /// Words in all epochs.
    pub total_words: u64,
    /// The mean loss of a sample of the latest steps, in nats; (k + 1) ln 2 before anything is learnt.
    pub loss: f64,
    /// The learning rate of the latest steps.
    pub learning_rate: f64,
}

/// Skip-gram vectors in training.
///
/// ```
/// use nn::embed::{Corpus, Neighbours, Sgns, SgnsConfig};
/// // 0 and 1 stand before 2, 3 and 4 before 5.
/// let mut corpus = Corpus::new();
/// (0..500).for_each(|i| corpus.push([&[0, 2], &[1, 2], &[3, 5], &[4, 5]][i % 4]));
/// let config = SgnsConfig { dim: 8, subsample: 0.0, learning_rate: 0.2, ..SgnsConfig::default() };
/// let mut sgns = Sgns::new(config, &corpus.counts(6));
/// sgns.train(&corpus, |_| ());
/// let neighbours = Neighbours::new(&sgns.vectors(), 8);
/// assert_eq!(neighbours.nearest(neighbours.unit(0), 1, &[0])[0].0, 1);
/// assert_eq!(neighbours.nearest(neighbours.unit(3), 1, &[3])[0].0, 4);
/// ```
pub struct Sgns {
    config: SgnsConfig,
    /// v
    input: Table,
    /// u
    output: Table,
    noise: Alias,
    keep: Vec<u64>,
}

impl Sgns {
    /// A step works on its neighbour and its noise words at once, in the lanes of one SIMD vector.
    pub const MAX_NEGATIVES: usize = LANES - 1;

    /// New vectors for words that occur this often.
    ///
    /// # Panics
    /// If there are no words, or a setting makes no sense (no dimensions, no window, too many noise words).
    #[must_use]
    pub fn new(config: SgnsConfig, counts: &[u64]) -> Self {
        let SgnsConfig { dim, window, negatives, noise_quarters, .. } = config;
        assert!(dim > 0 && window > 0, "Sgns: expected dim and window above 0, found {dim} and {window}");
        assert!((1..=Self::MAX_NEGATIVES).contains(&negatives), "Sgns: {negatives} negatives");
        let weights: Vec<f64> = counts
            .iter()
            .map(|&count| if count == 0 { 0.0 } else { quarter_power(count as f64, noise_quarters) })
            .collect();
        Self {
            input: Table::uniform(counts.len(), dim, &mut Rng::new(config.seed, Stream::Init)),
            output: Table::zeros(counts.len(), dim),
            noise: Alias::new(&weights),
            keep: keep_thresholds(counts, config.subsample),
            config,
        }
    }

    /// Goes through the text `epochs` times. `watch` is called about every thousand words.
    ///
    /// # Panics
    /// If the text has words that were not counted.
    pub fn train(&mut self, corpus: &Corpus, mut watch: impl FnMut(&SgnsReport)) {
        let Self { config, input, output, noise, keep } = self;
        let rng = Rng::new(config.seed, Stream::Data);
        let mut windows = Windows::new(corpus, config, noise, keep, rng);
        let (mut now, mut next) = (Block::default(), Block::default());
        let total_words = (corpus.words() * config.epochs) as u64;
        let mut words = 0;
        let mut more = windows.fill(&mut now);
        while more {
            let left = 1.0 - words as f64 / (total_words + 1) as f64;
            let learning_rate = config.learning_rate * left.max(1e-4);
            let steps = Steps {
                input,
                output,
                steps: &now.steps,
                lr: learning_rate as f32,
                per_step: config.negatives + 2,
            };
            // The vectors change on this thread, in the order of the text; the next steps are drawn meanwhile.
            let (loss, filled) = rayon::join(|| dispatch(steps), || windows.fill(&mut next));
            words += now.words;
            watch(&SgnsReport { words, total_words, loss, learning_rate });
            more = filled;
            std::mem::swap(&mut now, &mut next);
        }
    }

    /// v, row by row: what is kept of the two tables, as by word2vec.c.
    #[must_use]
    pub fn vectors(&self) -> Vec<f32> {
        (0..self.keep.len()).flat_map(|word| self.input.row(word)).copied().collect()
    }

    /// v_word . u_context: how much more often than by chance the two stand together, as the model has it.
    ///
    /// # Panics
    /// If there are no such words.
    #[must_use]
    pub fn score(&self, word: u32, context: u32) -> f64 {
        let (v, u) = (self.input.row(word as usize), self.output.row(context as usize));
        v.iter().zip(u).map(|(v, u)| f64::from(*v) * f64::from(*u)).sum()
    }
}

/// The definition: the loss of one step in f64, `u[0]` being the neighbour's vector and the others the noise words'.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
pub fn pair_loss(v: &[f64], u: &[&[f64]]) -> f64 {
    let dot = |u: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p(); // ln(1 + e^x) = -ln s(-x)
    u.iter().enumerate().map(|(i, u)| softplus(if i == 0 { -dot(u) } else { dot(u) })).sum()
}

/// The steps of a block, one after the other; answers the mean loss of every 64th.
struct Steps<'a> {
    input: &'a mut Table,
    output: &'a mut Table,
    steps: &'a [u32],
    per_step: usize,
    lr: f32,
}

impl Kernel for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Self { input, output, steps, per_step, lr } = self;
        let chunks = input.chunks;
        // Lane t of a step is its t-th target: the neighbour, then the noise words.
        let mut labels = [0.0; LANES];
        labels[0] = 1.0;
        let label = s.load(&labels);
        let (mut loss, mut sampled) = (0.0, 0);
        for (i, step) in steps.chunks_exact(per_step).enumerate() {
            let v = &mut input.data[step[0] as usize * chunks..][..chunks];
            let targets = &step[1..];
            let mut products = [s.splat(0.0); LANES];
            for (product, &target) in products.iter_mut().zip(targets) {
                let u = &output.data[target as usize * chunks..][..chunks];
                for (v, u) in v.iter().zip(u) {
                    *product = s.fma(s.load(v), s.load(u), *product);
                }
            }
            let f = s.sums(&products);
            let one = s.splat(1.0);
            let sigmoid = s.div(one, s.add(one, Exp.at(s, [s.sub(s.splat(0.0), f)])));
            if i % 64 == 0 {
                let mut lanes = [0.0; LANES];
                s.store(f, &mut lanes);
                loss += loss_of(&lanes[..targets.len()]);
                sampled += 1;
            }
            let mut g = [0.0; LANES]; // -lr times the derivative of the loss by f
            s.store(s.mul(s.sub(label, sigmoid), s.splat(lr)), &mut g);
            for (c, v) in v.iter_mut().enumerate() {
                let old = s.load(v);
                let mut new = old;
                for (g, &target) in g.iter().zip(targets) {
                    let u = &mut output.data[target as usize * chunks + c];
                    let (g, old_u) = (s.splat(*g), s.load(u));
                    new = s.fma(g, old_u, new);
                    s.store(s.fma(g, old, old_u), u);
                }
                s.store(new, v);
            }
        }
        loss / f64::from(sampled.max(1))
    }
}

/// The loss of a step whose products are f.
fn loss_of(f: &[f32]) -> f64 {
    let loss = |(i, &f): (usize, &f32)| {
        let x = if i == 0 { -f } else { f };
        f64::from(x.max(0.0)) + random::ln(1.0 + f64::from(tensor::kernels::vmath::exp_one(-x.abs())))
    };
    f.iter().enumerate().map(loss).sum()
}

#[cfg(test)]
#[path = "sgns_tests.rs"]
mod tests;
