//! Sixteen lanes in one 512-bit register.

use super::tile;
use super::vector::{Kernel, LANES, Simd, Tile};
use std::arch::x86_64::*;

/// The processor has AVX-512 F, BW, DQ, VL and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL and FMA.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise is the token's.
    kernel.run(unsafe { Avx512::token() })
}

// SAFETY of all blocks below: the token exists, so the processor has the instructions; references to
// arrays of sixteen floats are readable and writable; pointers are the caller's promise.
impl Simd for Avx512 {
    type V = __m512;
    const TILE: (usize, usize) = (12, 2 * LANES); // 24 of 32 registers hold the tile

    #[inline(always)]
    unsafe fn token() -> Self {
        Self(())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn if_less(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }
    #[inline(always)]
    fn sums(self, a: &[__m512; LANES]) -> __m512 {
        // Rows r, r + 4, r + 8, r + 12 in the quarters of one register, so that the last two steps end in order.
        let rows = [
            fours(eights(a[0], a[4]), eights(a[8], a[12])),
            fours(eights(a[1], a[5]), eights(a[9], a[13])),
            fours(eights(a[2], a[6]), eights(a[10], a[14])),
            fours(eights(a[3], a[7]), eights(a[11], a[15])),
        ];
        ones(twos(rows[0], rows[1]), twos(rows[2], rows[3]))
    }
    #[inline(always)]
    fn transpose(self, a: &[__m512; LANES]) -> [__m512; LANES] {
        // Register k of four: lane r of quarter q is number 4 q + k of row r of four rows.
        let rows = [four_rows(&a[..4]), four_rows(&a[4..8]), four_rows(&a[8..12]), four_rows(&a[12..])];
        let mut columns = *a;
        for k in 0..4 {
            let [x, y, z, w] = quarters(rows[0][k], rows[1][k], rows[2][k], rows[3][k]);
            (columns[k], columns[4 + k], columns[8 + k], columns[12 + k]) = (x, y, z, w);
        }
        columns
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store_at(self, x: __m512, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, x) }
    }
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn run_tile(self, rows: usize, t: &Tile) {
        unsafe { tile::by_rows!(self, 2, rows, t, 1 2 3 4 5 6 7 8 9 10 11 12) }
    }
}

// The steps of `transpose`, and those of `sums`. Functions, not closures: a closure is not compiled for the path's
// instructions.
// SAFETY of all: the callers have a token.

/// Turns over the squares of four by four in four rows.
#[inline(always)]
fn four_rows(a: &[__m512]) -> [__m512; 4] {
    unsafe {
        let (x, y) = (_mm512_unpacklo_ps(a[0], a[1]), _mm512_unpackhi_ps(a[0], a[1]));
        let (z, w) = (_mm512_unpacklo_ps(a[2], a[3]), _mm512_unpackhi_ps(a[2], a[3]));
        [
            _mm512_shuffle_ps::<0x44>(x, z),
            _mm512_shuffle_ps::<0xEE>(x, z),
            _mm512_shuffle_ps::<0x44>(y, w),
            _mm512_shuffle_ps::<0xEE>(y, w),
        ]
    }
}

/// Quarter q of x, y, z and w, for each q.
#[inline(always)]
fn quarters(x: __m512, y: __m512, z: __m512, w: __m512) -> [__m512; 4] {
    unsafe {
        let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xDD>(x, y));
        let (even2, odd2) = (_mm512_shuffle_f32x4::<0x88>(z, w), _mm512_shuffle_f32x4::<0xDD>(z, w));
        [
            _mm512_shuffle_f32x4::<0x88>(even, even2),
            _mm512_shuffle_f32x4::<0x88>(odd, odd2),
            _mm512_shuffle_f32x4::<0xDD>(even, even2),
            _mm512_shuffle_f32x4::<0xDD>(odd, odd2),
        ]
    }
}

// The steps of `sums`. Each adds the halves of every row's terms and packs two registers into one.

/// Terms i and i + 8: quarters 0 and 1 of x plus its quarters 2 and 3, then y's.
#[inline(always)]
fn eights(x: __m512, y: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(x, y), _mm512_shuffle_f32x4::<0xEE>(x, y)) }
}

/// Terms i and i + 4: quarters 0 and 2 plus quarters 1 and 3. A quarter is now a row.
#[inline(always)]
fn fours(x: __m512, y: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xDD>(x, y)) }
}

/// Terms i and i + 2 of each quarter.
#[inline(always)]
fn twos(x: __m512, y: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_shuffle_ps::<0x44>(x, y), _mm512_shuffle_ps::<0xEE>(x, y)) }
}

/// Terms 0 and 1.
#[inline(always)]
fn ones(x: __m512, y: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_shuffle_ps::<0x88>(x, y), _mm512_shuffle_ps::<0xDD>(x, y)) }
}
