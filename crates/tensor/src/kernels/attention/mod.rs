//! Self-attention, from the naive formula to a blocked kernel: a ladder to climb and to measure.
//!
//! For each head, with queries Q, keys K and values V of (T, hs) each (Vaswani et al. 2017, equation 1):
//!
//! $$ S = Q K^\top / \sqrt{hs}, \qquad P = \mathrm{softmax}(S), \qquad O = P V $$
//!
//! where query row i sees the keys of one interval, `lo[i] <= j < hi[i]`, and no others. There is no mask
//! tensor: causal and bidirectional attention, prefixes, packed documents, sliding windows, padding and a
//! cache of keys are all [`Intervals`].
//!
//! Backward, with dO given (the derivation of FlashAttention, Dao et al. 2022, appendix B):
//!
//! $$ dV = P^\top dO, \quad dP = dO\, V^\top, \quad dS = P \odot (dP - D), \quad D_i = \sum_j dO_{ij} O_{ij} $$
//! $$ dQ = dS\, K / \sqrt{hs}, \qquad dK = dS^\top Q / \sqrt{hs} $$
//!
//! The ladder, each rung checked against the first before it is timed (`cargo bench --bench attention`):
//!
//! | version | what changes | memory beside inputs and outputs |
//! |---|---|---|
//! | [`v0_naive`] | the formulas as they stand, with whole (T, T) matrices | O(T^2) |
//! | [`v1_intervals`] | only keys inside the interval; log-sum-exp kept, P computed again | O(T) |
//! | [`v2_rows`] | sixteen lanes at a time, heads on several threads | O(T) |
//! | [`v3_blocked`] | blocks of queries and keys through the tile kernels, online softmax | O(T) |
//!
//! [`forward`] and [`backward`] are the last rung.

mod decode;
mod intervals;
pub mod v0_naive;
pub mod v1_intervals;
pub mod v2_rows;
pub mod v3_blocked;

use crate::kernels::mask;

pub use decode::decode;
pub use intervals::Intervals;
pub use v3_blocked::{backward, forward};

/// The sizes of one attention, and what it reads.
///
/// The queries, keys and values of all heads come packed as one linear layer makes them: `qkv` is
/// (B, T, C + 2 NKV hs), in each row first the queries of all heads, then the keys, then the values; C = NH hs.
///
/// With fewer heads of keys and values than of queries (grouped-query attention: Ainslie et al. 2023, arXiv
/// 2305.13245) each of them serves NH / NKV heads of queries that follow each other. With NKV = NH, which is the
/// usual case, a row is 3C wide.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// (B, T, C + 2 NKV hs)
    pub qkv: &'a [f32],
    /// B, the sequences of the batch.
    pub batch: usize,
    /// T, the positions of a sequence.
    pub time: usize,
    /// NH, the heads of queries.
    pub n_head: usize,
    /// NKV, the heads of keys and values. Divides NH.
    pub n_kv_head: usize,
    /// hs, the width of a head.
    pub head_size: usize,
    /// Which keys each query sees.
    pub intervals: &'a Intervals,
    /// Drops entries of P in training.
    pub dropout: Option<Dropout>,
}

/// How many heads there are. From one number: as many of keys and values as of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// NH, the heads of queries.
    pub n_head: usize,
    /// NKV, the heads of keys and values. Divides NH.
    pub n_kv_head: usize,
}

impl Heads {
    /// Heads in a row of queries, keys and values: NH + 2 NKV.
    #[must_use]
    pub fn in_row(self) -> usize {
        self.n_head + 2 * self.n_kv_head
    }
}

impl From<usize> for Heads {
    fn from(n_head: usize) -> Self {
        Self { n_head, n_kv_head: n_head }
    }
}

/// Inverted dropout of attention probabilities; the mask is a function of seed and position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability to drop.
    pub p: f32,
    /// Another seed gives another mask.
    pub seed: u64,
}

/// Applies the dropout of row i of P, from key `first` on, to the entries of `row`.
pub(crate) fn drop_entries(p: &Problem<'_>, b: usize, h: usize, i: usize, first: usize, row: &mut [f32]) {
    if let Some(dropout) = p.dropout {
        let index = (((b * p.n_head + h) * p.time + i) * p.time + first) as u64;
        mask::apply(dropout.p, dropout.seed, index, row);
    }
}

impl Problem<'_> {
    /// C, the width of the model.
    #[must_use]
    pub fn width(&self) -> usize {
        self.n_head * self.head_size
    }

    /// From one position to the next in `qkv`.
    #[must_use]
    pub fn row_width(&self) -> usize {
        (self.n_head + 2 * self.n_kv_head) * self.head_size
    }

    /// The heads of queries that one head of keys and values serves.
    #[must_use]
    pub fn group(&self) -> usize {
        self.n_head / self.n_kv_head
    }

    /// 1 / sqrt(hs)
    #[must_use]
    pub fn scale(&self) -> f32 {
        1.0 / (self.head_size as f32).sqrt()
    }

    /// The place of the query of head h at one position in `qkv`, or of the key or value that it meets there
    /// (`which` 0, 1, 2).
    #[must_use]
    pub(crate) fn at(&self, b: usize, t: usize, which: usize, h: usize) -> usize {
        let head = match which {
            0 => h,
            _ => self.n_head + (which - 1) * self.n_kv_head + h / self.group(),
        };
        (b * self.time + t) * self.row_width() + head * self.head_size
    }

    /// The query, key or value (`which` 0, 1, 2) of one head at one position.
    #[must_use]
    pub(crate) fn row(&self, b: usize, t: usize, which: usize, h: usize) -> &[f32] {
        &self.qkv[self.at(b, t, which, h)..][..self.head_size]
    }

    fn check(&self, y: usize, lse: usize) {
        let (rows, c) = (self.batch * self.time, self.width());
        let groups = self.n_kv_head > 0 && self.n_head.is_multiple_of(self.n_kv_head);
        assert!(groups, "attention: {} heads of queries, {} of keys and values", self.n_head, self.n_kv_head);
        assert_eq!(self.qkv.len(), rows * self.row_width(), "attention: the elements of qkv");
        assert_eq!(y, rows * c, "attention: the elements of the output");
        assert_eq!(lse, self.batch * self.n_head * self.time, "attention: the elements of lse");
        self.intervals.check(self.batch, self.time);
    }
}
