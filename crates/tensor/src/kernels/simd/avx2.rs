//! Sixteen lanes in two 256-bit registers: lanes 0 to 7, and 8 to 15.

use super::tile;
use super::vector::{Kernel, LANES, Simd, Tile};
use std::arch::x86_64::*;

/// The processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise is the token's.
    kernel.run(unsafe { Avx2::token() })
}

type Pair = [__m256; 2];

// SAFETY of all blocks below: the token exists, so the processor has the instructions; references to
// arrays of sixteen floats are readable and writable; pointers are the caller's promise.
impl Simd for Avx2 {
    type V = Pair;
    const TILE: (usize, usize) = (6, LANES); // 12 of 16 registers hold the tile

    #[inline(always)]
    unsafe fn token() -> Self {
        Self(())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Pair {
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Pair {
        unsafe { self.load_at(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: Pair, to: &mut [f32; LANES]) {
        unsafe { self.store_at(x, to.as_mut_ptr()) }
    }
    #[inline(always)]
    fn add(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn div(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn fma(self, a: Pair, b: Pair, c: Pair) -> Pair {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    fn sqrt(self, a: Pair) -> Pair {
        unsafe { [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])] }
    }
    #[inline(always)]
    fn max(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn min(self, a: Pair, b: Pair) -> Pair {
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn if_less(self, a: Pair, b: Pair, yes: Pair, no: Pair) -> Pair {
        unsafe {
            [
                _mm256_blendv_ps(no[0], yes[0], _mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0])),
                _mm256_blendv_ps(no[1], yes[1], _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])),
            ]
        }
    }
    #[inline(always)]
    fn round(self, a: Pair) -> Pair {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        unsafe { [_mm256_round_ps::<NEAREST>(a[0]), _mm256_round_ps::<NEAREST>(a[1])] }
    }
    #[inline(always)]
    fn pow2(self, n: Pair) -> Pair {
        [eight_powers(n[0]), eight_powers(n[1])]
    }
    #[inline(always)]
    fn sums(self, a: &[Pair; LANES]) -> Pair {
        [eight_sums(&a[..8]), eight_sums(&a[8..])]
    }
    #[inline(always)]
    fn transpose(self, a: &[Pair; LANES]) -> [Pair; LANES] {
        let mut columns = *a;
        for half in 0..2 {
            let upper = eight_rows(&a[..8], half); // numbers of rows 0 to 7, in columns 8 half to 8 half + 7
            let lower = eight_rows(&a[8..], half);
            for i in 0..8 {
                columns[8 * half + i] = [upper[i], lower[i]];
            }
        }
        columns
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> Pair {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store_at(self, x: Pair, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, x[0]);
            _mm256_storeu_ps(to.add(8), x[1]);
        }
    }
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn run_tile(self, rows: usize, t: &Tile) {
        unsafe { tile::by_rows!(self, 1, rows, t, 1 2 3 4 5 6) }
    }
}

// The steps of `pow2`, `transpose` and `sums`. Functions, not closures: a closure is not compiled for the path's
// instructions, and a call to it in the middle of exp made every exp three times as slow.
// SAFETY of all: the callers have a token.

/// 2^n for whole numbers n.
#[inline(always)]
fn eight_powers(n: __m256) -> __m256 {
    unsafe {
        let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
    }
}

/// Turns over the square of eight by eight in one half of eight rows.
#[inline(always)]
fn eight_rows(a: &[Pair], half: usize) -> [__m256; 8] {
    let (x, y) = (
        four_rows(a[0][half], a[1][half], a[2][half], a[3][half]),
        four_rows(a[4][half], a[5][half], a[6][half], a[7][half]),
    );
    let mut columns = [x[0]; 8];
    for k in 0..4 {
        unsafe {
            columns[k] = _mm256_permute2f128_ps::<0x20>(x[k], y[k]);
            columns[4 + k] = _mm256_permute2f128_ps::<0x31>(x[k], y[k]);
        }
    }
    columns
}

/// Turns over the squares of four by four in four rows.
#[inline(always)]
fn four_rows(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    unsafe {
        let (x, y) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (z, w) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(x, z),
            _mm256_shuffle_ps::<0xEE>(x, z),
            _mm256_shuffle_ps::<0x44>(y, w),
            _mm256_shuffle_ps::<0xEE>(y, w),
        ]
    }
}

// The steps of `sums`. Each adds the halves of every row's terms and packs two registers into one.

/// The sums of eight rows.
#[inline(always)]
fn eight_sums(a: &[Pair]) -> __m256 {
    // Rows r and r + 4 in the halves of one register, so that the last two steps end in order.
    let rows = [fours(a[0], a[4]), fours(a[1], a[5]), fours(a[2], a[6]), fours(a[3], a[7])];
    ones(twos(rows[0], rows[1]), twos(rows[2], rows[3]))
}

/// Terms i and i + 8, then i and i + 4: the lower half plus the upper one. A half is now a row.
#[inline(always)]
fn fours(x: Pair, y: Pair) -> __m256 {
    unsafe {
        let (x, y) = (_mm256_add_ps(x[0], x[1]), _mm256_add_ps(y[0], y[1]));
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(x, y), _mm256_permute2f128_ps::<0x31>(x, y))
    }
}

/// Terms i and i + 2 of each half.
#[inline(always)]
fn twos(x: __m256, y: __m256) -> __m256 {
    unsafe { _mm256_add_ps(_mm256_shuffle_ps::<0x44>(x, y), _mm256_shuffle_ps::<0xEE>(x, y)) }
}

/// Terms 0 and 1.
#[inline(always)]
fn ones(x: __m256, y: __m256) -> __m256 {
    unsafe { _mm256_add_ps(_mm256_shuffle_ps::<0x88>(x, y), _mm256_shuffle_ps::<0xDD>(x, y)) }
}
