//! The sizes of one attention, where its numbers lie, and how it is cut into tasks.

use super::intervals::Intervals;
use crate::kernels::mask;
use crate::kernels::simd::shared::{Rectangle, rectangles};

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

    /// The queries, keys or values (`which` 0, 1, 2) of one head from its first position on, [`Problem::row_width`] floats
    /// apart.
    #[must_use]
    pub(crate) fn rows(&self, b: usize, which: usize, h: usize) -> &[f32] {
        &self.qkv[self.at(b, 0, which, h)..]
    }

    /// The query, key or value (`which` 0, 1, 2) of one head at one position.
    #[must_use]
    pub(crate) fn row(&self, b: usize, t: usize, which: usize, h: usize) -> &[f32] {
        &self.qkv[self.at(b, t, which, h)..][..self.head_size]
    }

    pub(super) fn check(&self, y: usize, lse: usize) {
        let (rows, c) = (self.batch * self.time, self.width());
        let groups = self.n_kv_head > 0 && self.n_head.is_multiple_of(self.n_kv_head);
        assert!(groups, "attention: {} heads of queries, {} of keys and values", self.n_head, self.n_kv_head);
        assert_eq!(self.qkv.len(), rows * self.row_width(), "attention: the elements of qkv");
        assert_eq!(y, rows * c, "attention: the elements of the output");
        assert_eq!(lse, self.batch * self.n_head * self.time, "attention: the elements of lse");
        self.intervals.check(self.batch, self.time);
    }
}

/// Where a forward writes what one head of queries computes.
pub(super) struct Outputs<'a> {
    pub(super) b: usize,
    pub(super) h: usize,
    pub(super) y: Rectangle<'a>,   // (T, hs)
    pub(super) lse: &'a mut [f32], // (T)
}

/// The tasks of a forward: one for each head of queries of each sequence.
pub(super) fn by_head<'a>(p: &Problem<'_>, y: &'a mut [f32], lse: &'a mut [f32]) -> Vec<Outputs<'a>> {
    let n_head = p.n_head;
    let parts = rectangles(y, p.width(), p.time, p.head_size).into_iter().zip(lse.chunks_mut(p.time));
    parts.enumerate().map(|(i, (y, lse))| Outputs { b: i / n_head, h: i % n_head, y, lse }).collect()
}

/// Where a backward writes the gradients of one head of keys and values, and those of the heads of queries that it
/// serves: those from `first` on.
pub(super) struct Destinations<'a> {
    pub(super) b: usize,
    pub(super) first: usize,
    pub(super) dq: Vec<Rectangle<'a>>, // (T, hs) each
    pub(super) dk: Rectangle<'a>,      // (T, hs)
    pub(super) dv: Rectangle<'a>,      // (T, hs)
}

/// The tasks of a backward: one for each head of keys and values of each sequence, whose gradients are sums over the
/// heads of queries that it serves.
pub(super) fn by_kv_head<'a>(p: &Problem<'_>, dqkv: &'a mut [f32]) -> Vec<Destinations<'a>> {
    let heads = p.n_head + 2 * p.n_kv_head; // rectangles in a sequence
    let mut parts: Vec<_> =
        rectangles(dqkv, p.row_width(), p.time, p.head_size).into_iter().map(Some).collect();
    let mut take =
        |b: usize, head: usize| parts[b * heads + head].take().expect("each rectangle is taken once");
    let all = (0..p.batch).flat_map(|b| (0..p.n_kv_head).map(move |kv| (b, kv)));
    all.map(|(b, kv)| Destinations {
        b,
        first: kv * p.group(),
        dq: (kv * p.group()..(kv + 1) * p.group()).map(|h| take(b, h)).collect(),
        dk: take(b, p.n_head + kv),
        dv: take(b, p.n_head + p.n_kv_head + kv),
    })
    .collect()
}
