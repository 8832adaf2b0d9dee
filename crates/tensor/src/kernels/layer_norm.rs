//! Layer normalisation of the rows of a matrix. The formulas are in `ops/layer_norm.rs`.
//!
//! The variance is computed in two corrected passes. With m the row's mean as f32 and d = x - m, the mean
//! of d would be zero if m were exact; it is the rounding error of m, and is called `shift` here:
//!
//!   shift = mean(d)     variance = mean(d^2) - shift^2     xhat = (d - shift) / sqrt(variance + eps)
//!
//! (the corrected two-pass algorithm in Chan, Golub & LeVeque 1983). So a row with mean 10^6 and deviation 1
//! comes out with an error below 10^-6, where mean(x^2) - mean(x)^2 has nothing left, and two plain passes
//! have 0.1.
//! The backward computes `shift` again: it costs one addition where d is needed anyway.

use super::rows::{add_partials, destination, for_each_piece};
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::{parallel, vmath};
use crate::grad::{Accum, Grad};
use vmath::{padded, padded_with};

/// y = xhat * weight + bias for every row of x; `mean` and `rstd` receive one number a row.
///
/// # Panics
/// If the lengths do not fit: x and y are rows as wide as `weight`, which is not empty.
pub fn layer_norm_forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    eps: f32,
    y: &mut [f32],
    mean: &mut [f32],
    rstd: &mut [f32],
) {
    let width = weight.len();
    assert!(
        x.len() == y.len() && x.len() == width * mean.len() && mean.len() == rstd.len(),
        "layer_norm: lengths"
    );
    assert!(width > 0 && bias.is_none_or(|b| b.len() == width), "layer_norm: lengths of the parameters");
    let rows = parallel::rows_per_chunk(width);
    for_each_piece([y, mean, rstd], [rows * width, rows, rows], |i, [y, mean, rstd]| {
        let x = &x[i * rows * width..][..y.len()];
        dispatch(Forward { x, weight, bias, eps, y, mean, rstd });
    });
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    y: &'a mut [f32],
    mean: &'a mut [f32],
    rstd: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        let n = width as f32;
        let rows = self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for (((x, y), mean), rstd) in rows.zip(self.mean).zip(self.rstd) {
            *mean = sum(s, x) / n;
            let (d, d2) = residuals(s, x, *mean);
            let shift = d / n;
            let variance = (d2 - d * shift) / n;
            // A constant row may come out a little below zero.
            *rstd = 1.0 / (if variance < 0.0 { 0.0 } else { variance } + self.eps).sqrt();
            match self.bias {
                Some(bias) => {
                    write::<S, true>(s, Row { x, mean: *mean, shift, rstd: *rstd }, self.weight, bias, y)
                }
                None => write::<S, false>(
                    s,
                    Row { x, mean: *mean, shift, rstd: *rstd },
                    self.weight,
                    self.weight,
                    y,
                ),
            }
        }
    }
}

/// A row and what is known of it.
#[derive(Clone, Copy)]
struct Row<'a> {
    x: &'a [f32],
    mean: f32,
    shift: f32,
    rstd: f32,
}

/// The sum of a row.
#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    let (whole, tail) = x.as_chunks::<LANES>();
    let mut sum = s.load(&padded(tail));
    for x in whole {
        sum = s.add(sum, s.load(x));
    }
    s.sum(sum)
}

/// The sums of d and of d^2 over a row, d = x - mean.
#[inline(always)]
fn residuals<S: Simd>(s: S, x: &[f32], mean: f32) -> (f32, f32) {
    let (whole, tail) = x.as_chunks::<LANES>();
    let m = s.splat(mean);
    let mut d_sum = s.sub(s.load(&padded_with(tail, mean)), m);
    let mut d2_sum = s.mul(d_sum, d_sum);
    for x in whole {
        let d = s.sub(s.load(x), m);
        d_sum = s.add(d_sum, d);
        d2_sum = s.fma(d, d, d2_sum);
    }
    (s.sum(d_sum), s.sum(d2_sum))
}

/// y = (x - mean - shift) rstd weight + bias
#[inline(always)]
fn write<S: Simd, const BIAS: bool>(s: S, row: Row<'_>, weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let (mean, shift, rstd) = (s.splat(row.mean), s.splat(row.shift), s.splat(row.rstd));
    let (x, x_tail) = row.x.as_chunks::<LANES>();
    let (y, y_tail) = y.as_chunks_mut::<LANES>();
    let (weight, weight_tail) = weight.as_chunks::<LANES>();
    let (bias, bias_tail) = bias.as_chunks::<LANES>();
    for (((x, y), weight), bias) in x.iter().zip(y).zip(weight).zip(bias) {
        let xhat = s.mul(s.sub(s.sub(s.load(x), mean), shift), rstd);
        let bias = if BIAS { s.load(bias) } else { s.splat(0.0) };
        s.store(s.fma(xhat, s.load(weight), bias), y);
    }
    if !y_tail.is_empty() {
        let xhat = s.mul(s.sub(s.sub(s.load(&padded(x_tail)), mean), shift), rstd);
        let bias = if BIAS { s.load(&padded(bias_tail)) } else { s.splat(0.0) };
        let mut lanes = [0.0; LANES];
        s.store(s.fma(xhat, s.load(&padded(weight_tail)), bias), &mut lanes);
        y_tail.copy_from_slice(&lanes[..y_tail.len()]);
    }
}

/// How many floats of scratch [`layer_norm_backward`] needs.
#[must_use]
pub fn layer_norm_scratch(rows: usize, width: usize) -> usize {
    rows.div_ceil(parallel::rows_per_chunk(width)).max(1) * 2 * width.next_multiple_of(LANES)
}

/// The gradients of [`layer_norm_forward`]'s x, weight and bias, those that are wanted. `mean` and `rstd`
/// are the forward's, and `scratch` holds [`layer_norm_scratch`] floats.
pub fn layer_norm_backward<'a>(
    x: &[f32],
    weight: &[f32],
    (mean, rstd): (&[f32], &[f32]),
    dy: &[f32],
    dx: Option<&mut Grad<'_>>,
    dweight: Option<&mut Grad<'a>>,
    dbias: Option<&mut Grad<'a>>,
    scratch: &mut [f32],
) {
    let width = weight.len();
    let padded_width = width.next_multiple_of(LANES);
    let rows = parallel::rows_per_chunk(width);
    let (dx, accum) = destination(dx);
    // A chunk of rows writes its own rows of dx, and its own partial sums of dweight and dbias.
    for_each_piece([dx, scratch], [rows * width, 2 * padded_width], |i, [dx, partials]| {
        let rows = i * rows..mean.len().min((i + 1) * rows);
        let floats = rows.start * width..rows.end * width;
        let (x, dy, mean, rstd) = (&x[floats.clone()], &dy[floats], &mean[rows.clone()], &rstd[rows]);
        partials.fill(0.0);
        let (dweight, dbias) = partials.split_at_mut(padded_width);
        let (dweight, dbias) = (dweight.as_chunks_mut().0, dbias.as_chunks_mut().0);
        dispatch(Backward { x, weight, mean, rstd, dy, dx, accum, dweight, dbias });
    });
    add_partials(scratch, 2 * padded_width);
    let (dweight_sums, dbias_sums) = scratch.split_at(padded_width);
    if let Some(grad) = dweight {
        grad.write(|j| dweight_sums[j]);
    }
    if let Some(grad) = dbias {
        grad.write(|j| dbias_sums[j]);
    }
}

struct Backward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    mean: &'a [f32],
    rstd: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32], // empty if it is not wanted
    accum: Accum,
    dweight: &'a mut [[f32; LANES]],
    dbias: &'a mut [[f32; LANES]],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        let mut dx_rows = self.dx.chunks_exact_mut(width);
        let rows = self.x.chunks_exact(width).zip(self.dy.chunks_exact(width));
        for (((x, dy), &mean), &rstd) in rows.zip(self.mean).zip(self.rstd) {
            let row = Row { x, mean, shift: 0.0, rstd };
            let (row, g_mean, gx_mean) = row_means(s, row, self.weight, dy);
            let pass = Pass {
                s,
                mean: s.splat(mean),
                shift: s.splat(row.shift),
                rstd: s.splat(rstd),
                g_mean: s.splat(g_mean),
                gx_mean: s.splat(gx_mean),
            };
            match (dx_rows.next(), self.accum) {
                (None, _) => pass.run::<false, false>(x, dy, self.weight, &mut [], self.dweight, self.dbias),
                (Some(dx), Accum::Replace) => {
                    pass.run::<true, false>(x, dy, self.weight, dx, self.dweight, self.dbias);
                }
                (Some(dx), Accum::Add) => {
                    pass.run::<true, true>(x, dy, self.weight, dx, self.dweight, self.dbias);
                }
            }
        }
    }
}

/// The row with its shift, and the means over it of g = dy weight and of g xhat.
#[inline(always)]
fn row_means<'a, S: Simd>(s: S, row: Row<'a>, weight: &[f32], dy: &[f32]) -> (Row<'a>, f32, f32) {
    let n = row.x.len() as f32;
    let mean = s.splat(row.mean);
    let (x, x_tail) = row.x.as_chunks::<LANES>();
    let (dy, dy_tail) = dy.as_chunks::<LANES>();
    let (weight, weight_tail) = weight.as_chunks::<LANES>();
    let mut d_sum = s.sub(s.load(&padded_with(x_tail, row.mean)), mean);
    let mut g_sum = s.mul(s.load(&padded(dy_tail)), s.load(&padded(weight_tail)));
    let mut gd_sum = s.mul(g_sum, d_sum);
    for ((x, dy), weight) in x.iter().zip(dy).zip(weight) {
        let d = s.sub(s.load(x), mean);
        let g = s.mul(s.load(dy), s.load(weight));
        d_sum = s.add(d_sum, d);
        g_sum = s.add(g_sum, g);
        gd_sum = s.fma(g, d, gd_sum);
    }
    let (d, g, gd) = (s.sum(d_sum), s.sum(g_sum), s.sum(gd_sum));
    let shift = d / n;
    // xhat = (d - shift) rstd, so mean(g xhat) = (mean(g d) - shift mean(g)) rstd
    (Row { shift, ..row }, g / n, (gd - shift * g) * row.rstd / n)
}

/// The second pass over a row: dx, and the row's part of dweight and dbias.
#[derive(Clone, Copy)]
struct Pass<S: Simd> {
    s: S,
    mean: S::V,
    shift: S::V,
    rstd: S::V,
    g_mean: S::V,
    gx_mean: S::V,
}

impl<S: Simd> Pass<S> {
    #[inline(always)]
    fn run<const DX: bool, const ADD: bool>(
        self,
        x: &[f32],
        dy: &[f32],
        weight: &[f32],
        dx: &mut [f32],
        dweight: &mut [[f32; LANES]],
        dbias: &mut [[f32; LANES]],
    ) {
        let whole = x.len() / LANES;
        let (x, x_tail) = x.as_chunks::<LANES>();
        let (dy, dy_tail) = (&dy.as_chunks::<LANES>().0[..whole], &dy[whole * LANES..]);
        let (weight, weight_tail) = (&weight.as_chunks::<LANES>().0[..whole], &weight[whole * LANES..]);
        let (dx, dx_tail) = dx.as_chunks_mut::<LANES>();
        let (dweight, dweight_tail) = dweight.split_at_mut(whole);
        let (dbias, dbias_tail) = dbias.split_at_mut(whole);
        for j in 0..whole {
            let d = self.step(&x[j], &dy[j], &weight[j], &mut dweight[j], &mut dbias[j]);
            if DX {
                self.s.store(if ADD { self.s.add(self.s.load(&dx[j]), d) } else { d }, &mut dx[j]);
            }
        }
        if let (false, [dweight], [dbias]) = (x_tail.is_empty(), dweight_tail, dbias_tail) {
            let (x, dy, weight) = (padded(x_tail), padded(dy_tail), padded(weight_tail));
            let mut lanes = [0.0; LANES];
            self.s.store(self.step(&x, &dy, &weight, dweight, dbias), &mut lanes);
            for (to, d) in dx_tail.iter_mut().zip(lanes) {
                *to = if ADD { *to + d } else { d };
            }
        }
    }

    #[inline(always)]
    fn step(
        &self,
        x: &[f32; LANES],
        dy: &[f32; LANES],
        weight: &[f32; LANES],
        dweight: &mut [f32; LANES],
        dbias: &mut [f32; LANES],
    ) -> S::V {
        let s = self.s;
        let dy = s.load(dy);
        let xhat = s.mul(s.sub(s.sub(s.load(x), self.mean), self.shift), self.rstd);
        // y = xhat weight + bias: dweight = dy xhat, dbias = dy, g = dxhat = dy weight
        s.store(s.fma(dy, xhat, s.load(dweight)), dweight);
        s.store(s.add(s.load(dbias), dy), dbias);
        let g = s.mul(dy, s.load(weight));
        // xhat = (x - mean) rstd: dx = rstd (g - mean(g) - xhat mean(g xhat))
        let centred = s.sub(s.sub(g, self.g_mean), s.mul(xhat, self.gx_mean));
        s.mul(centred, self.rstd)
    }
}
