//! Rung 2: the loops of rung 1, sixteen lanes at a time, each head on a thread of its own.
//!
//! Still one query against one key at a time: each product reads hs floats of K from the cache for hs
//! multiply-adds, so the kernel waits for loads. That is what the blocks of rung 3 are for.

use super::{Problem, drop_entries};
use crate::kernels::dot::dot;
use crate::kernels::simd::shared::{Rectangle, rectangles};
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};
use crate::kernels::vmath::{exp, ln_one};
use crate::kernels::{parallel, scratch};
use crate::op::{Accum, Grad};

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    let outputs = rectangles(y, p.width(), p.time, p.head_size);
    let tasks: Vec<_> = outputs.into_iter().zip(lse.chunks_mut(p.time)).enumerate().collect();
    parallel::for_each_of(tasks, |(head, (y, lse))| {
        scratch::with([p.time.next_multiple_of(LANES)], |[weights]| {
            dispatch(Forward { p, b: head / p.n_head, h: head % p.n_head, y, lse, weights });
        });
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    if dqkv.accum == Accum::Replace {
        dqkv.to.fill(0.0);
    }
    let tasks = by_kv_head(p, dqkv.to);
    parallel::for_each_of(tasks.into_iter().enumerate().collect(), |(task, d)| {
        scratch::with([p.time.next_multiple_of(LANES); 2], |[weights, factors]| {
            let (b, kv) = (task / p.n_kv_head, task % p.n_kv_head);
            dispatch(Backward { p, b, kv, y, lse, dy, d, weights, factors });
        });
    });
}

/// Where the gradients of one head of keys and values go, and those of the heads of queries that it serves.
pub(super) struct Destinations<'a> {
    pub(super) dq: Vec<Rectangle<'a>>,
    pub(super) dk: Rectangle<'a>,
    pub(super) dv: Rectangle<'a>,
}

/// The destinations of each (sequence, head of keys and values).
pub(super) fn by_kv_head<'a>(p: &Problem<'_>, dqkv: &'a mut [f32]) -> Vec<Destinations<'a>> {
    let heads = p.n_head + 2 * p.n_kv_head; // rectangles in a sequence
    let mut parts: Vec<_> =
        rectangles(dqkv, p.row_width(), p.time, p.head_size).into_iter().map(Some).collect();
    let mut take =
        |b: usize, head: usize| parts[b * heads + head].take().expect("each rectangle is taken once");
    let all = (0..p.batch).flat_map(|b| (0..p.n_kv_head).map(move |kv| (b, kv)));
    all.map(|(b, kv)| Destinations {
        dq: (kv * p.group()..(kv + 1) * p.group()).map(|h| take(b, h)).collect(),
        dk: take(b, p.n_head + kv),
        dv: take(b, p.n_head + p.n_kv_head + kv),
    })
    .collect()
}

/// to += factor * from
#[inline(always)]
fn add_scaled<S: Simd>(s: S, factor: f32, from: &[f32], to: &mut [f32]) {
    let ((from, from_tail), (to, to_tail)) = (from.as_chunks::<LANES>(), to.as_chunks_mut::<LANES>());
    for (from, to) in from.iter().zip(to) {
        s.store(s.fma(s.splat(factor), s.load(from), s.load(to)), to);
    }
    for (from, to) in from_tail.iter().zip(to_tail) {
        *to = factor.mul_add(*from, *to);
    }
}

/// Replaces scores by exp(score - shift); answers their sum. Beyond the slice's end nothing counts.
#[inline(always)]
pub(super) fn exponentials<S: Simd>(s: S, scores: &mut [f32], shift: f32) -> f32 {
    let (whole, tail) = scores.as_chunks_mut::<LANES>();
    let mut sum = s.splat(0.0);
    for x in whole {
        let e = exp(s, s.sub(s.load(x), s.splat(shift)));
        s.store(e, x);
        sum = s.add(sum, e);
    }
    let mut lanes = [f32::NEG_INFINITY; LANES];
    lanes[..tail.len()].copy_from_slice(tail);
    let e = exp(s, s.sub(s.load(&lanes), s.splat(shift)));
    s.store(e, &mut lanes);
    tail.copy_from_slice(&lanes[..tail.len()]);
    s.sum(s.add(sum, e))
}

struct Forward<'a> {
    p: &'a Problem<'a>,
    b: usize,
    h: usize,
    y: Rectangle<'a>,
    lse: &'a mut [f32],
    weights: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Self { p, b, h, .. } = self;
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let y = self.y.row(i);
            y.fill(0.0);
            self.lse[i] = f32::NEG_INFINITY;
            if keys.is_empty() {
                continue;
            }
            let weights = &mut self.weights[..keys.len()];
            let mut max = f32::NEG_INFINITY;
            for (weight, j) in weights.iter_mut().zip(keys.clone()) {
                *weight = dot(s, p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale();
                max = if *weight > max { *weight } else { max };
            }
            let sum = exponentials(s, weights, max);
            self.lse[i] = max + ln_one(sum);
            drop_entries(p, b, h, i, keys.start, weights);
            for (weight, j) in weights.iter().zip(keys) {
                add_scaled(s, weight / sum, p.row(b, j, 2, h), y);
            }
        }
    }
}

struct Backward<'a> {
    p: &'a Problem<'a>,
    b: usize,
    kv: usize,
    y: &'a [f32],
    lse: &'a [f32],
    dy: &'a [f32],
    d: Destinations<'a>,
    weights: &'a mut [f32],
    factors: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for (n, h) in (self.kv * self.p.group()..).take(self.p.group()).enumerate() {
            self.head(s, n, h);
        }
    }
}

impl Backward<'_> {
    /// The contribution of head h, number n of its group.
    #[inline(always)]
    fn head<S: Simd>(&mut self, s: S, n: usize, h: usize) {
        let Self { p, b, .. } = *self;
        let Destinations { dq, dk, dv } = &mut self.d;
        let dq = &mut dq[n];
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let at = (b * p.time + i) * p.width() + h * p.head_size;
            let (y, dy) = (&self.y[at..at + p.head_size], &self.dy[at..at + p.head_size]);
            let weights = &mut self.weights[..keys.len()];
            for (weight, j) in weights.iter_mut().zip(keys.clone()) {
                *weight = dot(s, p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale();
            }
            exponentials(s, weights, self.lse[(b * p.n_head + h) * p.time + i]);
            let factors = &mut self.factors[..keys.len()];
            factors.fill(1.0);
            drop_entries(p, b, h, i, keys.start, factors);
            let mean = dot(s, dy, y);
            for (n, j) in keys.enumerate() {
                let dp = dot(s, dy, p.row(b, j, 2, h)) * factors[n];
                let ds = weights[n] * (dp - mean) * p.scale();
                add_scaled(s, ds, p.row(b, j, 1, h), dq.row(i));
                add_scaled(s, ds, p.row(b, i, 0, h), dk.row(j));
                add_scaled(s, weights[n] * factors[n], dy, dv.row(j));
            }
        }
    }
}
