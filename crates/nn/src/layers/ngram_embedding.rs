//! Embeddings of the last few tokens together.

use super::dropout::{Dropout, DropoutSeeds};
use super::embedding::Embedding;
use crate::{Init, ParamBuilder};
use tensor::kernels::attention::Intervals;
use tensor::{Tape, Var};

/// Settings of [`NgramEmbedding`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NgramEmbeddingConfig {
    /// V, the tokens of the vocabulary.
    pub vocab_size: usize,
    /// C, features.
    pub n_embd: usize,
    /// The largest order: 4 has tables for pairs, triples and quadruples.
    pub max_order: usize,
    /// Rows of each table.
    pub rows: usize,
    /// The probability of dropout on what the tables say.
    pub dropout: f32,
}

/// A table for each order n from 2 on, read by the token and the n - 1 before it, added to the token's own embedding. With
/// few tokens (characters) the first layers of a transformer spend their time on finding out which few characters
/// stand here; a table says it at once, for the price of reading a row. (Count-based models know nothing else.
/// Hashed n-gram inputs: Clark et al. 2022, arXiv 2103.06874, section 3.2, and modded-nanogpt.)
///
/// Where all n-grams have a row of their own, which is so up to `rows` of them, the row is their number; otherwise it is
/// a hash of the tokens, and some share one. Tokens that a position does not see (before the text or the document begins)
/// count as one more token, so that nothing reaches across a border.
///
/// Tables begin at zero: what training never saw says nothing. Parameters `2.weight`, `3.weight`, ... of (rows, C), sparse
/// (`Params::set_sparse`).
#[derive(Clone, Debug, PartialEq)]
pub struct NgramEmbedding {
    /// One for each order, from 2 on.
    pub tables: Vec<Embedding>,
    vocab_size: usize,
    rows: usize,
    dropout: Dropout,
}

impl NgramEmbedding {
    /// Tables of zeros.
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, config: &NgramEmbeddingConfig) -> Self {
        let &NgramEmbeddingConfig { vocab_size, n_embd, max_order, rows, dropout } = config;
        let mut table = |n: usize| {
            let weight = builder.pp(n).add("weight", [table_rows(vocab_size, n, rows), n_embd], Init::Zeros);
            builder.set_sparse(weight);
            Embedding { weight }
        };
        let tables = (2..=max_order).map(&mut table).collect();
        Self { tables, vocab_size, rows, dropout: Dropout::new(dropout) }
    }

    /// What the tables say of ids of shape (B, T): (B, T, C). A position's n-grams reach back to the first key of its
    /// interval. `None` if there are no tables.
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(
        &self,
        tape: &'t Tape<'_>,
        ids: &[u32],
        shape: [usize; 2],
        intervals: &Intervals,
        seeds: &DropoutSeeds,
    ) -> Option<Var<'t>> {
        let time = shape[1];
        let sums = (2..).zip(&self.tables).map(|(n, table)| {
            let row = |at: usize| {
                let (b, t) = (at / time, at % time);
                let first = intervals.row(b, t).start.min(t).max((t + 1).saturating_sub(n));
                self.row(n, &ids[b * time + first..=at])
            };
            let rows: Vec<u32> = (0..ids.len()).map(row).collect();
            table.forward(tape, &rows, &shape)
        });
        Some(self.dropout.forward(sums.reduce(|sum, table| sum + table)?, seeds))
    }

    /// The row of the table of order n for tokens that end a text: the last n of them, or all if there are fewer.
    #[must_use]
    pub fn row(&self, n: usize, tokens: &[u32]) -> u32 {
        let last = &tokens[tokens.len().saturating_sub(n)..];
        let missing = std::iter::repeat_n(0, n - last.len());
        let symbols = missing.chain(last.iter().map(|&id| u64::from(id) + 1)); // below V + 1
        let base = self.vocab_size as u64 + 1;
        match all_ngrams(self.vocab_size, n).filter(|&all| all <= self.rows) {
            Some(_) => symbols.fold(0, |row, symbol| row * base + symbol) as u32,
            None => (symbols.fold(0, mix) % self.rows as u64) as u32,
        }
    }
}

/// How many n-grams there are, missing tokens included, if that can be counted.
fn all_ngrams(vocab_size: usize, n: usize) -> Option<usize> {
    vocab_size.checked_add(1)?.checked_pow(n as u32)
}

/// Rows of the table of order n: one for each n-gram, at most `rows`.
#[must_use]
pub fn table_rows(vocab_size: usize, n: usize, rows: usize) -> usize {
    all_ngrams(vocab_size, n).unwrap_or(rows).min(rows)
}

/// A hash with one more symbol: its finalizer (that of SplitMix64) spreads every bit over all others.
fn mix(hash: u64, symbol: u64) -> u64 {
    let mut z = (hash ^ symbol).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::{Rng, Stream};
    use std::collections::HashSet;
    use tensor::{Params, Workspace};

    fn embedding(vocab_size: usize, rows: usize) -> (Params, NgramEmbedding) {
        let (mut params, mut rng) = (Params::new(), Rng::new(1, Stream::Init));
        let config = NgramEmbeddingConfig { vocab_size, n_embd: 3, max_order: 3, rows, dropout: 0.0 };
        let layer = NgramEmbedding::new(ParamBuilder::new(&mut params, &mut rng), &config);
        (params, layer)
    }

    #[test]
    fn every_ngram_has_its_own_row_where_there_are_enough() {
        let (params, layer) = embedding(4, 200);
        let mut seen = HashSet::new();
        for tokens in (0..4).flat_map(|a| (0..4).flat_map(move |b| (0..4).map(move |c| vec![a, b, c]))) {
            assert!(seen.insert(layer.row(3, &tokens)));
            assert_eq!(
                layer.row(3, &[&[9][..], &tokens].concat()),
                layer.row(3, &tokens),
                "the last three count"
            );
        }
        assert!((0..4).all(|a| seen.insert(layer.row(3, &[a]))), "short ones too");
        assert!(seen.iter().all(|&row| row < 125));
        let shapes: Vec<_> = params.ids().map(|id| params.shape(id)).collect();
        assert_eq!(shapes, [[25, 3].into(), [125, 3].into()]);
    }

    #[test]
    fn hashes_spread_evenly() {
        let (_, layer) = embedding(1000, 64);
        let mut counts = vec![0; 64];
        for i in 0..6400 {
            counts[layer.row(2, &[i % 80, i / 80]) as usize] += 1;
        }
        // 100 each, with a standard deviation of 10.
        assert!(counts.iter().all(|&n| (50..150).contains(&n)), "{counts:?}");
    }

    #[test]
    fn a_position_reads_no_further_back_than_its_interval() {
        let (mut params, layer) = embedding(4, 200);
        for id in params.ids() {
            params.data_mut(id).iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
        }
        let workspace = Workspace::new();
        let values = |ids: &[u32], intervals: &Intervals| {
            let tape = Tape::no_grad(&params, &workspace);
            layer.forward(&tape, ids, [1, ids.len()], intervals, &DropoutSeeds::off()).unwrap().value()
        };
        // Two documents of two tokens in one row of four.
        let packed = Intervals::new(vec![0, 0, 2, 2], vec![1, 2, 3, 4], 4);
        let (a, b) = (values(&[0, 1, 2, 3], &packed), values(&[3, 3, 2, 3], &packed));
        assert_eq!(a.slice(ndarray::s![0, 2.., ..]), b.slice(ndarray::s![0, 2.., ..]));
        assert_ne!(a.slice(ndarray::s![0, ..2, ..]), b.slice(ndarray::s![0, ..2, ..]));
        let alone = values(&[2, 3], &Intervals::causal(2));
        assert_eq!(alone.slice(ndarray::s![0, .., ..]), a.slice(ndarray::s![0, 2.., ..]));
    }
}
