//! Weights in eight bits: a quarter of the memory, and of the time to read it.
//!
//! Writing one token at a time reads every weight once ([`super::matvec`]), so its time is that of reading them. Here
//! each row of W (N, K) is rounded to integers from -127 to 127 and one scale,
//!
//! ```text
//! W[n, k] ~ scale[n] q[n, k],   scale[n] = max over k of |W[n, k]| / 127
//! ```
//!
//! (symmetric quantization with one scale a row: Jacob et al. 2018, without the offset). The vector is rounded too,
//! to fifteen bits, whose error is a hundredth of the weights'. The products are integers, added up exactly: the
//! result has the same bits on every path and at any number of threads.

use super::matvec::in_parts;
use super::simd::int8::{STEP, dots};
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::padded;
use std::cell::Cell;

/// The largest magnitude of a weight.
const LARGEST_WEIGHT: f32 = 127.0;
/// The largest magnitude of an element of the vector.
const LARGEST_INPUT: f32 = 16_383.0;
/// Weights below this many stay on one thread.
const SERIAL_BELOW: usize = 1 << 19;
/// Rows whose sums are kept at a time, in integers.
const ROWS: usize = 64;

/// A matrix (N, K) in eight bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Matrix {
    q: Vec<i8>,       // (N, width): rows padded with zeros
    scales: Vec<f32>, // (N)
    columns: usize,   // K
    width: usize,     // K rounded up to whole vectors
}

impl Int8Matrix {
    /// Rounds the rows of `w`, each of `columns` floats. A row that holds a NaN or an infinity becomes NaN.
    ///
    /// # Panics
    /// If there are not whole rows.
    #[track_caller]
    #[must_use]
    pub fn new(w: &[f32], columns: usize) -> Self {
        assert!(columns > 0 && w.len().is_multiple_of(columns), "int8: whole rows of {columns}");
        let width = columns.next_multiple_of(STEP);
        let mut q = vec![0; w.len() / columns * width];
        let mut scales = vec![0.0; w.len() / columns];
        let mut rounded = vec![0; width];
        let rows = w.chunks_exact(columns).zip(q.chunks_exact_mut(width));
        for ((row, q), scale) in rows.zip(&mut scales) {
            *scale = dispatch(Round { x: row, largest: LARGEST_WEIGHT, q: &mut rounded });
            q.iter_mut().zip(&rounded).for_each(|(q, &rounded)| *q = rounded as i8);
        }
        Self { q, scales, columns, width }
    }

    /// How many rows, N.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.q.len() + 4 * self.scales.len()
    }

    /// The matrix that this stands for, (N, K).
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let rows = self.q.chunks_exact(self.width).zip(&self.scales);
        rows.flat_map(|(q, scale)| q[..self.columns].iter().map(move |&q| f32::from(q) * scale)).collect()
    }
}

/// A vector in fifteen bits, to be multiplied by the rows of an [`Int8Matrix`].
#[derive(Default)]
struct Int16Vector {
    q: Vec<i16>, // K rounded up to whole vectors, zeros at the end
    scale: f32,
}

impl Int16Vector {
    /// Takes the numbers of `x`. If it holds a NaN or an infinity, the products will be NaN.
    fn set(&mut self, x: &[f32]) {
        self.q.clear();
        self.q.resize(x.len().next_multiple_of(STEP), 0);
        self.scale = dispatch(Round { x, largest: LARGEST_INPUT, q: &mut self.q });
    }
}

thread_local! {
    /// The vectors of the last product on this thread: their memory is used again.
    static ROUNDED: Cell<Vec<Int16Vector>> = const { Cell::new(Vec::new()) };
}

/// Writes the integers next to x / scale and answers the scale: the largest magnitude in x divided by `largest`;
/// NaN if there is a NaN or an infinity in x, so that neither is rounded away.
struct Round<'a> {
    x: &'a [f32],
    largest: f32,
    q: &'a mut [i16],
}

impl Kernel for Round<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let (x, tail) = self.x.as_chunks::<LANES>();
        let tail = padded(tail);
        let (mut max, mut zero) = (s.abs(s.load(&tail)), s.mul(s.load(&tail), s.splat(0.0)));
        for x in x {
            let x = s.load(x);
            max = s.max(max, s.abs(x));
            zero = s.fma(x, s.splat(0.0), zero); // 0 times a NaN or an infinity is NaN, and stays it
        }
        let scale = s.largest(max) / self.largest + s.sum(zero);
        // Below the normal numbers a step would be too small to divide by: they become 0.
        let per_step = s.splat(if scale >= f32::MIN_POSITIVE { self.largest / s.largest(max) } else { 0.0 });
        let mut lanes = [0.0; LANES];
        for (x, q) in x.iter().chain([&tail]).zip(self.q.chunks_mut(LANES)) {
            s.store(s.round(s.mul(s.load(x), per_step)), &mut lanes);
            for (q, x) in q.iter_mut().zip(lanes) {
                *q = x as i16; // in range, or NaN, which becomes 0: then the scale is NaN
            }
        }
        scale
    }
}

/// y (M, N) = x W^T + b, for M vectors x (M, K). The result of a vector has the same bits, however many others there are.
///
/// ```
/// use tensor::kernels::int8::{Int8Matrix, matvec_int8};
/// let (w, mut y) = (Int8Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2), [0.0; 2]);
/// matvec_int8(&w, &[1.0, 1.0], 1, Some(&[0.5, 0.5]), &mut y);
/// assert!((y[0] - 3.5).abs() < 0.02 && (y[1] - 7.5).abs() < 0.02);
/// ```
///
/// # Panics
/// If the lengths do not fit.
#[track_caller]
pub fn matvec_int8(w: &Int8Matrix, x: &[f32], m: usize, bias: Option<&[f32]>, y: &mut [f32]) {
    let n = w.rows();
    assert_eq!(m * n, y.len(), "int8: the rows of W");
    assert_eq!(m * w.columns, x.len(), "int8: the columns of W");
    assert!(bias.is_none_or(|b| b.len() == n), "int8: one bias a row");
    let mut vectors = ROUNDED.take();
    vectors.resize_with(vectors.len().max(m), Int16Vector::default);
    vectors.iter_mut().zip(x.chunks_exact(w.columns)).for_each(|(rounded, x)| rounded.set(x));
    let rounded = &vectors[..m];
    let rows = if w.q.len() < SERIAL_BELOW { n } else { (SERIAL_BELOW / 4).div_ceil(w.width) };
    in_parts(m, n, rows, y, |start, part| {
        let width = part.len() / m;
        let mut sums = [0; ROWS];
        for first in (0..width).step_by(ROWS) {
            let sums = &mut sums[..ROWS.min(width - first)];
            let rows = start + first..start + first + sums.len();
            let q = &w.q[rows.start * w.width..rows.end * w.width];
            for (x, y) in rounded.iter().zip(part.chunks_mut(width)) {
                dots(&x.q, q, sums);
                let y = &mut y[first..][..sums.len()];
                for ((y, sum), scale) in y.iter_mut().zip(&*sums).zip(&w.scales[rows.clone()]) {
                    *y = *sum as f32 * (scale * x.scale);
                }
                if let Some(bias) = bias {
                    y.iter_mut().zip(&bias[rows.clone()]).for_each(|(y, b)| *y += b);
                }
            }
        }
    });
    ROUNDED.set(vectors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::on_every_path;
    use random::{Rng, Stream};

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut x = vec![0.0; n];
        Rng::new(seed, Stream::Init).fill_normal(&mut x, 0.0, 1.0);
        x
    }

    fn magnitude(x: &[f32]) -> f32 {
        x.iter().fold(0.0, |largest, x| x.abs().max(largest))
    }

    fn product(w: &Int8Matrix, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; w.rows()];
        matvec_int8(w, x, 1, None, &mut y);
        y
    }

    /// A rounded weight is at most half a step off; the product adds the vector's own rounding and that of f32.
    #[test]
    fn rounding_is_bounded() {
        for (rows, columns) in [(1, 1), (3, 31), (16, 32), (70, 33), (9, 2049), (513, 1100)] {
            let (w, x) = (normal(rows * columns, 1), normal(columns, 2));
            let int8 = Int8Matrix::new(&w, columns);
            assert_eq!(int8.rows(), rows);
            let back = int8.to_f32();
            for (row, back) in w.chunks(columns).zip(back.chunks(columns)) {
                let step = magnitude(row) / LARGEST_WEIGHT;
                for (w, back) in row.iter().zip(back) {
                    assert!((w - back).abs() <= step * 0.501, "{w} {back}");
                }
            }
            let sizes: f64 = x.iter().map(|x| f64::from(x.abs())).sum();
            for (y, row) in product(&int8, &x).iter().zip(back.chunks(columns)) {
                let exact: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                let step = f64::from(magnitude(&x) / LARGEST_INPUT);
                let bound = columns as f64 * step * 0.501 * f64::from(magnitude(row)) + 1e-6 * sizes;
                assert!((f64::from(*y) - exact).abs() <= bound, "{rows} {columns}: {y} {exact}");
            }
        }
    }

    #[test]
    fn every_path_and_number_of_threads_gives_the_same_bits() {
        let (w, x) = (Int8Matrix::new(&normal(3000 * 257, 3), 257), normal(257, 4));
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let expected = product(&w, &x);
        on_every_path(|path| {
            for threads in [1, 3] {
                assert_eq!(pool(threads).install(|| product(&w, &x)), expected, "{path}, {threads} threads");
            }
        });
    }

    #[test]
    fn several_vectors_have_the_bits_of_each_alone() {
        for (rows, columns) in [(1, 33), (70, 40), (3000, 257)] {
            let w = Int8Matrix::new(&normal(rows * columns, 5), columns);
            let x = normal(5 * columns, 6);
            let mut y = vec![f32::NAN; 5 * rows];
            matvec_int8(&w, &x, 5, None, &mut y);
            let alone: Vec<f32> = x.chunks(columns).flat_map(|x| product(&w, x)).collect();
            assert_eq!(y, alone);
        }
    }

    #[test]
    fn what_is_not_finite_stays_visible() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 40] {
                let mut x = vec![1.0; 41];
                x[at] = bad;
                assert!(product(&Int8Matrix::new(&[1.0; 82], 41), &x).iter().all(|y| y.is_nan()), "{bad}");
                let mut w = vec![1.0; 82];
                w[at] = bad;
                let y = product(&Int8Matrix::new(&w, 41), &[1.0; 41]);
                assert!(y[0].is_nan() && (y[1] - 41.0).abs() < 0.01, "{bad} {y:?}");
            }
        }
        assert_eq!(product(&Int8Matrix::new(&[0.0; 4], 2), &[1.0, 2.0]), [0.0, 0.0]);
        for tiny in [1e-45, 1e-40, 1e-37] {
            assert_eq!(product(&Int8Matrix::new(&[tiny; 4], 2), &[1.0, 2.0]), [0.0, 0.0], "{tiny}");
            assert_eq!(product(&Int8Matrix::new(&[1.0; 4], 2), &[tiny; 2]), [0.0, 0.0], "{tiny}");
        }
        let huge = Int8Matrix::new(&[3e38, -3e38], 2).to_f32();
        assert!((huge[0] / 3e38 - 1.0).abs() <= 1e-6 && huge[1] == -huge[0], "{huge:?}");
        assert_eq!(product(&Int8Matrix::new(&[1.0; 4], 2), &[0.0, 0.0]), [0.0, 0.0]);
    }
}
