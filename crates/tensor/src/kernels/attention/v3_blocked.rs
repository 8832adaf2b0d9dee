//! Rung 3: blocks of queries against blocks of keys, through the tile kernels of the matrix products.
//!
//! A group of twelve queries is multiplied by a block of up to 256 keys at once: each key that is loaded
//! serves twelve queries, and the sums stay in registers. Scores exist for one block only. Where the keys
//! take several blocks, the softmax is *online* (Milakov & Gimelshein 2018; FlashAttention): with m the
//! largest score so far and l the sum of exp(score - m), a new block with maximum m' rescales what was
//! summed by exp(m - max(m, m')).
//!
//! K is packed transposed into panels for S = Q K^T, and V into rows padded to whole tiles for O = P V,
//! once a head. Keys that no query of a group can see are not computed; inside of a block the ends of the
//! intervals are set to -infinity, so their probabilities are exactly zero.
//!
//! The block sizes are the same on every path, so the bits are too.

use super::v2_rows::{Destinations, by_kv_head};
use super::{Problem, drop_entries};
use crate::kernels::pack::{copy_row, pack_transposed};
use crate::kernels::simd::product::{From, Left, Product, Right};
use crate::kernels::simd::shared::{Rectangle, rectangles};
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};
use crate::kernels::vmath::{exp, ln_one};
use crate::kernels::{parallel, scratch};
use crate::op::{Accum, Grad};
use std::ops::Range;

/// Queries that are multiplied at once: a multiple of every path's tile rows.
const GROUP: usize = 12;
/// Queries in a block: while they are at work, a block of keys stays in the cache.
const QUERIES: usize = 48;
/// Keys in a block.
const KEYS: usize = 256;
/// From one row of scores to the next: not a power of two, or the rows would share cache sets.
const SCORE_ROW: usize = KEYS + LANES;
/// Every path's panels are at most this wide.
const PANEL: usize = 32;

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    let (keys, width) = (p.time.next_multiple_of(PANEL), p.head_size.next_multiple_of(PANEL));
    let outputs = rectangles(y, p.width(), p.time, p.head_size);
    let tasks: Vec<_> = outputs.into_iter().zip(lse.chunks_mut(p.time)).enumerate().collect();
    let lengths = [keys * p.head_size, p.time * width, GROUP * SCORE_ROW, QUERIES * width];
    parallel::for_each_of(tasks, |(head, (y, lse))| {
        scratch::with(lengths, |[k, v, scores, o]| {
            let head = Head { p, b: head / p.n_head, h: head % p.n_head, width };
            dispatch(Forward { head, y, lse, k, v, scores, o });
        });
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let accum = dqkv.accum;
    let (keys, width) = (p.time.next_multiple_of(PANEL), p.head_size.next_multiple_of(PANEL));
    let tasks: Vec<_> =
        by_kv_head(p, dqkv.to).into_iter().zip(lse.chunks(p.group() * p.time)).enumerate().collect();
    let (panels, rows, block) = (keys * p.head_size, p.time * width, QUERIES * SCORE_ROW);
    parallel::for_each_of(tasks, |(task, (d, lse))| {
        scratch::with(
            [panels, panels, rows, rows, rows, rows, rows, rows, block, block, p.time],
            |[k_panels, v_panels, q, k, dy_rows, dq, dk, dv, weights, ds, means]| {
                let (b, kv) = (task / p.n_kv_head, task % p.n_kv_head);
                let head = Head { p, b, h: kv * p.group(), width };
                let packed = Packed { k_panels, v_panels, q, k, dy_rows };
                let sums = [dq, dk, dv];
                dispatch(Backward { head, y, lse, dy, accum, d, packed, sums, weights, ds, means });
            },
        );
    });
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Head<'a> {
    p: &'a Problem<'a>,
    b: usize,
    h: usize,
    width: usize, // hs padded to whole panels
}

impl<'a> Head<'a> {
    /// From one position to the next in qkv.
    #[inline(always)]
    fn stride(&self) -> usize {
        self.p.row_width()
    }

    /// Queries, keys or values (`which` 0, 1, 2) from position t on, `stride` floats apart.
    #[inline(always)]
    fn rows(&self, which: usize, t: usize) -> &'a [f32] {
        &self.p.qkv[self.p.at(self.b, t, which, self.h)..]
    }

    /// The keys that a range of queries sees, from a panel's beginning on.
    #[inline(always)]
    fn keys_of(&self, queries: Range<usize>) -> Range<usize> {
        let hull = self.p.intervals.hull(self.b, queries);
        hull.start / PANEL * PANEL..hull.end
    }

    /// Packs the transpose of rows of qkv into panels: `[panel][hs][panel width]`.
    #[inline(always)]
    fn pack_panels<S: Simd>(&self, s: S, from: &[f32], stride: usize, to: &mut [f32]) {
        let (width, hs) = (S::TILE.1, self.p.head_size);
        for (panel, to) in to.chunks_exact_mut(width * hs).enumerate() {
            let first = panel * width;
            if first < self.p.time {
                let rows = width.min(self.p.time - first);
                pack_transposed(s, &from[first * stride..], stride, rows, hs, width, to);
            }
        }
    }

    /// Copies rows, zeros behind each up to whole panels.
    #[inline(always)]
    fn pack_rows<S: Simd>(&self, s: S, from: &[f32], stride: usize, to: &mut [f32]) {
        let hs = self.p.head_size;
        for (t, to) in to.chunks_exact_mut(self.width).enumerate() {
            copy_row(s, &from[t * stride..], hs, to);
        }
    }

    /// Scores (before scaling) of a group of queries against a block of keys.
    #[inline(always)]
    fn products<S: Simd>(
        &self,
        s: S,
        left: Left<'_>,
        rows: usize,
        panels: &[f32],
        keys: &Range<usize>,
        to: &mut [f32],
    ) {
        let hs = self.p.head_size;
        let b = Right::panels(s, &panels[keys.start * hs..], hs);
        let product = Product { rows, columns: keys.len(), depth: hs, a: left, b };
        product.run(s, From::Zero, to, SCORE_ROW);
    }

    /// The part of the interval of query i that lies in a block of keys, counted from the block's start;
    /// everything else in the first whole vectors of `scores` becomes -infinity.
    #[inline(always)]
    fn mask_outside(&self, i: usize, keys: &Range<usize>, scores: &mut [f32]) -> Range<usize> {
        let row = self.p.intervals.row(self.b, i);
        let lo = row.start.clamp(keys.start, keys.end) - keys.start;
        let hi = row.end.clamp(keys.start, keys.end) - keys.start;
        let (lo, hi) = if lo < hi { (lo, hi) } else { (0, 0) };
        scores[..lo].fill(f32::NEG_INFINITY);
        scores[hi..].fill(f32::NEG_INFINITY);
        lo..hi
    }
}

struct Forward<'a> {
    head: Head<'a>,
    y: Rectangle<'a>,
    lse: &'a mut [f32],
    k: &'a mut [f32],      // K^T in panels
    v: &'a mut [f32],      // (T, width)
    scores: &'a mut [f32], // (GROUP, SCORE_ROW)
    o: &'a mut [f32],      // (QUERIES, width)
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Self { head, .. } = self;
        head.pack_panels(s, head.rows(1, 0), head.stride(), self.k);
        head.pack_rows(s, head.rows(2, 0), head.stride(), self.v);
        for first in (0..head.p.time).step_by(QUERIES) {
            let queries = first..head.p.time.min(first + QUERIES);
            self.block(s, queries);
        }
    }
}

impl Forward<'_> {
    /// One block of queries against all keys that they see.
    #[inline(always)]
    fn block<S: Simd>(&mut self, s: S, queries: Range<usize>) {
        let head = self.head;
        let (mut max, mut sum) = ([f32::NEG_INFINITY; QUERIES], [0.0; QUERIES]);
        self.o.fill(0.0);
        let seen = head.keys_of(queries.clone());
        for start in seen.clone().step_by(KEYS) {
            for group in queries.clone().step_by(GROUP) {
                let group = group..queries.end.min(group + GROUP);
                let keys = start..head.keys_of(group.clone()).end.min(start + KEYS);
                if keys.is_empty() {
                    continue;
                }
                let at = group.start - queries.start;
                self.group(s, group, keys, at, &mut max, &mut sum);
            }
        }
        for (n, i) in queries.enumerate() {
            let scale = if sum[n] == 0.0 { 0.0 } else { 1.0 / sum[n] }; // a NaN goes on
            let o = &self.o[n * head.width..][..head.p.head_size];
            self.y.row(i).iter_mut().zip(o).for_each(|(y, o)| *y = o * scale);
            self.lse[i] = max[n] + ln_one(sum[n]); // -infinity if no key is seen
        }
    }

    /// One group of queries (rows `at`.. of the block) against one block of keys: o += exp(S - max) V.
    #[inline(always)]
    fn group<S: Simd>(
        &mut self,
        s: S,
        group: Range<usize>,
        keys: Range<usize>,
        at: usize,
        max: &mut [f32; QUERIES],
        sum: &mut [f32; QUERIES],
    ) {
        let Self { head, scores, .. } = self;
        let (p, width) = (head.p, head.width);
        let q = Left::rows(s, head.rows(0, group.start), head.stride());
        head.products(s, q, group.len(), self.k, &keys, scores);
        let whole = keys.len().next_multiple_of(LANES);
        for (n, i) in group.clone().enumerate() {
            let row = &mut scores[n * SCORE_ROW..][..whole];
            let inside = head.mask_outside(i, &keys, row);
            if inside.is_empty() {
                row.fill(0.0);
                continue;
            }
            let n = at + n;
            let before = max[n];
            let largest = largest(s, row) * p.scale();
            max[n] = if largest > before { largest } else { before };
            let (row_sum, shrink) = exponentials(s, row, p.scale(), max[n], before);
            sum[n] = sum[n] * shrink + row_sum;
            if shrink != 1.0 {
                self.o[n * width..(n + 1) * width].iter_mut().for_each(|o| *o *= shrink);
            }
            drop_entries(p, head.b, head.h, i, keys.start, row);
        }
        let a = Left::rows(s, scores, SCORE_ROW);
        let b = Right::rows(s, &self.v[keys.start * width..], width);
        let product = Product { rows: group.len(), columns: width, depth: keys.len(), a, b };
        product.run(s, From::C, &mut self.o[at * width..], width);
    }
}

/// The largest element of whole vectors.
#[inline(always)]
fn largest<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut max = s.splat(f32::NEG_INFINITY);
    for x in x.as_chunks::<LANES>().0 {
        max = s.max(max, s.load(x));
    }
    s.largest(max)
}

/// x becomes exp(scale x - max); answers the sum, and exp(before - max) (0 for the first block, when
/// `before` is -infinity).
#[inline(always)]
fn exponentials<S: Simd>(s: S, x: &mut [f32], scale: f32, max: f32, before: f32) -> (f32, f32) {
    let mut sum = s.splat(0.0);
    for x in x.as_chunks_mut::<LANES>().0 {
        let e = exp(s, s.fma(s.load(x), s.splat(scale), s.splat(-max)));
        s.store(e, x);
        sum = s.add(sum, e);
    }
    let shrink = if before == max { 1.0 } else { s.largest(exp(s, s.splat(before - max))) };
    (s.sum(sum), shrink)
}

/// What the backward packs of one head.
struct Packed<'a> {
    k_panels: &'a mut [f32], // K^T
    v_panels: &'a mut [f32], // V^T
    q: &'a mut [f32],        // (T, width)
    k: &'a mut [f32],        // (T, width)
    dy_rows: &'a mut [f32],  // (T, width)
}

struct Backward<'a> {
    head: Head<'a>, // the first of the group that the head of keys and values serves, then the others
    y: &'a [f32],
    lse: &'a [f32], // (group, T)
    dy: &'a [f32],
    accum: Accum,
    d: Destinations<'a>,
    packed: Packed<'a>,
    sums: [&'a mut [f32]; 3], // dq, dk, dv, (T, width) each
    weights: &'a mut [f32],   // (QUERIES, SCORE_ROW): P
    ds: &'a mut [f32],        // (QUERIES, SCORE_ROW): dP, then dS
    means: &'a mut [f32],     // D: the sum of dO O of each row
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.pack_keys(s);
        let [_, dk, dv] = &mut self.sums;
        dk.fill(0.0);
        dv.fill(0.0);
        for n in 0..self.head.p.group() {
            self.pack_queries(s);
            self.sums[0].fill(0.0);
            self.queries(s);
            write(&mut self.d.dq[n], self.sums[0], self.head.width, self.accum);
            self.head.h += 1;
            self.lse = &self.lse[self.head.p.time..];
        }
        write(&mut self.d.dk, self.sums[1], self.head.width, self.accum);
        write(&mut self.d.dv, self.sums[2], self.head.width, self.accum);
    }
}

/// Rows of sums, padded to `width`, to where they belong.
#[inline(always)]
fn write(to: &mut Rectangle<'_>, sums: &[f32], width: usize, accum: Accum) {
    for (t, sum) in sums.chunks_exact(width).enumerate() {
        let to = to.row(t).iter_mut().zip(sum);
        match accum {
            Accum::Replace => to.for_each(|(to, sum)| *to = *sum),
            Accum::Add => to.for_each(|(to, sum)| *to += *sum),
        }
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn pack_keys<S: Simd>(&mut self, s: S) {
        let Self { head, packed, .. } = self;
        head.pack_panels(s, head.rows(1, 0), head.stride(), packed.k_panels);
        head.pack_panels(s, head.rows(2, 0), head.stride(), packed.v_panels);
        head.pack_rows(s, head.rows(1, 0), head.stride(), packed.k);
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(&mut self, s: S) {
        let Self { head, packed, .. } = self;
        let (c, hs) = (head.p.width(), head.p.head_size);
        let first = head.b * head.p.time * c + head.h * hs;
        let (y, dy) = (&self.y[first..], &self.dy[first..]);
        head.pack_rows(s, head.rows(0, 0), head.stride(), packed.q);
        head.pack_rows(s, dy, c, packed.dy_rows);
        for (t, mean) in self.means.iter_mut().enumerate() {
            let rows = y[t * c..t * c + hs].iter().zip(&dy[t * c..t * c + hs]);
            *mean = rows.map(|(y, dy)| y * dy).sum();
        }
    }

    /// All queries of the head against all keys that they see.
    #[inline(always)]
    fn queries<S: Simd>(&mut self, s: S) {
        let head = self.head;
        for first in (0..head.p.time).step_by(QUERIES) {
            let queries = first..head.p.time.min(first + QUERIES);
            let seen = head.keys_of(queries.clone());
            for start in seen.clone().step_by(KEYS) {
                self.block(s, queries.clone(), start..seen.end.min(start + KEYS));
            }
        }
    }

    /// One block of queries against one block of keys.
    #[inline(always)]
    fn block<S: Simd>(&mut self, s: S, queries: Range<usize>, keys: Range<usize>) {
        let head = self.head;
        let width = head.width;
        for group in queries.clone().step_by(GROUP) {
            let at = group - queries.start;
            let group = group..queries.end.min(group + GROUP);
            self.group(s, group, &keys, at);
        }
        // O = P V: dV = P^T dO, and S = Q K^T: dK = dS^T Q
        for (which, left, right) in
            [(2, &*self.weights, &*self.packed.dy_rows), (1, &*self.ds, &*self.packed.q)]
        {
            let a = Left::transposed(s, left, SCORE_ROW);
            let b = Right::rows(s, &right[queries.start * width..], width);
            let product = Product { rows: keys.len(), columns: width, depth: queries.len(), a, b };
            product.run(s, From::C, &mut self.sums[which][keys.start * width..], width);
        }
    }

    /// Rows `at`.. of P and dS of the block, and dq += dS K for one group of queries.
    #[inline(always)]
    fn group<S: Simd>(&mut self, s: S, group: Range<usize>, keys: &Range<usize>, at: usize) {
        let Self { head, weights, ds, .. } = self;
        let (p, width) = (head.p, head.width);
        let whole = keys.len().next_multiple_of(LANES);
        let (weights, ds) = (&mut weights[at * SCORE_ROW..], &mut ds[at * SCORE_ROW..]);
        let seen = keys.start..head.keys_of(group.clone()).end.min(keys.end);
        if seen.is_empty() {
            for n in 0..group.len() {
                weights[n * SCORE_ROW..][..whole].fill(0.0);
                ds[n * SCORE_ROW..][..whole].fill(0.0);
            }
            return;
        }
        let q = Left::rows(s, &self.packed.q[group.start * width..], width);
        head.products(s, q, group.len(), self.packed.k_panels, &seen, weights);
        let dy = Left::rows(s, &self.packed.dy_rows[group.start * width..], width);
        head.products(s, dy, group.len(), self.packed.v_panels, &seen, ds);
        for (n, i) in group.clone().enumerate() {
            let row = n * SCORE_ROW..n * SCORE_ROW + whole;
            let (weights, ds) = (&mut weights[row.clone()], &mut ds[row]);
            ds[seen.len()..].fill(0.0); // beyond the group's keys nothing was computed
            if head.mask_outside(i, keys, weights).is_empty() {
                weights.fill(0.0);
                ds.fill(0.0);
                continue;
            }
            if p.dropout.is_some() {
                drop_entries(p, head.b, head.h, i, keys.start, ds);
            }
            softmax_backward(s, weights, ds, p.scale(), self.lse[i], self.means[i]);
            drop_entries(p, head.b, head.h, i, keys.start, weights);
        }
        // S = Q K^T / sqrt(hs): dQ = dS K / sqrt(hs)
        let a = Left::rows(s, ds, SCORE_ROW);
        let b = Right::rows(s, &self.packed.k[keys.start * width..], width);
        let product = Product { rows: group.len(), columns: width, depth: seen.len(), a, b };
        product.run(s, From::C, &mut self.sums[0][group.start * width..], width);
    }
}

/// `weights` holds scores and becomes P = exp(scale score - lse); `ds` holds dP and becomes
/// scale P (dP - mean), the gradient by the unscaled score.
#[inline(always)]
fn softmax_backward<S: Simd>(s: S, weights: &mut [f32], ds: &mut [f32], scale: f32, lse: f32, mean: f32) {
    let (scale, lse, mean) = (s.splat(scale), s.splat(-lse), s.splat(mean));
    let rows = weights.as_chunks_mut::<LANES>().0.iter_mut().zip(ds.as_chunks_mut::<LANES>().0);
    for (weight, ds) in rows {
        let p = exp(s, s.fma(s.load(weight), scale, lse));
        s.store(p, weight);
        s.store(s.mul(s.mul(p, s.sub(s.load(ds), mean)), scale), ds);
    }
}
