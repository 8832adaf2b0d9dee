//! Products of rows with one vector: what a matrix times a vector, and a query against many keys, are made of.

use super::simd::{LANES, Simd};
use super::vmath::padded;

/// The sum of the products of two rows.
#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    s.sum(products(s, [a], [b])[0][0])
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
        acc[first..first + R].copy_from_slice(&products(s, group, [x])[0]);
    }
    s.sums(&acc)
}

/// [`dot`] of x (K) and of z (K) with each of eight rows, which begin `stride` floats apart: lanes 0 to 7 are those of x, 8
/// to 15 those of z. The same bits; each row is read once.
#[inline(always)]
pub(crate) fn dots_of_two<S: Simd>(s: S, rows: &[f32], stride: usize, x: &[f32], z: &[f32]) -> S::V {
    if S::TILE.1 > LANES {
        two_in_groups::<S, 8>(s, rows, stride, x, z)
    } else {
        two_in_groups::<S, 2>(s, rows, stride, x, z)
    }
}

#[inline(always)]
fn two_in_groups<S: Simd, const R: usize>(s: S, rows: &[f32], stride: usize, x: &[f32], z: &[f32]) -> S::V {
    const HALF: usize = LANES / 2;
    let mut acc = [s.splat(0.0); LANES];
    for first in (0..HALF).step_by(R) {
        let mut group: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            group[r] = &rows[(first + r) * stride..][..x.len()];
        }
        let [of_x, of_z] = products(s, group, [x, z]);
        acc[first..first + R].copy_from_slice(&of_x);
        acc[HALF + first..HALF + first + R].copy_from_slice(&of_z);
    }
    s.sums(&acc)
}

/// The products of some rows with each x, element by element, added up to sixteen numbers a row: those of the incomplete
/// vector at the end first. They are the same, however many rows and vectors are taken at once.
#[inline(always)]
fn products<S: Simd, const R: usize, const N: usize>(
    s: S,
    rows: [&[f32]; R],
    x: [&[f32]; N],
) -> [[S::V; R]; N] {
    let mut acc = [[s.splat(0.0); R]; N];
    let (mut heads, mut len): ([&[[f32; LANES]]; N], usize) = ([&[]; N], 0);
    for n in 0..N {
        let (head, tail) = x[n].as_chunks::<LANES>();
        (heads[n], len) = (head, head.len());
        if !tail.is_empty() {
            let tail = s.load(&padded(tail));
            for r in 0..R {
                acc[n][r] = s.mul(s.load(&padded(rows[r].as_chunks::<LANES>().1)), tail);
            }
        }
    }
    let mut whole: [&[[f32; LANES]]; R] = [&[]; R];
    for r in 0..R {
        whole[r] = &rows[r].as_chunks::<LANES>().0[..len];
    }
    for i in 0..len {
        for n in 0..N {
            let x = s.load(&heads[n][i]);
            for r in 0..R {
                acc[n][r] = s.fma(s.load(&whole[r][i]), x, acc[n][r]);
            }
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
            // The last row stands for another vector.
            let z = &rows[(LANES - 1) * stride..][..x.len()];
            let mut of_two = [0.0; LANES];
            s.store(dots_of_two(s, rows, stride, x, z), &mut of_two);
            let of_x = std::array::from_fn(|r| dot(s, &rows[r * stride..][..x.len()], x));
            let of_z: [f32; LANES] = std::array::from_fn(|r| dot(s, &rows[r * stride..][..x.len()], z));
            of_two[..8]
                .iter()
                .zip(&of_x)
                .for_each(|(two, one): (&f32, &f32)| assert_eq!(two.to_bits(), one.to_bits()));
            of_two[8..].iter().zip(&of_z).for_each(|(two, one)| assert_eq!(two.to_bits(), one.to_bits()));
            [at_once, of_x]
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
