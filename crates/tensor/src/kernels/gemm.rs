//! Matrix products, and the one door to them: [`gemm`].
//!
//! C (M, N) = A (M, K) B (K, N), where A and B may be transposed views. The loops are those of BLIS
//! (Van Zee & van de Geijn 2015), cut down to what training needs:
//!
//! ```text
//! for each block of K            (so that a panel of B stays in the first-level cache)
//!   pack this block of B into panels as wide as a tile
//!   for each block of M          (so that this block of A stays in the second-level cache)
//!     pack A if it cannot be used as it lies
//!     for each panel of B
//!       for each tile of rows    C tile += A tile * B panel, in registers (simd/tile.rs)
//! ```
//!
//! Every element of C is one chain of fused multiply-adds in the order of k: the result does not depend
//! on blocks, tiles, threads or path.

use super::pack::{copy_row, pack_transposed};
use super::simd::product::{Left, Product, Right};
use super::simd::shared::{Rectangle, rectangles};
use super::simd::{Kernel, Simd, dispatch};
use super::{parallel, scratch};
use crate::grad::Accum;

pub use super::simd::product::Init;

/// Rows of K in a block: a panel of 32 columns takes 32 KiB.
const BLOCK_K: usize = 256;
/// Rows of A in a block (a multiple of every path's tile rows): 240 KiB at a full block of K.
const BLOCK_M: usize = 240;
/// Floats after which addresses fall into the same place of the first-level cache: 4 KiB on every processor of today.
const CACHE_PERIOD: usize = 1024;
/// Floats between packed rows, so that they do not.
const PAD: usize = 16;
/// Products below this many multiply-adds stay on one thread: a fork costs about 5 microseconds.
const SERIAL_BELOW: usize = 256 * 1024;
/// Multiples of every path's tile.
const TILE_M: usize = 12;
const TILE_N: usize = 32;

/// A matrix to read: element (i, j) is at `i * row + j * col`, and one of these strides is 1. The constructors see to it
/// that every element is inside of the slice, which the kernels rely on.
///
/// ```compile_fail,E0451
/// use tensor::kernels::gemm::Mat;
/// let outside = Mat { row: usize::MAX, ..Mat::new(&[0.0; 4], 4, 1) };   // error: the fields are private
/// ```
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row: usize, // from one row to the next, in floats
    col: usize, // from one column to the next, in floats
}

impl<'a> Mat<'a> {
    /// A row-major matrix without gaps.
    ///
    /// # Panics
    /// If there are not `rows * cols` elements.
    #[track_caller]
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        let fits = rows.checked_mul(cols) == Some(data.len());
        assert!(fits, "a matrix of {rows} by {cols} has not {} elements", data.len());
        Self { data, rows, cols, row: cols, col: 1 }
    }

    /// A row-major matrix whose rows begin `stride` floats apart: part of a wider one.
    ///
    /// # Panics
    /// If the last element is outside of the slice.
    #[track_caller]
    #[must_use]
    pub fn with_stride(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        let end = match rows.checked_sub(1) {
            Some(last) if cols > 0 => last.checked_mul(stride).and_then(|start| start.checked_add(cols)),
            _ => Some(0), // no elements
        };
        let fits = end.is_some_and(|end| end <= data.len());
        assert!(fits, "a matrix of {rows} by {cols}, {stride} floats a row, in {} floats", data.len());
        Self { data, rows, cols, row: stride, col: 1 }
    }

    /// The transposed view. Nothing moves.
    #[must_use]
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }
}

impl<'a> From<Accum> for Init<'a> {
    fn from(accum: Accum) -> Self {
        match accum {
            Accum::Replace => Init::Zero,
            Accum::Add => Init::Add,
        }
    }
}

/// `c` (M, N), row-major without gaps, = `init` + `a` (M, K) times `b` (K, N).
///
/// ```
/// use tensor::kernels::gemm::{Init, Mat, gemm};
/// let (x, w) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
/// let mut y = [0.0; 6];
/// // a linear layer: y (2, 3) = x (2, 2) times the transpose of w (3, 2), plus a bias
/// gemm(&mut y, Mat::new(&x, 2, 2), Mat::new(&w, 3, 2).t(), Init::Bias(&[10.0, 20.0, 30.0]));
/// assert_eq!(y, [11.0, 22.0, 33.0, 13.0, 24.0, 37.0]);
/// ```
///
/// # Panics
/// If the sizes do not fit.
#[track_caller]
pub fn gemm(c: &mut [f32], a: Mat<'_>, b: Mat<'_>, init: Init<'_>) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(b.rows, k, "gemm: the columns of A and the rows of B");
    assert_eq!(Some(c.len()), m.checked_mul(n), "gemm: the elements of C");
    if let Init::Bias(bias) = init {
        assert_eq!(bias.len(), n, "gemm: one bias a column");
    }
    let threads = if c.len().saturating_mul(k) < SERIAL_BELOW { 1 } else { parallel::threads() };
    let (rows, columns) = grid(m, n, threads);
    let parts: Vec<_> =
        rectangles(c, n, rows, columns).into_iter().zip(corners(m, n, rows, columns)).collect();
    let block = depth_of_block(k);
    parallel::for_each_of(parts, |(c, (i, j))| {
        // Scratch is borrowed out here: a closure inside of the kernel would not be compiled for its path.
        let packed_rows = if must_pack(a) { BLOCK_M.min(c.rows).next_multiple_of(TILE_M) } else { 0 };
        let lengths = [c.columns.next_multiple_of(TILE_N) * block, packed_rows * (block + PAD)];
        scratch::with(lengths, |[packed_b, packed_a]| {
            dispatch(Part { c, i, j, a, b, init, packed_b, packed_a });
        });
    });
}

/// Whether A cannot be used as it lies: its rows are not contiguous, or so far apart that they fall into the same few
/// places of the first-level cache and drive each other out (twelve rows, where each place holds eight lines).
fn must_pack(a: Mat<'_>) -> bool {
    a.rows > 1 && (a.col != 1 || a.row.is_multiple_of(CACHE_PERIOD))
}

/// K in equal blocks of at most [`BLOCK_K`].
fn depth_of_block(k: usize) -> usize {
    k.div_ceil(k.div_ceil(BLOCK_K).max(1)).max(1)
}

/// The upper left corners of the parts, in the order of [`rectangles`].
fn corners(m: usize, n: usize, rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..m).step_by(rows).flat_map(move |i| (0..n).step_by(columns).map(move |j| (i, j)))
}

/// The size of the parts into which C is cut: about one a thread, in whole tiles. The cuts go along M rather than N: a
/// thread then works on the rows that it made in the operation before, which are in its own cache.
fn grid(m: usize, n: usize, threads: usize) -> (usize, usize) {
    let (tiles_m, tiles_n) = (m.div_ceil(TILE_M).max(1), n.div_ceil(TILE_N).max(1));
    let mut best = (usize::MAX, m, n);
    for cuts_n in 1..=threads {
        let (part_m, part_n) = (tiles_m.div_ceil(threads / cuts_n), tiles_n.div_ceil(cuts_n));
        if part_m * part_n < best.0 {
            best = (part_m * part_n, part_m * TILE_M, part_n * TILE_N);
        }
    }
    (best.1, best.2)
}

/// One thread's part of C, whose corner is at (i, j).
struct Part<'a> {
    c: Rectangle<'a>,
    i: usize,
    j: usize,
    a: Mat<'a>,
    b: Mat<'a>,
    init: Init<'a>,
    packed_b: &'a mut [f32],
    packed_a: &'a mut [f32], // empty: A is used as it lies
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let k = self.a.cols;
        let block = depth_of_block(k);
        for p in (0..k.max(1)).step_by(block) {
            let depth = block.min(k - p);
            pack_b(s, self.b, p, depth, self.j, self.c.columns, self.packed_b);
            for row in (0..self.c.rows).step_by(BLOCK_M) {
                self.block(s, p, depth, row);
            }
        }
    }
}

impl Part<'_> {
    /// The rows of this part from `row` on, times one block of K that begins at `p`.
    #[inline(always)]
    fn block<S: Simd>(&mut self, s: S, p: usize, depth: usize, row: usize) {
        let rows = BLOCK_M.min(self.c.rows - row);
        let i = self.i + row;
        let init = match self.init {
            _ if p > 0 => Init::Add,
            Init::Bias(bias) => Init::Bias(&bias[self.j..]),
            init => init,
        };
        let a = if self.packed_a.is_empty() {
            let start = i * self.a.row + p * self.a.col;
            Left::rows(s, &self.a.data[start.min(self.a.data.len())..], self.a.row)
        } else if self.a.col == 1 {
            for (row, to) in self.packed_a.chunks_exact_mut(depth + PAD).take(rows).enumerate() {
                copy_row(s, &self.a.data[(i + row) * self.a.row + p..], depth, to);
            }
            Left::rows(s, self.packed_a, depth + PAD)
        } else {
            pack_a(self.a, i, rows, p, depth, S::TILE.0, self.packed_a);
            Left { data: self.packed_a, row: 1, col: S::TILE.0, tile_stride: S::TILE.0 * depth }
        };
        let b = Right::panels(s, self.packed_b, depth);
        Product { rows, columns: self.c.columns, depth, a, b }.run_in(s, init, &mut self.c, row);
    }
}

/// Packs rows p.. and columns j.. of B into panels as wide as a tile, zeros beyond the last column.
#[inline(always)]
fn pack_b<S: Simd>(s: S, b: Mat<'_>, p: usize, depth: usize, j: usize, columns: usize, packed: &mut [f32]) {
    let width = S::TILE.1;
    for (panel, packed) in
        packed.chunks_exact_mut((width * depth).max(1)).take(columns.div_ceil(width)).enumerate()
    {
        let j = j + panel * width;
        let here = width.min(columns - panel * width);
        if b.col == 1 {
            for (p, to) in (p..p + depth).zip(packed.chunks_exact_mut(width)) {
                copy_row(s, &b.data[p * b.row + j..], here, to);
            }
        } else {
            pack_transposed(s, &b.data[j * b.col + p * b.row..], b.col, here, depth, width, packed);
        }
    }
}

/// Packs rows i.. of a transposed A, for columns p.., into tiles whose rows lie side by side.
#[inline(always)]
fn pack_a(a: Mat<'_>, i: usize, rows: usize, p: usize, depth: usize, tile_rows: usize, packed: &mut [f32]) {
    for (tile, packed) in
        packed.chunks_exact_mut((tile_rows * depth).max(1)).take(rows.div_ceil(tile_rows)).enumerate()
    {
        let here = tile_rows.min(rows - tile * tile_rows);
        let start = (i + tile * tile_rows) * a.row + p * a.col;
        for (p, to) in packed.chunks_exact_mut(tile_rows).enumerate() {
            let from = &a.data[start + p * a.col..];
            if here == tile_rows {
                to.copy_from_slice(&from[..tile_rows]); // a constant length: a few moves, not a call
            } else {
                to[..here].copy_from_slice(&from[..here]);
            }
        }
    }
}
