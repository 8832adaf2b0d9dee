//! Embeddings of the last few tokens together.

use super::cache::Growing;
use super::context::Context;
use super::dropout::Dropout;
use super::ngram_table::NgramTable;
use crate::ParamBuilder;
use tensor::kernels::attention::Intervals;
use tensor::{Params, Var};

/// Settings of [`NgramEmbedding`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NgramEmbeddingConfig {
    /// C, features.
    pub n_embd: usize,
    /// The largest order: 4 has tables for pairs, triples and quadruples.
    pub max_order: usize,
    /// The n-grams of a table, at most.
    pub rows: usize,
    /// The probability of dropout on what the tables say.
    pub dropout: f32,
}

/// A table for each order n from 2 on, read by the token and the n - 1 before it, added to the token's own embedding. With
/// few tokens (characters) the first layers of a transformer spend their time on finding out which few characters
/// stand here; a table says it at once, for the price of reading a row. (Count-based models know nothing else.
/// N-gram inputs: Clark et al. 2022, arXiv 2103.06874, section 3.2, and modded-nanogpt, both with hashes.)
///
/// Which n-grams have a row is learned from the training text before anything else ([`frequent_ngrams`](super::frequent_ngrams)), as a
/// tokenizer is: those that are frequent. All others, and those of the first n - 1 tokens of a text or a document, share row
/// 0. A row of its own for what stood in the text once would learn by heart what came next; rows shared by chance (hashes)
/// say several things at once: docs/speedrun.md has what both cost.
///
/// Tables begin at zero: what training never saw says nothing. Parameters `2.weight`, `3.weight`, ... of (rows + 1, C), sparse
/// (`Params::set_sparse`), and beside each `2.ngrams`, ..., which is not trained: [`NgramTable`].
#[derive(Clone, Debug, PartialEq)]
pub struct NgramEmbedding {
    /// One for each order, from 2 on.
    pub tables: Vec<NgramTable>,
    dropout: Dropout,
}

impl NgramEmbedding {
    /// Tables of zeros that know no n-gram.
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, config: &NgramEmbeddingConfig) -> Self {
        let &NgramEmbeddingConfig { n_embd, max_order, rows, dropout } = config;
        let tables = (2..=max_order).map(|n| NgramTable::new(builder.pp(n), rows, n_embd)).collect();
        Self { tables, dropout: Dropout::new(dropout) }
    }

    /// Gives rows to n-grams, those of [`frequent_ngrams`](super::frequent_ngrams). To be called once, before training.
    ///
    /// # Panics
    /// If there are other orders than tables, or more n-grams than rows.
    #[track_caller]
    pub fn set_ngrams(&self, params: &mut Params, orders: &[Vec<(u32, u32)>]) {
        assert_eq!(orders.len(), self.tables.len(), "NgramEmbedding: expected the n-grams of each table");
        self.tables.iter().zip(orders).for_each(|(table, pairs)| table.set_ngrams(params, pairs));
    }

    /// What the tables say of ids (B, T): (B, T, C). A position's n-grams reach back to the first key of its interval.
    /// `None` if there are no tables.
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, ids: &[u32], cx: &Context<'t, '_>) -> Option<Var<'t>> {
        let rows = match &cx.growing {
            Some(growing) => self.rows_of_new(cx.tape.params(), growing, cx.shape[1]),
            None => self.rows(cx.tape.params(), ids, &cx.intervals, cx.shape[1]),
        };
        let mut sum: Option<Var<'t>> = None;
        for (table, rows) in self.tables.iter().zip(rows) {
            let says = table.weight.forward(cx.tape, &rows, &cx.shape);
            sum = Some(sum.map_or(says, |sum| sum + says));
        }
        Some(self.dropout.forward(sum?))
    }

    /// For each table the rows of the n-grams that end at each of ids (B, T).
    fn rows(&self, params: &Params, ids: &[u32], intervals: &Intervals, time: usize) -> Vec<Vec<u32>> {
        let mut before: Vec<Option<u32>> = ids.iter().copied().map(Some).collect(); // (B T), of order 1
        let mut all = Vec::with_capacity(self.tables.len());
        for (n, table) in (2..).zip(&self.tables) {
            let mut found = Vec::with_capacity(ids.len()); // (B T)
            for (before, ids) in before.chunks(time).zip(ids.chunks(time)) {
                found.extend(table.rows(params, before, ids));
            }
            let visible = |(at, row): (usize, &Option<u32>)| {
                let (b, t) = (at / time, at % time);
                let seen = intervals.row(b, t); // nothing, where it is padding
                row.filter(|_| !seen.is_empty() && seen.start + n <= t + 1).unwrap_or(0)
            };
            all.push(found.iter().enumerate().map(visible).collect());
            before = found;
        }
        all
    }

    /// The same for the new positions, (B, T), of sequences with caches.
    fn rows_of_new(&self, params: &Params, growing: &Growing<'_>, time: usize) -> Vec<Vec<u32>> {
        let mut all = vec![vec![0; growing.new.len() * time]; self.tables.len()];
        for (b, (cache, &new)) in growing.caches.iter().zip(&growing.new).enumerate() {
            let tokens = cache.tokens();
            let before = tokens.len() - new;
            for i in 0..new {
                let seen = growing.visibility.within(before + i, 0..before + i + 1);
                for (all, row) in all.iter_mut().zip(self.last_rows(params, &tokens[seen])) {
                    all[b * time + i] = row;
                }
            }
        }
        all
    }

    /// The rows, one of each table, of the n-grams that end a text, of which `tokens` are what the last position sees.
    fn last_rows<'a>(&'a self, params: &'a Params, tokens: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        (2..=self.tables.len() + 1).map(move |n| {
            let Some(first) = tokens.len().checked_sub(n) else { return 0 };
            let tokens = &tokens[first..];
            let mut next = tokens[1..].iter();
            let longer = |before, table: &NgramTable| table.row(params, before, *next.next()?);
            self.tables[..n - 1].iter().try_fold(tokens[0], longer).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::frequent_ngrams;
    use super::*;
    use random::{Rng, Stream};
    use std::sync::Arc;
    use tensor::{Tape, Workspace};

    fn embedding(rows: usize) -> (Params, NgramEmbedding) {
        let (mut params, mut rng) = (Params::new(), Rng::new(1, Stream::Init));
        let config = NgramEmbeddingConfig { n_embd: 3, max_order: 3, rows, dropout: 0.0 };
        let layer = NgramEmbedding::new(ParamBuilder::new(&mut params, &mut rng), &config);
        for table in &layer.tables {
            params.data_mut(table.weight.weight).iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
        }
        (params, layer)
    }

    fn learn(layer: &NgramEmbedding, params: &mut Params, text: &[u32], most: usize, min_count: usize) {
        layer.set_ngrams(params, &frequent_ngrams(text, 3, most, min_count));
    }

    fn last_rows(layer: &NgramEmbedding, params: &Params, tokens: &[u32]) -> Vec<u32> {
        layer.last_rows(params, tokens).collect()
    }

    #[test]
    fn what_is_frequent_has_a_row_of_its_own() {
        let (mut params, layer) = embedding(9);
        assert_eq!(last_rows(&layer, &params, &[1, 2, 3]), [0, 0], "nothing is learned yet");
        // 1 2, 2 3 and 3 1 twice or more, 1 2 3 twice, 3 1 2 twice, 2 3 1 twice; 3 0 and what holds it once
        learn(&layer, &mut params, &[1, 2, 3, 1, 2, 3, 1, 2, 3, 0], 9, 2);
        let mut seen: Vec<_> = [[1, 2, 3], [2, 3, 1], [3, 1, 2]]
            .iter()
            .map(|ngram| last_rows(&layer, &params, ngram))
            .inspect(|rows| assert!(rows.iter().all(|&row| row > 0)))
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 3);
        assert_eq!(last_rows(&layer, &params, &[2, 3, 0]), [0, 0], "rare");
        assert_eq!(last_rows(&layer, &params, &[1, 3, 1])[1], 0, "its beginning is unknown");
        assert_eq!(last_rows(&layer, &params, &[9, 1, 2, 3]), last_rows(&layer, &params, &[1, 2, 3]));
        assert_eq!(last_rows(&layer, &params, &[1, 2])[1], 0, "two are no three");
        assert_eq!(last_rows(&layer, &params, &[]), [0, 0]);
    }

    #[test]
    fn the_most_frequent_ones_have_the_rows_if_there_are_few() {
        let (mut params, layer) = embedding(2);
        // 0 1 three times, 1 0 and 2 3 twice, 3 2 once; of equally frequent ones the first by number
        learn(&layer, &mut params, &[0, 1, 0, 1, 0, 1, 2, 3, 2, 3], 2, 1);
        let row = |tokens: [u32; 2]| last_rows(&layer, &params, &tokens)[0];
        assert!(row([0, 1]) > 0 && row([1, 0]) > 0 && row([0, 1]) != row([1, 0]));
        assert_eq!((row([2, 3]), row([3, 2])), (0, 0));
    }

    #[test]
    fn a_position_reads_no_further_back_than_its_interval() {
        let (mut params, layer) = embedding(20);
        learn(&layer, &mut params, &[0, 1, 2, 3, 3, 2, 3, 0, 1, 2, 3], 20, 1);
        let workspace = Workspace::new();
        let values = |ids: &[u32], intervals: &Intervals| {
            let tape = Tape::no_grad(&params, &workspace);
            let cx = Context::new(&tape, [1, ids.len()], Arc::new(intervals.clone()));
            layer.forward(ids, &cx).unwrap().value()
        };
        // Two documents of two tokens in one row of four.
        let packed = Intervals::new(vec![0, 0, 2, 2], vec![1, 2, 3, 4], 4);
        let (a, b) = (values(&[0, 1, 2, 3], &packed), values(&[3, 3, 2, 3], &packed));
        assert_eq!(a.slice(ndarray::s![0, 2.., ..]), b.slice(ndarray::s![0, 2.., ..]));
        assert_ne!(a.slice(ndarray::s![0, ..2, ..]), b.slice(ndarray::s![0, ..2, ..]));
        let alone = values(&[2, 3], &Intervals::causal(2));
        assert_eq!(alone.slice(ndarray::s![0, .., ..]), a.slice(ndarray::s![0, 2.., ..]));
        // What the last position says is the sum of its rows.
        let rows = last_rows(&layer, &params, &[2, 3]);
        let sum: f32 = layer
            .tables
            .iter()
            .zip(&rows)
            .map(|(table, &row)| params.data(table.weight.weight)[row as usize * 3])
            .sum();
        assert_eq!(alone[[0, 1, 0]], sum);
    }
}
