//! A matrix times one vector: the linear layer of a model that writes one token at a time.
//!
//! Every weight is read once and used once, so the time is that of reading the matrix from memory (2 floating
//! point operations for 4 bytes). Several rows at a time keep enough loads under way.

use super::dot::{dot, dots};
use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};

/// Weights below this many stay on one thread: they come from the cache faster than a fork takes.
const SERIAL_BELOW: usize = 1 << 20;

/// y (N) = W x + b, for W (N, K) row-major and x (K).
///
/// ```
/// let mut y = [0.0; 2];
/// tensor::kernels::matvec::matvec(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0], Some(&[0.5, 0.5]), &mut y);
/// assert_eq!(y, [3.5, 7.5]);
/// ```
///
/// # Panics
/// If the lengths do not fit.
#[track_caller]
pub fn matvec(w: &[f32], x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    assert_eq!(w.len(), x.len() * y.len(), "matvec: the elements of W");
    assert!(bias.is_none_or(|b| b.len() == y.len()), "matvec: one bias a row");
    let rows = if w.len() < SERIAL_BELOW { y.len() } else { (SERIAL_BELOW / 4).div_ceil(x.len().max(1)) };
    parallel::for_each_chunk(y, rows.max(1), |i, y| {
        let first = i * rows;
        let w = &w[first * x.len()..(first + y.len()) * x.len()];
        dispatch(Rows { w, x, y });
        if let Some(bias) = bias {
            y.iter_mut().zip(&bias[first..]).for_each(|(y, b)| *y += b);
        }
    });
}

struct Rows<'a> {
    w: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { w, x, y } = self;
        let k = x.len();
        let (sixteens, rest) = y.as_chunks_mut::<LANES>();
        let (w, w_rest) = w.split_at(sixteens.len() * LANES * k);
        for (i, y) in sixteens.iter_mut().enumerate() {
            s.store(dots(s, &w[i * LANES * k..][..LANES * k], k, x), y);
        }
        for (r, y) in rest.iter_mut().enumerate() {
            *y = dot(s, &w_rest[r * k..(r + 1) * k], x);
        }
    }
}
