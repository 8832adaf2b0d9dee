//! Products of rows with one vector: what a matrix times a vector, and a query against many keys, are made of.

use super::simd::{LANES, Simd};
use super::vmath::padded;

/// The sum of the products of two rows.
#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    s.sum(products(s, [a], b)[0])
}

/// Lane r is [`dot`] of x (K) and row r of sixteen rows, which begin `stride` floats apart. The same bits, in half the
/// time where rows are short.
#[inline(always)]
pub(crate) fn dots<S: Simd>(s: S, rows: &[f32], stride: usize, x: &[f32]) -> S::V {
    // As many rows at a time as have their sums in registers: all where there are 32 as wide as a vector.
    if S::TILE.1 > LANES {
        in_groups::<S, LANES>(s, rows, stride, x)
    } else {
        in_groups::<S, 4>(s, rows, stride, x)
    }
}

#[inline(always)]
fn in_groups<S: Simd, const R: usize>(s: S, rows: &[f32], stride: usize, x: &[f32]) -> S::V {
    let mut acc = [s.splat(0.0); LANES];
    for first in (0..LANES).step_by(R) {
        let mut group: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            group[r] = &rows[(first + r) * stride..][..x.len()];
        }
        acc[first..first + R].copy_from_slice(&products(s, group, x));
    }
    s.sums(&acc)
}

/// The products of some rows with x, element by element, added up to sixteen numbers a row: those of the incomplete
/// vector at the end first. They are the same, however many rows are taken at once.
#[inline(always)]
fn products<S: Simd, const R: usize>(s: S, rows: [&[f32]; R], x: &[f32]) -> [S::V; R] {
    let (x, x_tail) = x.as_chunks::<LANES>();
    let mut acc = [s.splat(0.0); R];
    if !x_tail.is_empty() {
        let x_tail = s.load(&padded(x_tail));
        for r in 0..R {
            acc[r] = s.mul(s.load(&padded(rows[r].as_chunks::<LANES>().1)), x_tail);
        }
    }
    let mut whole: [&[[f32; LANES]]; R] = [&[]; R];
    for r in 0..R {
        whole[r] = &rows[r].as_chunks::<LANES>().0[..x.len()];
    }
    for (i, x) in x.iter().enumerate() {
        let x = s.load(x);
        for r in 0..R {
            acc[r] = s.fma(s.load(&whole[r][i]), x, acc[r]);
        }
    }
    acc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::{Kernel, dispatch, on_every_path};
    use random::{Rng, Stream};

    struct Both<'a> {
        rows: &'a [f32],
        stride: usize,
        x: &'a [f32],
    }

    impl Kernel for Both<'_> {
        type Output = [[f32; LANES]; 2];

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [[f32; LANES]; 2] {
            let Self { rows, stride, x } = self;
            let mut at_once = [0.0; LANES];
            s.store(dots(s, rows, stride, x), &mut at_once);
            [at_once, std::array::from_fn(|r| dot(s, &rows[r * stride..][..x.len()], x))]
        }
    }

    #[test]
    fn sixteen_rows_at_once_give_the_bits_of_one() {
        for length in [0, 1, 15, 16, 17, 64, 100] {
            let stride = length + 3;
            let mut numbers = vec![0.0; LANES * stride + length];
            Rng::new(7, Stream::Init).fill_normal(&mut numbers, 0.0, 1.0);
            let (rows, x) = numbers.split_at(LANES * stride);
            let mut first = None;
            on_every_path(|path| {
                let [at_once, alone] = dispatch(Both { rows, stride, x }).map(|x| x.map(f32::to_bits));
                assert_eq!(at_once, alone, "{path}, {length}");
                assert_eq!(*first.get_or_insert(alone), alone, "{path}, {length}");
            });
        }
    }
}
