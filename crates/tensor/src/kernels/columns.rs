//! Sums over the rows of a matrix: the gradient of a bias.

use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::grad::{Accum, Grad};

/// `db[j] = sum over i of dy[i, j]`, or `+=`, for rows as wide as `db`.
///
/// Chunks of rows of a size that depends on the width alone are summed on several threads, and the
/// chunks' sums are added in order.
pub fn sum_rows(dy: &[f32], db: &mut Grad<'_>) {
    let width = db.to.len();
    if width == 0 {
        return;
    }
    let rows = parallel::rows_per_chunk(width);
    let chunks = dy.len().div_ceil(rows * width);
    let sums = parallel::collect(chunks, |i| {
        let mut sums = vec![0.0; width];
        let chunk = &dy[i * rows * width..dy.len().min((i + 1) * rows * width)];
        dispatch(AddRows { rows: chunk, sums: &mut sums });
        sums
    });
    if db.accum == Accum::Replace {
        db.to.fill(0.0);
    }
    for chunk in sums {
        db.to.iter_mut().zip(chunk).for_each(|(to, sum)| *to += sum);
    }
}

struct AddRows<'a> {
    rows: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.sums.len();
        let (sums, sums_tail) = self.sums.as_chunks_mut::<LANES>();
        for row in self.rows.chunks_exact(width) {
            let (row, row_tail) = row.as_chunks::<LANES>();
            for (sum, x) in sums.iter_mut().zip(row) {
                s.store(s.add(s.load(sum), s.load(x)), sum);
            }
            for (sum, x) in sums_tail.iter_mut().zip(row_tail) {
                *sum += x;
            }
        }
    }
}
