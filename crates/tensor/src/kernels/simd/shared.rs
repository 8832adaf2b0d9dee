//! A matrix cut into rectangles that several threads write at once.

use std::marker::PhantomData;

/// A rectangle of a row-major matrix, to be written. The rectangles that [`rectangles`] makes do not
/// overlap, so each is as safe to write as a slice, also from different threads. (`chunks_mut` cannot cut
/// them: their rows are not contiguous.)
pub(crate) struct Rectangle<'a> {
    start: *mut f32,
    row_stride: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a mutable borrow of floats that no other rectangle covers.
unsafe impl Send for Rectangle<'_> {}

/// Cuts a row-major matrix with rows of `width` floats into a grid of rectangles of `rows` by `columns`
/// (smaller at the lower and right edges), row of the grid by row of the grid.
pub(crate) fn rectangles(
    matrix: &mut [f32],
    width: usize,
    rows: usize,
    columns: usize,
) -> Vec<Rectangle<'_>> {
    if matrix.is_empty() || width == 0 {
        return Vec::new();
    }
    let height = matrix.len() / width;
    let start = matrix.as_mut_ptr();
    let corners = (0..height).step_by(rows).flat_map(|i| (0..width).step_by(columns).map(move |j| (i, j)));
    corners
        .map(|(i, j)| Rectangle {
            // SAFETY: i < height and j < width, so the corner is inside of the matrix.
            start: unsafe { start.add(i * width + j) },
            row_stride: width,
            rows: rows.min(height - i),
            columns: columns.min(width - j),
            lifetime: PhantomData,
        })
        .collect()
}

impl<'a> Rectangle<'a> {
    /// Cuts it into pieces of `rows` rows (the last may have fewer), each with the number of its first row.
    pub(crate) fn cut(self, rows: usize) -> impl Iterator<Item = (usize, Rectangle<'a>)> {
        (0..self.rows).step_by(rows.max(1)).map(move |first| {
            let rows = rows.max(1).min(self.rows - first);
            // SAFETY: the row is inside of the rectangle, and no row is in two pieces.
            let start = unsafe { self.start.add(first * self.row_stride) };
            (first, Rectangle { start, rows, ..self })
        })
    }
}

impl Rectangle<'_> {
    /// One row.
    #[inline(always)]
    pub(crate) fn row(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // SAFETY: the row is inside of the rectangle, which nobody else writes.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.row_stride), self.columns) }
    }

    /// A pointer to a row, and the distance to the next, for the tile kernels.
    #[inline(always)]
    pub(super) fn row_pointer(&mut self, i: usize) -> (*mut f32, usize) {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // SAFETY: the row is inside of the rectangle.
        (unsafe { self.start.add(i * self.row_stride) }, self.row_stride)
    }
}
