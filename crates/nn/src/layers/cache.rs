//! The keys and values that were computed already, while generating.

use super::visibility::Visibility;
use std::ops::Range;
use tensor::kernels::attention::{self, Heads, Intervals, Problem};
use tensor::kernels::parallel;
use tensor::kernels::rotary::{Rotary, rotary_forward};

/// What one sequence has behind it: its tokens, and in each layer the keys and values of its positions. A forward pass with
/// caches ([`Context::with_caches`](crate::Context::with_caches)) computes new positions only, appends theirs and lets each
/// look at all of them. A cache grows with its sequence; cloning it forks the sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache {
    tokens: Vec<u32>,
    /// Positions before the first token that are no text: a learned prompt or prefix.
    virtual_tokens: usize,
    layers: Vec<Layer>,
}

/// Keys and values of one layer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Layer {
    k: Vec<f32>, // (virtual tokens + tokens, NKV hs), normalised and turned
    v: Vec<f32>, // (virtual tokens + tokens, NKV hs)
}

impl Cache {
    /// An empty cache of a model with so many layers.
    #[must_use]
    pub fn new(layers: usize) -> Self {
        Self { layers: vec![Layer::default(); layers], ..Self::default() }
    }

    /// The tokens whose positions are in the cache.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Positions, those of a learned prompt or prefix included.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.virtual_tokens + self.tokens.len()
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| size_of_val(&layer.k[..]) + size_of_val(&layer.v[..])).sum()
    }

    /// Forgets all but the first `len` tokens, so that a text that begins alike need not be computed again.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.tokens.len() {
            return;
        }
        let (before, after) = (self.positions(), self.virtual_tokens + len);
        for layer in &mut self.layers {
            let kept = layer.k.len() / before * after;
            layer.k.truncate(kept);
            layer.v.truncate(kept);
        }
        self.tokens.truncate(len);
    }

    /// Notes the tokens of a forward pass that is about to append their keys and values.
    pub fn push_tokens(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// Says that the positions so far, whose keys and values are in the cache, are no tokens but `count` of a learned prompt
    /// or prefix.
    ///
    /// # Panics
    /// If there are tokens.
    pub fn set_virtual_tokens(&mut self, count: usize) {
        assert!(self.tokens.is_empty(), "virtual tokens stand before all others");
        self.virtual_tokens = count;
    }

    /// Appends learned keys and values, rows of (2 NKV hs), to those of a layer.
    pub fn push_prefix(&mut self, layer: usize, rows: &[f32], width: usize) {
        for row in rows.chunks_exact(width) {
            let (k, v) = row.split_at(width / 2);
            self.layers[layer].k.extend_from_slice(k);
            self.layers[layer].v.extend_from_slice(v);
        }
    }
}

/// Sequences that grow by new positions, right-padded to those of the one with the most.
pub struct Growing<'c> {
    /// What each sequence has behind it.
    pub caches: Vec<&'c mut Cache>,
    /// New positions of each.
    pub new: Vec<usize>,
    /// How far a position sees.
    pub visibility: Visibility,
    /// Whether the new positions of a sequence all see each other: the prefix of a prefix language model.
    pub both_sides: bool,
    /// Number of the block at work: which keys and values of the caches are its.
    pub layer: usize,
}

impl Growing<'_> {
    /// The places of the new positions, (B T): how many positions of its sequence stand before each. Those of padding are 0.
    pub fn places(&self, time: usize) -> impl Iterator<Item = usize> {
        self.caches.iter().zip(&self.new).flat_map(move |(cache, &new)| {
            let before = cache.positions() - new;
            (0..time).map(move |i| if i < new { before + i } else { 0 })
        })
    }

    /// The attention of new positions: y (B, T, C) from their queries, keys and values `qkv` (B, T, C + 2 NKV hs), which are
    /// normalised and turned here, since each sequence is at a position of its own. The first `before` positions of a cache
    /// stand nowhere and do not count (prefix tuning).
    pub(super) fn attend(&mut self, rotary: &Rotary, before: usize, qkv: &[f32], y: &mut [f32]) {
        let time = self.time();
        let Heads { n_head, n_kv_head } = rotary.heads;
        let c = y.len() / (self.new.len() * time);
        let hs = c / n_head;
        let (row, kv) = (hs * rotary.heads.in_row(), hs * n_kv_head);
        let changes = rotary.norm_eps.is_some() || rotary.rotations.is_some();
        let mut turned = vec![0.0; if changes { qkv.len() } else { 0 }]; // (B, T, C + 2 NKV hs)
        if changes {
            let mut rstd = vec![0.0; rotary.statistics(time)];
            let sequences = qkv.chunks(time * row).zip(turned.chunks_mut(time * row));
            for ((cache, &new), (qkv, turned)) in self.caches.iter().zip(&self.new).zip(sequences) {
                let start = cache.layers[self.layer].k.len() / kv - before;
                let (rows, rstd) = (..new * row, &mut rstd[..rotary.statistics(new)]);
                rotary_forward(rotary, (start, new.max(1)), &qkv[rows], &mut turned[rows], rstd, hs);
            }
        }
        let turned = if changes { &turned[..] } else { qkv };
        for ((cache, &new), turned) in self.caches.iter_mut().zip(&self.new).zip(turned.chunks(time * row)) {
            let layer = &mut cache.layers[self.layer];
            layer.make_room(new * kv);
            for row in turned[..new * row].chunks_exact(row) {
                layer.k.extend_from_slice(&row[c..c + kv]);
                layer.v.extend_from_slice(&row[c + kv..]);
            }
        }
        let this = &*self;
        parallel::for_each_chunk(y, time * c, |b, y| {
            let new = this.new[b];
            let (y, padding) = y.split_at_mut(new * c);
            this.caches[b].layers[this.layer].attend(
                (rotary.heads, hs),
                &turned[b * time * row..][..new * row],
                |i, end| this.visibility.within(i, 0..if this.both_sides { end } else { i + 1 }),
                y,
            );
            padding.fill(0.0);
        });
    }

    /// T, the new positions of the sequence with the most.
    fn time(&self) -> usize {
        self.new.iter().copied().max().unwrap_or(0)
    }
}

impl Layer {
    /// Room for so many more floats: for a good deal more at first, twice as much each time.
    fn make_room(&mut self, floats: usize) {
        for list in [&mut self.k, &mut self.v] {
            if list.capacity() - list.len() < floats {
                list.reserve(floats.max(list.len()).max(1 << 13));
            }
        }
    }

    /// y (N, C), what the last N positions receive, whose queries, keys and values `qkv` (N, C + 2 NKV hs) are; their keys and
    /// values are in the cache already. Position i of `end` sees `seen(i, end)`.
    fn attend(
        &self,
        (heads, head_size): (Heads, usize),
        qkv: &[f32],
        seen: impl Fn(usize, usize) -> Range<usize>,
        y: &mut [f32],
    ) {
        let Heads { n_head, n_kv_head } = heads;
        let (c, kv, row) = (n_head * head_size, n_kv_head * head_size, heads.in_row() * head_size);
        let (new, end) = (qkv.len() / row, self.k.len() / kv);
        if new == 1 {
            let seen = seen(end - 1, end);
            let seen = seen.start * kv..seen.end * kv;
            return attention::decode(&qkv[..c], &self.k[seen.clone()], &self.v[seen], heads, y);
        }
        // The kernel of training attends within one sequence: that of the positions before, without queries, and the new.
        let before = end - new;
        let mut all = vec![0.0; before * row]; // (end, C + 2 NKV hs)
        for (i, all) in all.chunks_exact_mut(row).enumerate() {
            all[c..c + kv].copy_from_slice(&self.k[i * kv..(i + 1) * kv]);
            all[c + kv..].copy_from_slice(&self.v[i * kv..(i + 1) * kv]);
        }
        all.extend_from_slice(qkv);
        let interval = |i: usize| if i < before { (0, 0) } else { to_u32(seen(i, end)) };
        let (lo, hi) = (0..end).map(interval).unzip();
        let intervals = Intervals::new(lo, hi, end.max(1));
        let problem = Problem {
            qkv: &all,
            batch: 1,
            time: end,
            n_head,
            n_kv_head,
            head_size,
            intervals: &intervals,
            dropout: None,
        };
        let (mut everywhere, mut lse) = (vec![0.0; end * c], vec![0.0; n_head * end]);
        attention::forward(&problem, &mut everywhere, &mut lse);
        y.copy_from_slice(&everywhere[before * c..]);
    }
}

fn to_u32(range: Range<usize>) -> (u32, u32) {
    (range.start as u32, range.end as u32)
}
