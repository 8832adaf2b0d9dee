//! The n-grams of one order, and a row for each.

use super::embedding::Embedding;
use crate::{Init, ParamBuilder};
use std::cmp::Reverse;
use std::collections::HashMap;
use tensor::{ParamId, Params};

/// The n-grams of one order that have a row of their own, and their rows.
///
/// An n-gram is written as what it is after its first n - 1 tokens: the row of those in the table of the order below, and
/// the last token. So one pair of numbers tells it at any order, an n-gram is found by one search after its
/// beginning was, and one whose beginning is rare is rare itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NgramTable {
    /// The pair of each row, (rows + 1, 2), ascending. A buffer, as PyTorch calls it: saved with the weights and never
    /// trained.
    pub ngrams: ParamId,
    /// (rows + 1, C). Row 0 is that of all other n-grams.
    pub weight: Embedding,
}

/// What stands in `ngrams` for row 0, below all pairs.
const OTHERS: f32 = -1.0;
/// What stands there for rows that no n-gram has, above all pairs: numbers up to here are exact in f32.
const UNUSED: f32 = (1 << 24) as f32;

impl NgramTable {
    /// A table of zeros without n-grams, for at most so many of them.
    ///
    /// # Panics
    /// If there are more rows than can be numbered in f32, 2^24.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, rows: usize, n_embd: usize) -> Self {
        assert!(rows < UNUSED as usize, "NgramTable: expected fewer rows than 2^24; found {rows}");
        let weight = builder.add("weight", [rows + 1, n_embd], Init::Zeros);
        builder.set_sparse(weight);
        let ngrams = builder.add_buffer("ngrams", [rows + 1, 2], |pairs| fill(pairs, []));
        Self { ngrams, weight: Embedding { weight } }
    }

    /// Gives rows to n-grams: one of the lists of [`frequent_ngrams`].
    ///
    /// # Panics
    /// If they are more than there are rows.
    #[track_caller]
    pub(super) fn set_ngrams(&self, params: &mut Params, pairs: &[(u32, u32)]) {
        let rows = params.shape(self.ngrams)[0] - 1;
        assert!(pairs.len() <= rows, "NgramTable: expected at most {rows} n-grams; found {}", pairs.len());
        fill(params.data_mut(self.ngrams), pairs.iter().copied());
    }

    /// The rows of the n-grams that end at each token of a text, from those of one order less.
    pub(super) fn rows(&self, params: &Params, before: &[Option<u32>], text: &[u32]) -> Vec<Option<u32>> {
        let row = |(&before, &token): (&Option<u32>, &u32)| self.row(params, before?, token);
        std::iter::once(None)
            .chain(before.iter().zip(text.iter().skip(1)).map(row))
            .take(text.len())
            .collect()
    }

    /// The row of an n-gram: `before` is that of its first n - 1 tokens.
    #[must_use]
    pub(super) fn row(&self, params: &Params, before: u32, token: u32) -> Option<u32> {
        let (pairs, _) = params.data(self.ngrams).as_chunks::<2>();
        let [before, token] = [before, token].map(|x| x as f32);
        // Whatever stands in a file, this does not panic, and the row is one of the table.
        let found = pairs.binary_search_by(|pair| pair[0].total_cmp(&before).then(pair[1].total_cmp(&token)));
        found.ok().map(|row| row as u32)
    }
}

/// Row 0, the pairs, and rows that no n-gram has.
fn fill(to: &mut [f32], pairs: impl IntoIterator<Item = (u32, u32)>) {
    let unused = std::iter::repeat([UNUSED; 2]);
    let pairs = pairs.into_iter().map(|(before, token)| [before as f32, token as f32]);
    let rows = std::iter::once([OTHERS; 2]).chain(pairs).chain(unused);
    to.as_chunks_mut().0.iter_mut().zip(rows).for_each(|(to, pair)| *to = pair);
}

/// The n-grams of the orders from 2 to `max_order` that stand in a text at least `min_count` times, for each order at most
/// so many, the most frequent ones, and of equally frequent ones the first by number. As pairs, ascending: see
/// [`NgramTable`]. An n-gram whose beginning is not among those of the order below is left out.
#[must_use]
pub fn frequent_ngrams(
    text: &[u32],
    max_order: usize,
    most: usize,
    min_count: usize,
) -> Vec<Vec<(u32, u32)>> {
    const NONE: u32 = u32::MAX; // neither a token nor a row
    // The row of the n - 1 tokens that end at each place, or none; of order 1 the token.
    let mut before = text.to_vec();
    let mut orders = Vec::new();
    for _ in 2..=max_order {
        let mut counts: HashMap<(u32, u32), usize> = HashMap::new();
        for (before, &token) in before.iter().zip(text.iter().skip(1)) {
            if *before != NONE {
                *counts.entry((*before, token)).or_default() += 1;
            }
        }
        let mut frequent: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= min_count).collect();
        frequent.sort_unstable_by_key(|&(pair, count)| (Reverse(count), pair));
        frequent.truncate(most);
        let mut pairs: Vec<(u32, u32)> = frequent.into_iter().map(|(pair, _)| pair).collect();
        pairs.sort_unstable();
        // From the end, so that each place still finds what ends before it.
        for i in (0..before.len()).rev() {
            let pair = (i > 0).then(|| (before[i - 1], text[i])).filter(|(before, _)| *before != NONE);
            let row = pair.and_then(|pair| pairs.binary_search(&pair).ok());
            before[i] = row.map_or(NONE, |row| row as u32 + 1);
        }
        orders.push(pairs);
    }
    orders
}
