//! A matrix times one vector: the linear layer of a model that writes one token at a time.
//!
//! Every weight is read once and used once, so the time is that of reading the matrix from memory (2 floating
//! point operations for 4 bytes). Four rows at a time keep enough loads under way.

use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::padded;

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
        let mut row = 0;
        while row + 4 <= y.len() {
            let w = &w[row * k..(row + 4) * k];
            let sums = dots(s, [&w[..k], &w[k..2 * k], &w[2 * k..3 * k], &w[3 * k..]], x);
            y[row..row + 4].copy_from_slice(&sums);
            row += 4;
        }
        for row in row..y.len() {
            [y[row]] = dots(s, [&w[row * k..(row + 1) * k]], x);
        }
    }
}

/// The products of several rows with x. Each row's sum is the same, however many are taken at once.
#[inline(always)]
fn dots<S: Simd, const R: usize>(s: S, rows: [&[f32]; R], x: &[f32]) -> [f32; R] {
    let (x, x_tail) = x.as_chunks::<LANES>();
    let x_tail = s.load(&padded(x_tail));
    let mut acc = [s.splat(0.0); R];
    for r in 0..R {
        acc[r] = s.mul(s.load(&padded(rows[r].as_chunks::<LANES>().1)), x_tail);
    }
    let whole: [&[[f32; LANES]]; R] = std::array::from_fn(|r| &rows[r].as_chunks::<LANES>().0[..x.len()]);
    for (i, x) in x.iter().enumerate() {
        let x = s.load(x);
        for r in 0..R {
            acc[r] = s.fma(s.load(&whole[r][i]), x, acc[r]);
        }
    }
    let mut sums = [0.0; R];
    for r in 0..R {
        sums[r] = s.sum(acc[r]);
    }
    sums
}
