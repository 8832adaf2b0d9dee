//! A matrix product on one thread, tile by tile, with its bounds checked once.

use super::shared::Rectangle;
use super::vector::{Simd, Start, Tile};

/// C = start + A B for operands that lie ready for the tiles. Strides are in floats.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) a: Left<'a>,
    pub(crate) b: Right<'a>,
}

/// A: element (i, p) of tile t (rows t * tile + i) is at `t * tile_stride + i * row + p * col`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) col: usize,
    pub(crate) tile_stride: usize,
}

/// B in panels as wide as a tile: element (p, j) of panel q is at `q * panel_stride + p * row + j`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) panel_stride: usize,
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Init<'a> {
    /// Nothing: C is overwritten, whatever it holds.
    Zero,
    /// What C holds: gradients that accumulate.
    Add,
    /// A row of biases, one a column, added to every row of C.
    Bias(&'a [f32]),
}

impl<'a> Left<'a> {
    /// Rows `row` floats apart, each contiguous.
    #[inline(always)]
    pub(crate) fn rows<S: Simd>(_: S, data: &'a [f32], row: usize) -> Self {
        Self { data, row, col: 1, tile_stride: S::TILE.0 * row }
    }

    /// The transpose of rows `row` floats apart: A[i, p] is at `p * row + i`.
    #[inline(always)]
    pub(crate) fn transposed<S: Simd>(_: S, data: &'a [f32], row: usize) -> Self {
        Self { data, row: 1, col: row, tile_stride: S::TILE.0 }
    }
}

impl<'a> Right<'a> {
    /// Panels packed one after the other, each `depth` rows of a tile's width.
    #[inline(always)]
    pub(crate) fn panels<S: Simd>(_: S, data: &'a [f32], depth: usize) -> Self {
        Self { data, row: S::TILE.1, panel_stride: S::TILE.1 * depth }
    }

    /// Rows `row` floats apart, padded to whole panels.
    #[inline(always)]
    pub(crate) fn rows<S: Simd>(_: S, data: &'a [f32], row: usize) -> Self {
        Self { data, row, panel_stride: S::TILE.1 }
    }
}

impl Product<'_> {
    /// Computes into a slice whose rows are `c_row` floats apart.
    #[inline(always)]
    pub(crate) fn run<S: Simd>(&self, s: S, init: Init<'_>, c: &mut [f32], c_row: usize) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        assert!(c.len() >= (self.rows - 1) * c_row + self.columns, "C is too short");
        // SAFETY: just checked, and the slice is ours alone.
        unsafe { self.run_at(s, init, c.as_mut_ptr(), c_row) };
    }

    /// Computes into the rows of a rectangle from `row` on.
    #[inline(always)]
    pub(crate) fn run_in<S: Simd>(&self, s: S, init: Init<'_>, c: &mut Rectangle<'_>, row: usize) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        assert!(row + self.rows <= c.rows && self.columns <= c.columns, "outside of the rectangle");
        let (start, c_row) = c.row_pointer(row);
        // SAFETY: just checked, and the rectangle is ours alone.
        unsafe { self.run_at(s, init, start, c_row) };
    }

    /// # Safety
    /// `rows` rows of `columns` floats, `c_row` apart, are writable at `c` and nobody else touches them.
    #[inline(always)]
    unsafe fn run_at<S: Simd>(&self, s: S, init: Init<'_>, c: *mut f32, c_row: usize) {
        let (tile_rows, width) = S::TILE;
        let (panels, tiles) = (self.columns.div_ceil(width), self.rows.div_ceil(tile_rows));
        if self.depth > 0 {
            let rows_of_last = self.rows - (tiles - 1) * tile_rows;
            let last_a = (tiles - 1) * self.a.tile_stride
                + (rows_of_last - 1) * self.a.row
                + (self.depth - 1) * self.a.col;
            let last_b = (panels - 1) * self.b.panel_stride + (self.depth - 1) * self.b.row + width - 1;
            assert!(last_a < self.a.data.len(), "A is too short");
            assert!(last_b < self.b.data.len(), "B is too short");
        }
        if let Init::Bias(bias) = init {
            assert!(bias.len() >= self.columns, "the bias is too short");
        }
        for panel in 0..panels {
            let column = panel * width;
            let start = match init {
                Init::Zero => Start::Zero,
                // SAFETY: column < columns <= the length of the bias.
                Init::Bias(bias) => Start::Bias(unsafe { bias.as_ptr().add(column) }),
                Init::Add => Start::Load,
            };
            for tile in 0..tiles {
                let row = tile * tile_rows;
                let next = if tile + 1 < tiles { (row + tile_rows) * c_row + column } else { column + width };
                let t = Tile {
                    depth: self.depth,
                    a: self.a.data.as_ptr().wrapping_add(tile * self.a.tile_stride),
                    a_row: self.a.row,
                    a_col: self.a.col,
                    b: self.b.data.as_ptr().wrapping_add(panel * self.b.panel_stride),
                    b_row: self.b.row,
                    c: c.wrapping_add(row * c_row + column),
                    c_row,
                    columns: width.min(self.columns - column),
                    start,
                    next: c.wrapping_add(next),
                };
                // SAFETY: the extents of A, B and the bias were checked above, that of C is the caller's
                // promise; with a depth of 0 no element of A or B is read.
                unsafe { s.run_tile(tile_rows.min(self.rows - row), &t) };
            }
        }
    }
}
