//! Matrices cut into chunks of rows, one task each, and what the kernels over rows share.

use super::simd::{LANES, Simd};
use super::vmath::padded;
use super::{parallel, vmath};
use crate::grad::Grad;

/// Cuts several slices into the same number of pieces, `sizes[n]` floats of slice n in each, and runs
/// `task(index, pieces)` for each index. An empty slice has empty pieces.
pub(crate) fn for_each_piece<const N: usize>(
    mut slices: [&mut [f32]; N],
    sizes: [usize; N],
    task: impl Fn(usize, [&mut [f32]; N]) + Sync + Send,
) {
    let counts = std::array::from_fn::<_, N, _>(|n| slices[n].len().div_ceil(sizes[n].max(1)));
    let pieces: Vec<_> = (0..counts.into_iter().max().unwrap_or(0))
        .map(|i| (i, std::array::from_fn(|n| take_front(&mut slices[n], sizes[n]))))
        .collect();
    parallel::for_each_of(pieces, |(i, pieces)| task(i, pieces));
}

fn take_front<'a>(slice: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let whole = std::mem::take(slice);
    let (front, rest) = whole.split_at_mut(len.min(whole.len()));
    *slice = rest;
    front
}

/// Sixteen floats, or what is left of them, with zeros behind.
#[inline(always)]
pub(crate) fn load<S: Simd>(s: S, from: &[f32]) -> S::V {
    match from.first_chunk() {
        Some(sixteen) => s.load(sixteen),
        None => s.load(&padded(from)),
    }
}

/// Writes sixteen floats, or as many as there is room for.
#[inline(always)]
pub(crate) fn store<S: Simd>(s: S, x: S::V, to: &mut [f32]) {
    if let Some(sixteen) = to.first_chunk_mut() {
        s.store(x, sixteen);
    } else {
        let mut lanes = [0.0; LANES];
        s.store(x, &mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// Adds the chunks' partial sums up, in order, into the first of them.
pub(crate) fn add_partials(partials: &mut [f32], width: usize) {
    let (total, rest) = partials.split_at_mut(width);
    for partial in rest.chunks_exact(width) {
        vmath::add_assign(total, partial);
    }
}

/// A gradient's destination, or an empty slice that stands for none.
pub(crate) fn destination<'a>(grad: Option<&'a mut Grad<'_>>) -> (&'a mut [f32], crate::grad::Accum) {
    match grad {
        Some(grad) => (&mut *grad.to, grad.accum),
        None => (&mut [], crate::grad::Accum::Replace),
    }
}
