//! Weighted sums of the last features of rows. The formulas are in `ops/blend.rs`.

use super::parallel;
use super::rows::{destination, for_each_piece, load, store};
use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::grad::{Accum, Grad};

/// y = x, but in the last features of each row, as many as a row of z has, `w[0] x + w[1] z`. Rows of x have `width`
/// floats.
///
/// # Panics
/// If the lengths do not fit.
pub fn blend_forward(x: &[f32], z: &[f32], w: [f32; 2], width: usize, y: &mut [f32]) {
    let rows = x.len() / width;
    let last = z.len() / rows.max(1);
    assert!(x.len() == y.len() && x.len() == rows * width && z.len() == rows * last, "blend: lengths");
    let chunk = parallel::rows_per_chunk(width);
    parallel::for_each_chunk(y, chunk * width, |i, y| {
        let part = i * chunk..i * chunk + y.len() / width;
        let (x, z) = (&x[part.start * width..part.end * width], &z[part.start * last..part.end * last]);
        dispatch(Forward { x, z, w, width, last, y });
    });
}

struct Forward<'a> {
    x: &'a [f32],
    z: &'a [f32],
    w: [f32; 2],
    width: usize,
    last: usize,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { x, z, w, width, last, y } = self;
        let w = w.map(|w| s.splat(w));
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(z.chunks_exact(last));
        for ((x, y), z) in rows {
            let first = width - last;
            y[..first].copy_from_slice(&x[..first]);
            let (x, y) = (&x[first..], &mut y[first..]);
            for at in (0..last).step_by(LANES) {
                let sum = s.fma(w[0], load(s, &x[at..]), s.mul(w[1], load(s, &z[at..])));
                store(s, sum, &mut y[at..]);
            }
        }
    }
}

/// The gradients of [`blend_forward`]'s x, rows of `width`, and z, rows of `last`, those that are wanted.
pub fn blend_backward(
    w: [f32; 2],
    (width, last): (usize, usize),
    dy: &[f32],
    dx: Option<&mut Grad<'_>>,
    dz: Option<&mut Grad<'_>>,
) {
    let chunk = parallel::rows_per_chunk(width);
    let ((dx, x_accum), (dz, z_accum)) = (destination(dx), destination(dz));
    for_each_piece([dx, dz], [chunk * width, chunk * last], |i, [dx, dz]| {
        let from = i * chunk * width;
        let dy = &dy[from..dy.len().min(from + chunk * width)];
        dispatch(Backward { w, width, last, dy, dx, x_accum, dz, z_accum });
    });
}

struct Backward<'a> {
    w: [f32; 2],
    width: usize,
    last: usize,
    dy: &'a [f32],
    dx: &'a mut [f32], // empty if it is not wanted
    x_accum: Accum,
    dz: &'a mut [f32], // empty if it is not wanted
    z_accum: Accum,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { w, width, last, dy, .. } = self;
        let first = width - last;
        // y = x before, w0 x + w1 z after: dx = dy before, w0 dy after
        for (dy, dx) in dy.chunks_exact(width).zip(self.dx.chunks_exact_mut(width)) {
            scaled(s, 1.0, &dy[..first], &mut dx[..first], self.x_accum);
            scaled(s, w[0], &dy[first..], &mut dx[first..], self.x_accum);
        }
        // dz = w1 dy
        for (dy, dz) in dy.chunks_exact(width).zip(self.dz.chunks_exact_mut(last)) {
            scaled(s, w[1], &dy[first..], dz, self.z_accum);
        }
    }
}

/// to = w from, or `+=`
#[inline(always)]
fn scaled<S: Simd>(s: S, w: f32, from: &[f32], to: &mut [f32], accum: Accum) {
    let w = s.splat(w);
    for at in (0..to.len()).step_by(LANES) {
        let to = &mut to[at..];
        let value = match accum {
            Accum::Replace => s.mul(w, load(s, &from[at..])),
            Accum::Add => s.fma(w, load(s, &from[at..]), load(s, to)),
        };
        store(s, value, to);
    }
}
