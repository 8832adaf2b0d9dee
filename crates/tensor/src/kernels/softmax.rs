//! The softmax of the rows of a matrix, and its two steps, which cross-entropy shares: the largest element
//! of a row, and the sum of e^(z - largest). With the largest subtracted no exponential overflows, and the
//! sum is at least 1, so nothing divides by zero either. The formulas are in `ops/softmax.rs`.

use super::parallel;
use super::rows::store;
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::{dot_in_blocks, exp, padded, padded_with};
use crate::grad::Accum;

/// Vectors whose sum is accumulated in f32 before it goes to an f64: 1024 floats.
const BLOCK: usize = 64;

/// The largest element of a row; -inf if it is empty.
#[inline(always)]
pub(crate) fn largest<S: Simd>(s: S, z: &[f32]) -> f32 {
    let (whole, tail) = z.as_chunks::<LANES>();
    let mut max = s.load(&padded_with(tail, f32::NEG_INFINITY));
    for z in whole {
        max = s.max(max, s.load(z));
    }
    s.largest(max)
}

/// The sum of e^(z - max) over a row, less one: the largest element's own 1. Its logarithm of one more is the loss of a
/// confident prediction, of which a sum that is rounded beside that 1 keeps few digits.
#[inline(always)]
pub(crate) fn sum_of_exp_less_one<S: Simd>(s: S, z: &[f32], max: f32) -> f64 {
    let m = s.splat(max);
    let (whole, tail) = z.as_chunks::<LANES>();
    let (mut total, mut largest) = (0.0, 0.0);
    for block in whole.chunks(BLOCK) {
        let (mut sum, mut count) = (s.splat(0.0), s.splat(0.0));
        for z in block {
            let (rest, ones) = exp_below(s, s.load(z), m);
            (sum, count) = (s.add(sum, rest), s.add(count, ones));
        }
        (total, largest) = (total + f64::from(s.sum(sum)), largest + f64::from(s.sum(count)));
    }
    let (rest, ones) = exp_below(s, s.load(&padded_with(tail, f32::NEG_INFINITY)), m);
    total + f64::from(s.sum(rest)) + (largest + f64::from(s.sum(ones)) - 1.0)
}

/// e^(z - max), without the 1 of an element that is as large as the largest; and that 1. A NaN is not less, and stays.
#[inline(always)]
fn exp_below<S: Simd>(s: S, z: S::V, max: S::V) -> (S::V, S::V) {
    let e = exp(s, s.sub(z, max));
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    (s.if_less(z, max, e, s.sub(e, one)), s.if_less(z, max, zero, one))
}

/// The sum of max - z over a row.
#[inline(always)]
pub(crate) fn sum_below<S: Simd>(s: S, z: &[f32], max: f32) -> f64 {
    let m = s.splat(max);
    let (whole, tail) = z.as_chunks::<LANES>();
    let mut total = f64::from(s.sum(s.sub(m, s.load(&padded_with(tail, max)))));
    for block in whole.chunks(BLOCK) {
        let mut sum = s.splat(0.0);
        for z in block {
            sum = s.add(sum, s.sub(m, s.load(z)));
        }
        total += f64::from(s.sum(sum));
    }
    total
}

/// Writes `factor e^(z - max)` over a row, or adds it.
#[inline(always)]
pub(crate) fn write_exp<S: Simd>(s: S, z: &[f32], max: f32, factor: f32, y: &mut [f32], accum: Accum) {
    let (z, z_tail) = z.as_chunks::<LANES>();
    let (y, y_tail) = y.as_chunks_mut::<LANES>();
    let (max, factor) = (s.splat(max), s.splat(factor));
    for (z, y) in z.iter().zip(y) {
        let mut value = s.mul(exp(s, s.sub(s.load(z), max)), factor);
        if accum == Accum::Add {
            value = s.add(s.load(y), value);
        }
        s.store(value, y);
    }
    let mut lanes = [0.0; LANES];
    s.store(s.mul(exp(s, s.sub(s.load(&padded(z_tail)), max)), factor), &mut lanes);
    for (y, value) in y_tail.iter_mut().zip(lanes) {
        *y = if accum == Accum::Add { *y + value } else { value };
    }
}

/// Replaces x by e^(scale x - shift) and returns the sum.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(s: S, x: &mut [f32], scale: f32, shift: f32) -> f32 {
    let (whole, tail) = x.as_chunks_mut::<LANES>();
    let (scale, shift) = (s.splat(scale), s.splat(-shift));
    let mut sum = s.splat(0.0);
    for x in whole {
        let e = exp(s, s.fma(s.load(x), scale, shift));
        s.store(e, x);
        sum = s.add(sum, e);
    }
    if !tail.is_empty() {
        let e = exp(s, s.fma(s.load(&padded_with(tail, f32::NEG_INFINITY)), scale, shift));
        store(s, e, tail);
        sum = s.add(sum, e);
    }
    s.sum(sum)
}

/// y = softmax of every row of z, rows of `width` floats. A row of -inf alone (everything masked) is zeros.
pub fn softmax_forward(z: &[f32], width: usize, y: &mut [f32]) {
    let floats = parallel::rows_per_chunk(width) * width;
    parallel::for_each_chunk(y, floats, |i, y| {
        dispatch(Forward { z: &z[i * floats..][..y.len()], width, y });
    });
}

struct Forward<'a> {
    z: &'a [f32],
    width: usize,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (z, y) in self.z.chunks_exact(self.width).zip(self.y.chunks_exact_mut(self.width)) {
            let max = largest(s, z);
            if max == f32::NEG_INFINITY && z.iter().all(|z| *z == max) {
                y.fill(0.0);
                continue;
            }
            let sum = 1.0 + sum_of_exp_less_one(s, z, max);
            write_exp(s, z, max, (1.0 / sum) as f32, y, Accum::Replace);
        }
    }
}

/// dz = y (dy - sum(y dy)) for every row, written or added; y is the forward's output.
pub fn softmax_backward(y: &[f32], dy: &[f32], width: usize, dz: &mut [f32], accum: Accum) {
    let floats = parallel::rows_per_chunk(width) * width;
    parallel::for_each_chunk(dz, floats, |i, dz| {
        let chunk = i * floats..i * floats + dz.len();
        dispatch(Backward { y: &y[chunk.clone()], dy: &dy[chunk], width, dz, accum });
    });
}

struct Backward<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    width: usize,
    dz: &'a mut [f32],
    accum: Accum,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.y.chunks_exact(self.width).zip(self.dy.chunks_exact(self.width));
        for ((y, dy), dz) in rows.zip(self.dz.chunks_exact_mut(self.width)) {
            let mean = dot_in_blocks(s, y, dy) as f32;
            let m = s.splat(mean);
            let (dz, dz_tail) = dz.as_chunks_mut::<LANES>();
            let (y, y_tail) = y.as_chunks::<LANES>();
            let (dy, dy_tail) = dy.as_chunks::<LANES>();
            for ((y, dy), dz) in y.iter().zip(dy).zip(dz) {
                let mut value = s.mul(s.load(y), s.sub(s.load(dy), m));
                if self.accum == Accum::Add {
                    value = s.add(s.load(dz), value);
                }
                s.store(value, dz);
            }
            for ((y, dy), dz) in y_tail.iter().zip(dy_tail).zip(dz_tail) {
                let value = y * (dy - mean);
                *dz = if self.accum == Accum::Add { *dz + value } else { value };
            }
        }
    }
}
