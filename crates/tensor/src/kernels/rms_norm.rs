//! Root-mean-square normalisation of the rows of a matrix. The formulas are in `ops/rms_norm.rs`.

use super::dot::dot;
use super::parallel;
use super::rows::{add_partials, destination, for_each_piece};
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::padded;
use crate::grad::{Accum, Grad};

/// y = x rstd weight for every row of x, with rstd = 1 / sqrt(mean(x^2) + eps), one number a row.
///
/// # Panics
/// If the lengths do not fit: x and y are rows as wide as `weight`, which is not empty.
pub fn rms_norm_forward(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], rstd: &mut [f32]) {
    let width = weight.len();
    assert!(width > 0 && x.len() == y.len() && x.len() == width * rstd.len(), "rms_norm: lengths");
    let rows = parallel::rows_per_chunk(width);
    for_each_piece([y, rstd], [rows * width, rows], |i, [y, rstd]| {
        let x = &x[i * rows * width..][..y.len()];
        dispatch(Forward { x, weight, eps, y, rstd });
    });
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
    rstd: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        let (weight, weight_tail) = self.weight.as_chunks::<LANES>();
        let rows = self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for ((x, y), rstd) in rows.zip(self.rstd) {
            *rstd = 1.0 / (dot(s, x, x) / width as f32 + self.eps).sqrt();
            let r = s.splat(*rstd);
            let (x, x_tail) = x.as_chunks::<LANES>();
            let (y, y_tail) = y.as_chunks_mut::<LANES>();
            for ((x, y), weight) in x.iter().zip(y).zip(weight) {
                s.store(s.mul(s.mul(s.load(x), r), s.load(weight)), y);
            }
            for ((x, y), weight) in x_tail.iter().zip(y_tail).zip(weight_tail) {
                *y = x * *rstd * weight;
            }
        }
    }
}

/// How many floats of scratch [`rms_norm_backward`] needs.
#[must_use]
pub fn rms_norm_scratch(rows: usize, width: usize) -> usize {
    rows.div_ceil(parallel::rows_per_chunk(width)).max(1) * width.next_multiple_of(LANES)
}

/// The gradients of [`rms_norm_forward`]'s x and weight, those that are wanted. `rstd` is the forward's, and
/// `scratch` holds [`rms_norm_scratch`] floats.
pub fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    rstd: &[f32],
    dy: &[f32],
    dx: Option<&mut Grad<'_>>,
    dweight: Option<&mut Grad<'_>>,
    scratch: &mut [f32],
) {
    let width = weight.len();
    let padded_width = width.next_multiple_of(LANES);
    let rows = parallel::rows_per_chunk(width);
    let (dx, accum) = destination(dx);
    // A chunk of rows writes its own rows of dx, and its own partial sums of dweight.
    for_each_piece([dx, scratch], [rows * width, padded_width], |i, [dx, partials]| {
        let rows = i * rows..rstd.len().min((i + 1) * rows);
        let floats = rows.start * width..rows.end * width;
        let (x, dy, rstd) = (&x[floats.clone()], &dy[floats], &rstd[rows]);
        partials.fill(0.0);
        dispatch(Backward { x, weight, rstd, dy, dx, accum, dweight: partials.as_chunks_mut().0 });
    });
    add_partials(scratch, padded_width);
    if let Some(dweight) = dweight {
        dweight.write(|j| scratch[j]);
    }
}

struct Backward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    rstd: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32], // empty if it is not wanted
    accum: Accum,
    dweight: &'a mut [[f32; LANES]],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        let mut dx_rows = self.dx.chunks_exact_mut(width);
        let rows = self.x.chunks_exact(width).zip(self.dy.chunks_exact(width));
        for ((x, dy), &rstd) in rows.zip(self.rstd) {
            // mean(g xhat), g = dy weight
            let gx_mean = dot3(s, x, dy, self.weight) * rstd / width as f32;
            let pass = Pass { s, rstd: s.splat(rstd), gx_mean: s.splat(gx_mean) };
            match (dx_rows.next(), self.accum) {
                (None, _) => pass.run::<false, false>(x, dy, self.weight, &mut [], self.dweight),
                (Some(dx), Accum::Replace) => pass.run::<true, false>(x, dy, self.weight, dx, self.dweight),
                (Some(dx), Accum::Add) => pass.run::<true, true>(x, dy, self.weight, dx, self.dweight),
            }
        }
    }
}

/// The sum of a b c.
#[inline(always)]
fn dot3<S: Simd>(s: S, a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let (a, a_tail) = a.as_chunks::<LANES>();
    let (b, b_tail) = b.as_chunks::<LANES>();
    let (c, c_tail) = c.as_chunks::<LANES>();
    let product = s.mul(s.load(&padded(b_tail)), s.load(&padded(c_tail)));
    let mut sum = s.mul(s.load(&padded(a_tail)), product);
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        sum = s.fma(s.load(a), s.mul(s.load(b), s.load(c)), sum);
    }
    s.sum(sum)
}

/// The second pass over a row: dx, and the row's part of dweight.
#[derive(Clone, Copy)]
struct Pass<S: Simd> {
    s: S,
    rstd: S::V,
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
    ) {
        let whole = x.len() / LANES;
        let (x, x_tail) = x.as_chunks::<LANES>();
        let (dy, dy_tail) = (&dy.as_chunks::<LANES>().0[..whole], &dy[whole * LANES..]);
        let (weight, weight_tail) = (&weight.as_chunks::<LANES>().0[..whole], &weight[whole * LANES..]);
        let (dx, dx_tail) = dx.as_chunks_mut::<LANES>();
        let (dweight, dweight_tail) = dweight.split_at_mut(whole);
        for j in 0..whole {
            let d = self.step(&x[j], &dy[j], &weight[j], &mut dweight[j]);
            if DX {
                self.s.store(if ADD { self.s.add(self.s.load(&dx[j]), d) } else { d }, &mut dx[j]);
            }
        }
        if let (false, [dweight]) = (x_tail.is_empty(), dweight_tail) {
            let mut lanes = [0.0; LANES];
            let d = self.step(&padded(x_tail), &padded(dy_tail), &padded(weight_tail), dweight);
            self.s.store(d, &mut lanes);
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
    ) -> S::V {
        let s = self.s;
        let dy = s.load(dy);
        let xhat = s.mul(s.load(x), self.rstd);
        // y = xhat weight: dweight = dy xhat, g = dxhat = dy weight
        s.store(s.fma(dy, xhat, s.load(dweight)), dweight);
        let g = s.mul(dy, s.load(weight));
        // xhat = x rstd: dx = rstd (g - xhat mean(g xhat))
        s.mul(s.sub(g, s.mul(xhat, self.gx_mean)), self.rstd)
    }
}
