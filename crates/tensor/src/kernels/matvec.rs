//! A matrix times a few vectors: the linear layer of a model that generates, one token at a time or one for each of a few
//! sequences.
//!
//! Every weight is read from memory once, so the time is that of reading the matrix (2 floating point operations for 4
//! bytes and one vector). Several rows at a time keep enough loads under way.

use super::dot::{dot, dots, dots_of_two};
use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};

/// Weights below this many stay on one thread: they come from the cache faster than a fork takes.
pub const SERIAL_BELOW: usize = 1 << 20;

/// Floats of W that are multiplied by all vectors before the next: they stay in the caches.
const BLOCK: usize = 1 << 12;

/// y (M, N) = x W^T + b, for W (N, K) row-major and M vectors x (M, K). The result of a vector has the same bits, however
/// many others there are.
///
/// ```
/// let mut y = [0.0; 2];
/// tensor::kernels::matvec::matvec(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0], 1, Some(&[0.5, 0.5]), &mut y);
/// assert_eq!(y, [3.5, 7.5]);
/// ```
///
/// # Panics
/// If the lengths do not fit.
#[track_caller]
pub fn matvec(w: &[f32], x: &[f32], m: usize, bias: Option<&[f32]>, y: &mut [f32]) {
    assert!(m > 0, "matvec: no vector");
    let (k, n) = (each(x.len(), m), each(y.len(), m));
    assert!(x.len() == m * k && y.len() == m * n, "matvec: {m} vectors");
    assert_eq!(w.len(), k * n, "matvec: the elements of W");
    assert!(bias.is_none_or(|b| b.len() == n), "matvec: one bias a row");
    let rows = if w.len() < SERIAL_BELOW { n } else { (SERIAL_BELOW / 4).div_ceil(k.max(1)) };
    in_parts(m, n, rows, y, |first, part| {
        let rows = each(part.len(), m);
        dispatch(Rows { w: &w[first * k..(first + rows) * k], x, m, y: part });
        if let Some(bias) = bias {
            let bias = &bias[first..first + rows];
            part.chunks_mut(rows.max(1)).for_each(|y| y.iter_mut().zip(bias).for_each(|(y, b)| *y += b));
        }
    });
}

/// The share of one of M vectors. (One is the usual number, and a division costs as much as a short row.)
fn each(len: usize, m: usize) -> usize {
    match m {
        1 => len,
        _ => len / m,
    }
}

/// Computes y (M, N) in parts of `rows` columns, on several threads: `work` gets the first column and the part (M, rows).
pub(super) fn in_parts(
    m: usize,
    n: usize,
    rows: usize,
    y: &mut [f32],
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let rows = rows.max(1);
    if m == 1 {
        return parallel::for_each_chunk(y, rows, |i, y| work(i * rows, y));
    }
    if rows >= n {
        return work(0, y);
    }
    let parts = parallel::collect(n.div_ceil(rows), |i| {
        let mut part = vec![0.0; m * rows.min(n - i * rows)]; // (M, rows)
        work(i * rows, &mut part);
        part
    });
    for (i, part) in parts.iter().enumerate() {
        let width = part.len() / m;
        for (y, part) in y.chunks_mut(n).zip(part.chunks(width)) {
            y[i * rows..][..width].copy_from_slice(part);
        }
    }
}

struct Rows<'a> {
    w: &'a [f32],     // (rows, K)
    x: &'a [f32],     // (M, K)
    m: usize,         // M
    y: &'a mut [f32], // (M, rows)
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { w, x, m, y } = self;
        if m == 1 {
            return one(s, w, x, y); // without the loops around it, 5 % faster
        }
        let (k, n) = (x.len() / m, y.len() / m);
        let block = (BLOCK / k.max(1)).next_multiple_of(LANES);
        for first in (0..n).step_by(block) {
            let rows = first..n.min(first + block);
            let w = &w[rows.start * k..rows.end * k];
            for i in (0..m - 1).step_by(2) {
                let x = x[i * k..(i + 2) * k].split_at(k);
                let (y, z) = y[i * n..(i + 2) * n].split_at_mut(n);
                two(s, w, x, (&mut y[rows.clone()], &mut z[rows.clone()]));
            }
            if m % 2 == 1 {
                one(s, w, &x[(m - 1) * k..], &mut y[(m - 1) * n..][rows]);
            }
        }
    }
}

/// W times two vectors: while one row comes from memory, another is multiplied.
#[inline(always)]
fn two<S: Simd>(s: S, w: &[f32], (x0, x1): (&[f32], &[f32]), (y0, y1): (&mut [f32], &mut [f32])) {
    const HALF: usize = LANES / 2;
    let k = x0.len();
    let (eights0, rest0) = y0.as_chunks_mut::<HALF>();
    let (eights1, rest1) = y1.as_chunks_mut::<HALF>();
    let (w, w_rest) = w.split_at(eights0.len() * HALF * k);
    for (i, (y0, y1)) in eights0.iter_mut().zip(eights1).enumerate() {
        let mut lanes = [0.0; LANES];
        s.store(dots_of_two(s, &w[i * HALF * k..][..HALF * k], k, x0, x1), &mut lanes);
        y0.copy_from_slice(&lanes[..HALF]);
        y1.copy_from_slice(&lanes[HALF..]);
    }
    for (r, (y0, y1)) in rest0.iter_mut().zip(rest1).enumerate() {
        let w = &w_rest[r * k..(r + 1) * k];
        (*y0, *y1) = (dot(s, w, x0), dot(s, w, x1));
    }
}

/// y (N) = W x
#[inline(always)]
fn one<S: Simd>(s: S, w: &[f32], x: &[f32], y: &mut [f32]) {
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
