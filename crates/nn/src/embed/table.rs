//! Vectors in memory: rows padded with zeros to whole SIMD vectors.

use random::Rng;
use tensor::kernels::simd::LANES;

/// Rows of `dim` numbers, each followed by zeros up to a multiple of sixteen. The zeros stay zeros under the updates
/// here (multiples of other rows' zeros), and loops have no incomplete vector at their end.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) dim: usize,
    /// Vectors of sixteen numbers in a row.
    pub(super) chunks: usize,
    pub(super) data: Vec<[f32; LANES]>,
}

impl Table {
    /// Rows of zeros.
    pub(super) fn zeros(rows: usize, dim: usize) -> Self {
        let chunks = dim.div_ceil(LANES);
        Self { dim, chunks, data: vec![[0.0; LANES]; rows * chunks] }
    }

    /// Uniform in +-0.5 / dim, as word2vec.c and glove.c begin.
    pub(super) fn uniform(rows: usize, dim: usize, rng: &mut Rng) -> Self {
        let mut table = Self::zeros(rows, dim);
        for row in 0..rows {
            table.row_mut(row).iter_mut().for_each(|x| *x = (rng.f32() - 0.5) / dim as f32);
        }
        table
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.chunks..(row + 1) * self.chunks].as_flattened()[..self.dim]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let chunks = &mut self.data[row * self.chunks..(row + 1) * self.chunks];
        &mut chunks.as_flattened_mut()[..self.dim]
    }
}
