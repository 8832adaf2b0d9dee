//! What a kernel is written against: vectors of sixteen floats, and one tile of a matrix product.

/// Lanes of a vector, on every path.
pub const LANES: usize = 16;

/// Operations on vectors of [`LANES`] floats. A value of a type that implements this is a token: it
/// exists only where the processor has the instructions.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen floats.
    type V: Copy;
    /// The token. Only [`dispatch`](super::dispatch) calls this, after asking the processor.
    ///
    /// # Safety
    /// The processor has the instructions of this path.
    unsafe fn token() -> Self;
    /// All lanes equal.
    fn splat(self, x: f32) -> Self::V;
    /// Reads sixteen floats.
    fn load(self, from: &[f32; LANES]) -> Self::V;
    /// Writes sixteen floats.
    fn store(self, x: Self::V, to: &mut [f32; LANES]);
    /// a + b
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a - b
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c, rounded once
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// sqrt(a), correctly rounded
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `if a > b { a } else { b }`: a NaN in `b` stays, a NaN in `a` goes.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`: a NaN in `b` stays, a NaN in `a` goes.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { yes } else { no }`
    fn if_less(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The nearest integer, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// 2^n for integers n in -126..=127, by building the exponent bits.
    fn pow2(self, n: Self::V) -> Self::V;
    /// Reads sixteen floats through a pointer.
    ///
    /// # Safety
    /// Sixteen floats are readable at `from`.
    unsafe fn load_at(self, from: *const f32) -> Self::V;
    /// Writes sixteen floats through a pointer.
    ///
    /// # Safety
    /// Sixteen floats are writable at `to`.
    unsafe fn store_at(self, x: Self::V, to: *mut f32);
    /// Asks for the cache line at an address that will be written soon. Any address may be given.
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    /// The rows and columns of the tile of C that the registers of this path hold.
    const TILE: (usize, usize);
    /// Computes one tile; see [`Tile`].
    ///
    /// # Safety
    /// As `tile::run`: see [`Tile`].
    unsafe fn run_tile(self, rows: usize, t: &Tile);

    /// |a|
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        self.max(self.sub(self.splat(0.0), a), a)
    }

    /// The sum of the lanes, by halves: lane i and lane i + 8, then i + 4, i + 2, i + 1.
    #[inline(always)]
    fn sum(self, a: Self::V) -> f32 {
        let mut x = [0.0; LANES];
        self.store(a, &mut x);
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                x[i] += x[i + half];
            }
            half /= 2;
        }
        x[0]
    }

    /// Lane r is the sum of the lanes of `a[r]`, with the bits of [`Simd::sum`]. A path adds the halves of two
    /// vectors at once: about four instructions a sum instead of fifteen.
    #[inline(always)]
    fn sums(self, a: &[Self::V; LANES]) -> Self::V {
        let mut sums = [0.0; LANES];
        for r in 0..LANES {
            sums[r] = self.sum(a[r]);
        }
        self.load(&sums)
    }

    /// Lane j of vector i is lane i of `a[j]`. Nothing is computed.
    #[inline(always)]
    fn transpose(self, a: &[Self::V; LANES]) -> [Self::V; LANES] {
        let mut rows = [[0.0; LANES]; LANES];
        for j in 0..LANES {
            self.store(a[j], &mut rows[j]);
        }
        let mut columns = *a;
        for i in 0..LANES {
            let mut column = [0.0; LANES];
            for j in 0..LANES {
                column[j] = rows[j][i];
            }
            columns[i] = self.load(&column);
        }
        columns
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self, a: Self::V) -> f32 {
        let mut x = [0.0; LANES];
        self.store(a, &mut x);
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                x[i] = if x[i + half] > x[i] { x[i + half] } else { x[i] };
            }
            half /= 2;
        }
        x[0]
    }
}

/// A piece of work that runs on any path. `run` must be `#[inline(always)]`, and so must everything
/// it calls in its loops: only then is it compiled for the path's instructions.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Does the work.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Where a tile's sums start.
#[derive(Clone, Copy)]
pub enum Start {
    /// At zero.
    Zero,
    /// At a row of biases, one for each column.
    Bias(*const f32),
    /// At what C holds: a later block of the depth, or an accumulated gradient.
    Load,
}

/// One tile's operands. Strides are in floats.
pub struct Tile {
    /// The sum's length.
    pub depth: usize,
    /// A[i, p] is at `a + i * a_row + p * a_col`.
    pub a: *const f32,
    /// See `a`.
    pub a_row: usize,
    /// See `a`.
    pub a_col: usize,
    /// B[p, j] is at `b + p * b_row + j`.
    pub b: *const f32,
    /// See `b`.
    pub b_row: usize,
    /// C[i, j] is at `c + i * c_row + j`.
    pub c: *mut f32,
    /// See `c`.
    pub c_row: usize,
    /// How many of the tile's columns exist in C; the others are computed and dropped.
    pub columns: usize,
    /// Where the sums start.
    pub start: Start,
    /// Where the next tile of C will be. It need not exist.
    pub next: *const f32,
}
