//! Rung 3: blocks of queries against blocks of keys, through the tile kernels of the matrix products.
//!
//! A group of twelve queries is multiplied by a block of up to 256 keys at once: each key that is loaded
//! serves twelve queries, and the sums stay in registers. Scores exist for one block only (memory O(T)). Where the keys
//! take several blocks, the softmax is *online* (Milakov & Gimelshein 2018; FlashAttention): with m the
//! largest score so far and l the sum of exp(score - m), a new block with maximum m' rescales what was
//! summed by exp(m - max(m, m')).
//!
//! K is packed transposed into panels for S = Q K^T, and V into rows padded to whole tiles for O = P V,
//! once a head. Keys that no query of a group can see are not computed; inside of a block the ends of the
//! intervals are set to -infinity, so their probabilities are exactly zero.
//!
//! The backward computes dQ, dK and dV from the same blocks of P and dS: five products a head of keys and values. Where
//! such heads are fewer than threads (one long text, several heads of queries to one of keys), dQ has tasks of its own, by
//! ranges of queries, and dK and dV theirs, by ranges of keys: P and dS are computed twice, seven products, on all threads.
//! Each element is the same sum in the same order either way.
//!
//! **Threads.** A task of the forward is one head of queries of one sequence, a task of the backward one head of keys and
//! values with the heads of queries that it serves (or one of the ranges above). rayon gives tasks to whichever thread is
//! idle ([`parallel::for_each_of`]). That shows in no bit: two tasks never write to the same number; every sum lies inside
//! of one task, in an order that follows from the block sizes; and those are constants, the same for any number of threads
//! and on every SIMD path.

use super::problem::{Destinations, Outputs, Problem, by_head, by_kv_head, drop_entries};
use crate::grad::{Accum, Grad};
use crate::kernels::pack::{copy_row, pack_transposed};
use crate::kernels::simd::product::{Init, Left, Product, Right};
use crate::kernels::simd::shared::Rectangle;
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};
use crate::kernels::softmax::{exponentials, largest};
use crate::kernels::vmath::{exp, ln_one};
use crate::kernels::{parallel, scratch};
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
    let lengths = [keys * p.head_size, p.time * width, GROUP * SCORE_ROW, QUERIES * width];
    parallel::for_each_of(by_head(p, y, lse), |Outputs { b, h, y, lse }| {
        scratch::with(lengths, |[k, v, scores, o]| {
            dispatch(Forward { head: Head { p, b, h, width }, y, lse, k, v, scores, o });
        });
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let accum = dqkv.accum;
    let (keys, width) = (p.time.next_multiple_of(PANEL), p.head_size.next_multiple_of(PANEL));
    let (panels, rows, block) = (keys * p.head_size, p.time * width, QUERIES * SCORE_ROW);
    parallel::for_each_of(tasks(p, dqkv.to, parallel::threads()), |task| {
        scratch::with(
            [panels, panels, rows, rows, rows, rows, rows, rows, block, block, p.time],
            |[k_panels, v_panels, q, k, dy_rows, dq, dk, dv, weights, ds, means]| {
                let head = Head { p, b: task.b, h: task.heads.start, width };
                let packed = Packed { k_panels, v_panels, q, k, dy_rows };
                let sums = [dq, dk, dv];
                dispatch(Backward { head, y, lse, dy, accum, task, packed, sums, weights, ds, means });
            },
        );
    });
}

/// A part of the backward of one sequence: what these queries of these heads, one after the other, give to these keys.
/// The heads share one of keys and values.
struct Task<'a> {
    b: usize,
    heads: Range<usize>,
    queries: Range<usize>,             // from a block's beginning on
    keys: Range<usize>,                // from a panel's beginning on
    dq: Vec<Rectangle<'a>>,            // of each head, or none, where another task computes them
    dk_dv: Option<[Rectangle<'a>; 2]>, // likewise
}

/// One task for each head of keys and values, or, where so few would leave threads without work, tasks for ranges of
/// queries and of keys.
fn tasks<'a>(p: &Problem<'_>, dqkv: &'a mut [f32], threads: usize) -> Vec<Task<'a>> {
    let heads = p.batch * p.n_kv_head;
    // Five products for each head, those of the busiest thread, against seven, divided evenly.
    let divided = 7 * heads < 5 * threads * heads.div_ceil(threads);
    let mut tasks = Vec::new();
    for Destinations { b, first, dq, dk, dv } in by_kv_head(p, dqkv) {
        let group = first..first + dq.len();
        if !divided {
            let dk_dv = Some([dk, dv]);
            tasks.push(Task { b, heads: group, queries: 0..p.time, keys: 0..p.time, dq, dk_dv });
            continue;
        }
        // About two a thread for each of the two kinds, so that unequal ones even out.
        let piece =
            |tasks: usize, unit| p.time.div_ceil((2 * threads).div_ceil(tasks)).next_multiple_of(unit);
        for (h, dq) in group.clone().zip(dq) {
            for (first, dq) in dq.cut(piece(p.batch * p.n_head, QUERIES)) {
                let (heads, queries, keys) = (h..h + 1, first..first + dq.rows, 0..p.time);
                tasks.push(Task { b, heads, queries, keys, dq: vec![dq], dk_dv: None });
            }
        }
        let rows = piece(heads, PANEL);
        for ((first, dk), (_, dv)) in dk.cut(rows).zip(dv.cut(rows)) {
            let (queries, keys) = (0..p.time, first..first + dk.rows);
            let (heads, dk_dv) = (group.clone(), Some([dk, dv]));
            tasks.push(Task { b, heads, queries, keys, dq: Vec::new(), dk_dv });
        }
    }
    tasks
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

    /// Packs the transpose of these rows of qkv (from a panel's beginning on) into panels: `[panel][hs][panel width]`.
    #[inline(always)]
    fn pack_panels<S: Simd>(&self, s: S, from: &[f32], stride: usize, rows: &Range<usize>, to: &mut [f32]) {
        let (width, hs) = (S::TILE.1, self.p.head_size);
        for first in rows.clone().step_by(width) {
            let rows = width.min(rows.end - first);
            pack_transposed(
                s,
                &from[first * stride..],
                stride,
                rows,
                hs,
                width,
                &mut to[first * hs..][..width * hs],
            );
        }
    }

    /// Copies these rows, zeros behind each up to whole panels.
    #[inline(always)]
    fn pack_rows<S: Simd>(&self, s: S, from: &[f32], stride: usize, rows: &Range<usize>, to: &mut [f32]) {
        let (width, hs) = (self.width, self.p.head_size);
        for t in rows.clone() {
            copy_row(s, &from[t * stride..], hs, &mut to[t * width..(t + 1) * width]);
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
        product.run(s, Init::Zero, to, SCORE_ROW);
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
        head.pack_panels(s, head.rows(1, 0), head.stride(), &(0..head.p.time), self.k);
        head.pack_rows(s, head.rows(2, 0), head.stride(), &(0..head.p.time), self.v);
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
            let row_sum = exponentials(s, row, p.scale(), max[n]);
            // 0 for the first block, when `before` is -infinity
            let shrink = if before == max[n] { 1.0 } else { s.largest(exp(s, s.splat(before - max[n]))) };
            sum[n] = sum[n] * shrink + row_sum;
            if shrink != 1.0 {
                self.o[n * width..(n + 1) * width].iter_mut().for_each(|o| *o *= shrink);
            }
            drop_entries(p, head.b, head.h, i, keys.start, row);
        }
        let a = Left::rows(s, scores, SCORE_ROW);
        let b = Right::rows(s, &self.v[keys.start * width..], width);
        let product = Product { rows: group.len(), columns: width, depth: keys.len(), a, b };
        product.run(s, Init::Add, &mut self.o[at * width..], width);
    }
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
    head: Head<'a>, // the first of the task's heads, then the others
    y: &'a [f32],
    lse: &'a [f32], // (B, NH, T)
    dy: &'a [f32],
    accum: Accum,
    task: Task<'a>,
    packed: Packed<'a>,
    sums: [&'a mut [f32]; 3], // dq, dk, dv, (T, width) each
    weights: &'a mut [f32],   // (QUERIES, SCORE_ROW): P
    ds: &'a mut [f32],        // (QUERIES, SCORE_ROW): dP, then dS
    means: &'a mut [f32],     // (T): D, the sum of dO O of each row
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let width = self.head.width;
        let (queries, keys) = (self.task.queries.clone(), self.task.keys.clone());
        let floats = |rows: &Range<usize>| rows.start * width..rows.end * width;
        self.pack_keys(s);
        self.sums[1][floats(&keys)].fill(0.0);
        self.sums[2][floats(&keys)].fill(0.0);
        for n in 0..self.task.heads.len() {
            self.pack_queries(s);
            self.sums[0][floats(&queries)].fill(0.0);
            self.queries(s);
            if let Some(dq) = self.task.dq.get_mut(n) {
                write(dq, &self.sums[0][floats(&queries)], width, self.accum);
            }
            self.head.h += 1;
        }
        if let Some([dk, dv]) = &mut self.task.dk_dv {
            write(dk, &self.sums[1][floats(&keys)], width, self.accum);
            write(dv, &self.sums[2][floats(&keys)], width, self.accum);
        }
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
        let Self { head, packed, task: Task { keys, .. }, .. } = self;
        head.pack_panels(s, head.rows(1, 0), head.stride(), keys, packed.k_panels);
        head.pack_panels(s, head.rows(2, 0), head.stride(), keys, packed.v_panels);
        head.pack_rows(s, head.rows(1, 0), head.stride(), keys, packed.k);
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(&mut self, s: S) {
        let Self { head, packed, task: Task { queries, .. }, .. } = self;
        let (c, hs) = (head.p.width(), head.p.head_size);
        let first = head.b * head.p.time * c + head.h * hs;
        let (y, dy) = (&self.y[first..], &self.dy[first..]);
        head.pack_rows(s, head.rows(0, 0), head.stride(), queries, packed.q);
        head.pack_rows(s, dy, c, queries, packed.dy_rows);
        for t in queries.clone() {
            let rows = y[t * c..t * c + hs].iter().zip(&dy[t * c..t * c + hs]);
            self.means[t] = rows.map(|(y, dy)| y * dy).sum();
        }
    }

    /// The queries of the task, of one head, against those of its keys that they see.
    #[inline(always)]
    fn queries<S: Simd>(&mut self, s: S) {
        let (head, all) = (self.head, self.task.queries.clone());
        for first in all.clone().step_by(QUERIES) {
            let queries = first..all.end.min(first + QUERIES);
            let seen = head.keys_of(queries.clone());
            let seen = seen.start.max(self.task.keys.start)..seen.end.min(self.task.keys.end);
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
        if self.task.dk_dv.is_none() {
            return;
        }
        // O = P V: dV = P^T dO, and S = Q K^T: dK = dS^T Q
        for (which, left, right) in
            [(2, &*self.weights, &*self.packed.dy_rows), (1, &*self.ds, &*self.packed.q)]
        {
            let a = Left::transposed(s, left, SCORE_ROW);
            let b = Right::rows(s, &right[queries.start * width..], width);
            let product = Product { rows: keys.len(), columns: width, depth: queries.len(), a, b };
            product.run(s, Init::Add, &mut self.sums[which][keys.start * width..], width);
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
        let lse = &self.lse[(head.b * p.n_head + head.h) * p.time..];
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
            softmax_backward(s, weights, ds, p.scale(), lse[i], self.means[i]);
            drop_entries(p, head.b, head.h, i, keys.start, weights);
        }
        if self.task.dq.is_empty() {
            return;
        }
        // S = Q K^T / sqrt(hs): dQ = dS K / sqrt(hs)
        let a = Left::rows(s, ds, SCORE_ROW);
        let b = Right::rows(s, &self.packed.k[keys.start * width..], width);
        let product = Product { rows: group.len(), columns: width, depth: seen.len(), a, b };
        product.run(s, Init::Add, &mut self.sums[0][group.start * width..], width);
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

#[cfg(test)]
mod tests {
    use super::super::intervals::Intervals;
    use super::*;

    /// Tasks of a backward, and how many of them compute dQ, and dK and dV.
    fn counts(batch: usize, n_head: usize, n_kv_head: usize, threads: usize) -> [usize; 3] {
        let intervals = Intervals::causal(1024);
        let sizes = Problem {
            qkv: &[],
            batch,
            time: 1024,
            n_head,
            n_kv_head,
            head_size: 2,
            intervals: &intervals,
            dropout: None,
        };
        let mut dqkv = vec![0.0; batch * 1024 * sizes.row_width()];
        let tasks = tasks(&sizes, &mut dqkv, threads);
        let rows = |task: &Task<'_>| task.dq.iter().map(|dq| dq.rows).sum::<usize>();
        assert_eq!(tasks.iter().map(rows).sum::<usize>(), batch * n_head * 1024, "rows of dQ");
        let rows = |task: &Task<'_>| task.dk_dv.as_ref().map_or(0, |[dk, dv]| dk.rows.min(dv.rows));
        assert_eq!(tasks.iter().map(rows).sum::<usize>(), batch * n_kv_head * 1024, "rows of dK and dV");
        let dq = tasks.iter().filter(|task| !task.dq.is_empty()).count();
        [tasks.len(), dq, tasks.iter().filter(|task| task.dk_dv.is_some()).count()]
    }

    #[test]
    fn few_heads_of_keys_and_many_threads_divide_the_backward() {
        assert_eq!(counts(1, 6, 1, 1), [1; 3]);
        assert_eq!(counts(2, 6, 6, 4), [12; 3]); // enough heads
        let [all, dq, dk_dv] = counts(1, 6, 1, 16);
        assert!(dq >= 32 && dk_dv >= 32 && all == dq + dk_dv, "{dq} {dk_dv}");
    }
}
