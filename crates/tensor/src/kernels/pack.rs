//! Moving numbers into the order in which a kernel reads them.

use super::simd::{LANES, Simd};

/// Packs `rows` rows of `depth` floats, which begin `stride` floats apart, as columns, zeros beyond the last:
/// `to[p * width + j] = from[j * stride + p]`. Squares of sixteen by sixteen are turned over in registers.
#[inline(always)]
pub(crate) fn pack_transposed<S: Simd>(
    s: S,
    from: &[f32],
    stride: usize,
    rows: usize,
    depth: usize,
    width: usize,
    to: &mut [f32],
) {
    if rows < width {
        to[..depth * width].fill(0.0);
    }
    let (whole_rows, whole_depth) = (rows - rows % LANES, depth - depth % LANES);
    for j in (0..whole_rows).step_by(LANES) {
        for p in (0..whole_depth).step_by(LANES) {
            let mut square = [s.splat(0.0); LANES];
            for r in 0..LANES {
                square[r] = s.load(lanes(from, (j + r) * stride + p));
            }
            let square = s.transpose(&square);
            for r in 0..LANES {
                s.store(square[r], lanes_mut(to, (p + r) * width + j));
            }
        }
    }
    for j in 0..rows {
        let done = if j < whole_rows { whole_depth } else { 0 };
        for p in done..depth {
            to[p * width + j] = from[j * stride + p];
        }
    }
}

/// Copies `length` floats, zeros behind them to the end of `to`. The lengths that kernels copy are too short for the
/// call that `copy_from_slice` becomes.
#[inline(always)]
pub(crate) fn copy_row<S: Simd>(s: S, from: &[f32], length: usize, to: &mut [f32]) {
    let from = &from[..length];
    let (to, zeros) = to.split_at_mut(length);
    let ((whole, tail), (to, to_tail)) = (from.as_chunks::<LANES>(), to.as_chunks_mut::<LANES>());
    for (from, to) in whole.iter().zip(to) {
        s.store(s.load(from), to);
    }
    for (from, to) in tail.iter().zip(to_tail) {
        *to = *from;
    }
    for zero in zeros {
        *zero = 0.0;
    }
}

#[inline(always)]
fn lanes(x: &[f32], at: usize) -> &[f32; LANES] {
    x[at..at + LANES].try_into().expect("sixteen")
}

#[inline(always)]
fn lanes_mut(x: &mut [f32], at: usize) -> &mut [f32; LANES] {
    (&mut x[at..at + LANES]).try_into().expect("sixteen")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::{Kernel, dispatch, on_every_path};

    struct Pack<'a> {
        from: &'a [f32],
        stride: usize,
        rows: usize,
        depth: usize,
        width: usize,
        to: &'a mut [f32],
    }

    impl Kernel for Pack<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            pack_transposed(s, self.from, self.stride, self.rows, self.depth, self.width, self.to);
        }
    }

    #[test]
    fn columns_become_rows() {
        on_every_path(|path| {
            for rows in [1, 2, 15, 16, 17, 31, 32] {
                for depth in [0, 1, 15, 16, 17, 33, 64] {
                    let (stride, width) = (depth + 3, 32);
                    let from: Vec<f32> = (0..rows * stride).map(|i| i as f32 + 1.0).collect();
                    let mut to = vec![f32::NAN; depth * width];
                    dispatch(Pack { from: &from, stride, rows, depth, width, to: &mut to });
                    for (i, found) in to.iter().enumerate() {
                        let (p, j) = (i / width, i % width);
                        let expected = if j < rows { from[j * stride + p] } else { 0.0 };
                        assert_eq!(*found, expected, "{path}, {rows} rows of {depth}, ({p}, {j})");
                    }
                }
            }
        });
    }
}
