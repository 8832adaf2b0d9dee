//! Rung 2: the loops of rung 1, sixteen lanes at a time, and the exponentials of a whole row at once.
//!
//! Where a head's queries, keys and values begin, and how far apart they are, is computed once a head: the loop over the
//! keys only multiplies. It is still one query against one key at a time: each product loads hs floats of K for hs
//! multiply-adds, and adds its lanes up. That is what the blocks of rung 3 are for. Memory O(T), as in rung 1.

use super::problem::{Destinations, Outputs, Problem, by_head, by_kv_head, drop_entries};
use crate::grad::{Accum, Grad};
use crate::kernels::dot::dot;
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};
use crate::kernels::softmax::exponentials;
use crate::kernels::vmath::ln_one;
use crate::kernels::{parallel, scratch};

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    parallel::for_each_of(by_head(p, y, lse), |to| {
        scratch::with([p.time.next_multiple_of(LANES)], |[weights]| {
            dispatch(Forward { p, to, weights });
        });
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    if dqkv.accum == Accum::Replace {
        dqkv.to.fill(0.0);
    }
    parallel::for_each_of(by_kv_head(p, dqkv.to), |to| {
        scratch::with([p.time.next_multiple_of(LANES); 2], |[weights, factors]| {
            dispatch(Backward { p, y, lse, dy, to, weights, factors });
        });
    });
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

struct Forward<'a> {
    p: &'a Problem<'a>,
    to: Outputs<'a>,
    weights: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { p, to: Outputs { b, h, mut y, lse }, weights } = self;
        let (hs, stride, scale) = (p.head_size, p.row_width(), p.scale());
        let [q, k, v] = [0, 1, 2].map(|which| p.rows(b, which, h));
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let (q, y) = (&q[i * stride..][..hs], y.row(i));
            y.fill(0.0);
            lse[i] = f32::NEG_INFINITY;
            if keys.is_empty() {
                continue;
            }
            let weights = &mut weights[..keys.len()];
            let mut max = f32::NEG_INFINITY;
            for (weight, k) in weights.iter_mut().zip(k[keys.start * stride..].chunks(stride)) {
                *weight = dot(s, q, &k[..hs]) * scale;
                max = if *weight > max { *weight } else { max };
            }
            let sum = exponentials(s, weights, 1.0, max);
            lse[i] = max + ln_one(sum);
            drop_entries(p, b, h, i, keys.start, weights);
            weights.iter_mut().for_each(|weight| *weight /= sum);
            for (weight, v) in weights.iter().zip(v[keys.start * stride..].chunks(stride)) {
                add_scaled(s, *weight, &v[..hs], y);
            }
        }
    }
}

struct Backward<'a> {
    p: &'a Problem<'a>,
    y: &'a [f32],
    lse: &'a [f32],
    dy: &'a [f32],
    to: Destinations<'a>,
    weights: &'a mut [f32],
    factors: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for n in 0..self.p.group() {
            self.head(s, n);
        }
    }
}

impl Backward<'_> {
    /// The contribution of head number n of the group.
    #[inline(always)]
    fn head<S: Simd>(&mut self, s: S, n: usize) {
        let Self { p, to: Destinations { b, first, dq, dk, dv }, .. } = self;
        let (b, h, dq) = (*b, *first + n, &mut dq[n]);
        let (hs, stride, scale) = (p.head_size, p.row_width(), p.scale());
        let [q, k, v] = [0, 1, 2].map(|which| p.rows(b, which, h));
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let at = (b * p.time + i) * p.width() + h * hs;
            let (q, y, dy) = (&q[i * stride..][..hs], &self.y[at..at + hs], &self.dy[at..at + hs]);
            let k = k[keys.start * stride..].chunks(stride);
            let v = v[keys.start * stride..].chunks(stride);
            let weights = &mut self.weights[..keys.len()];
            for (weight, k) in weights.iter_mut().zip(k.clone()) {
                *weight = dot(s, q, &k[..hs]) * scale;
            }
            exponentials(s, weights, 1.0, self.lse[(b * p.n_head + h) * p.time + i]);
            let factors = &mut self.factors[..keys.len()];
            factors.fill(1.0);
            drop_entries(p, b, h, i, keys.start, factors);
            let (mean, dq) = (dot(s, dy, y), dq.row(i));
            for (n, (j, (k, v))) in keys.zip(k.zip(v)).enumerate() {
                let dp = dot(s, dy, &v[..hs]) * factors[n];
                let ds = weights[n] * (dp - mean) * scale;
                add_scaled(s, ds, &k[..hs], dq);
                add_scaled(s, ds, q, dk.row(j));
                add_scaled(s, weights[n] * factors[n], dy, dv.row(j));
            }
        }
    }
}
