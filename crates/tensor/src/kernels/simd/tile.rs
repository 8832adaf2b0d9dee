//! The innermost loop of every matrix product: one tile of C, held in registers.
//!
//! ```text
//! C[i, j] = start + sum over p of A[i, p] * B[p, j]      i < rows, j < NV * 16, p < depth
//! ```
//!
//! Each element is one chain of fused multiply-adds in the order of p, whatever the tile's size: so the
//! result does not depend on how the matrix is cut into tiles, on the path, or on the number of threads.

use super::vector::{LANES, Simd, Start, Tile};

/// Computes a tile of `ROWS` by `NV` vectors.
///
/// # Safety
/// A holds `ROWS` by `depth` elements and B `depth` rows of `NV * 16` readable floats; C holds `ROWS` rows
/// of `columns` floats that nobody else touches; a bias row holds `columns` floats.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd, const ROWS: usize, const NV: usize>(s: S, t: &Tile) {
    unsafe {
        let whole = t.columns == NV * LANES;
        let mut acc = [[s.splat(0.0); NV]; ROWS];
        match t.start {
            Start::Zero => {}
            Start::Bias(bias) => {
                for j in 0..NV {
                    let row = load_some(s, bias, j, t.columns);
                    for i in 0..ROWS {
                        acc[i][j] = row;
                    }
                }
            }
            Start::Load if whole => {
                for i in 0..ROWS {
                    for j in 0..NV {
                        acc[i][j] = s.load_at(t.c.add(i * t.c_row + j * LANES));
                    }
                }
            }
            Start::Load => {
                for i in 0..ROWS {
                    for j in 0..NV {
                        acc[i][j] = load_some(s, t.c.add(i * t.c_row), j, t.columns);
                    }
                }
            }
        }
        // The next tile of C is fetched while this one's sums are computed: it is often in no cache yet.
        for i in 0..ROWS {
            for j in 0..NV {
                s.prefetch(t.next.wrapping_add(i * t.c_row + j * LANES));
            }
        }
        let (mut a, mut b) = (t.a, t.b);
        for _ in 0..t.depth {
            let mut row = [s.splat(0.0); NV];
            for j in 0..NV {
                row[j] = s.load_at(b.add(j * LANES));
            }
            for i in 0..ROWS {
                let x = s.splat(*a.add(i * t.a_row));
                for j in 0..NV {
                    acc[i][j] = s.fma(x, row[j], acc[i][j]);
                }
            }
            a = a.add(t.a_col);
            b = b.add(t.b_row);
        }
        for i in 0..ROWS {
            for j in 0..NV {
                let to = t.c.add(i * t.c_row);
                if whole {
                    s.store_at(acc[i][j], to.add(j * LANES));
                } else {
                    store_some(s, acc[i][j], to, j, t.columns);
                }
            }
        }
    }
}

/// Vector `j` of a row of which only `columns` floats exist; zeros beyond.
///
/// # Safety
/// `columns` floats are readable at `row`.
#[inline(always)]
unsafe fn load_some<S: Simd>(s: S, row: *const f32, j: usize, columns: usize) -> S::V {
    let mut lanes = [0.0; LANES];
    let count = columns.saturating_sub(j * LANES).min(LANES);
    // SAFETY: lanes j * 16 .. j * 16 + count exist.
    unsafe { std::ptr::copy_nonoverlapping(row.add((j * LANES).min(columns)), lanes.as_mut_ptr(), count) };
    s.load(&lanes)
}

/// Writes the part of vector `j` that exists.
///
/// # Safety
/// `columns` floats are writable at `row`.
#[inline(always)]
unsafe fn store_some<S: Simd>(s: S, x: S::V, row: *mut f32, j: usize, columns: usize) {
    let mut lanes = [0.0; LANES];
    s.store(x, &mut lanes);
    let count = columns.saturating_sub(j * LANES).min(LANES);
    // SAFETY: lanes j * 16 .. j * 16 + count exist.
    unsafe { std::ptr::copy_nonoverlapping(lanes.as_ptr(), row.add((j * LANES).min(columns)), count) };
}

/// Calls [`run`] with the number of rows as a constant, so that the tile stays in registers.
macro_rules! by_rows {
    ($simd:expr, $nv:literal, $rows:expr, $t:expr, $($r:literal)*) => {
        match $rows {
            $($r => tile::run::<Self, $r, $nv>($simd, $t),)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(crate) use by_rows;
