//! Sixteen lanes in four 128-bit registers.

use super::tile;
use super::vector::{Kernel, LANES, Simd, Tile};
use std::arch::aarch64::*;

/// The processor has NEON: every aarch64 does.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

/// # Safety
/// The processor has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise is the token's.
    kernel.run(unsafe { Neon::token() })
}

type Quad = [float32x4_t; 4];

#[inline(always)]
fn each(f: impl Fn(usize) -> float32x4_t) -> Quad {
    [f(0), f(1), f(2), f(3)]
}

// SAFETY of all blocks below: the token exists, so the processor has the instructions; references to
// arrays of sixteen floats are readable and writable; pointers are the caller's promise.
impl Simd for Neon {
    type V = Quad;
    const TILE: (usize, usize) = (6, LANES); // 24 of 32 registers hold the tile

    #[inline(always)]
    unsafe fn token() -> Self {
        Self(())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Quad {
        unsafe { [vdupq_n_f32(x); 4] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Quad {
        unsafe { self.load_at(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: Quad, to: &mut [f32; LANES]) {
        unsafe { self.store_at(x, to.as_mut_ptr()) }
    }
    #[inline(always)]
    fn add(self, a: Quad, b: Quad) -> Quad {
        each(|i| unsafe { vaddq_f32(a[i], b[i]) })
    }
    #[inline(always)]
    fn sub(self, a: Quad, b: Quad) -> Quad {
        each(|i| unsafe { vsubq_f32(a[i], b[i]) })
    }
    #[inline(always)]
    fn mul(self, a: Quad, b: Quad) -> Quad {
        each(|i| unsafe { vmulq_f32(a[i], b[i]) })
    }
    #[inline(always)]
    fn div(self, a: Quad, b: Quad) -> Quad {
        each(|i| unsafe { vdivq_f32(a[i], b[i]) })
    }
    #[inline(always)]
    fn fma(self, a: Quad, b: Quad, c: Quad) -> Quad {
        each(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }
    #[inline(always)]
    fn sqrt(self, a: Quad) -> Quad {
        each(|i| unsafe { vsqrtq_f32(a[i]) })
    }
    #[inline(always)]
    fn max(self, a: Quad, b: Quad) -> Quad {
        // Not vmaxq: it propagates NaN from both sides.
        each(|i| unsafe { vbslq_f32(vcgtq_f32(a[i], b[i]), a[i], b[i]) })
    }
    #[inline(always)]
    fn min(self, a: Quad, b: Quad) -> Quad {
        each(|i| unsafe { vbslq_f32(vcltq_f32(a[i], b[i]), a[i], b[i]) })
    }
    #[inline(always)]
    fn if_less(self, a: Quad, b: Quad, yes: Quad, no: Quad) -> Quad {
        each(|i| unsafe { vbslq_f32(vcltq_f32(a[i], b[i]), yes[i], no[i]) })
    }
    #[inline(always)]
    fn round(self, a: Quad) -> Quad {
        each(|i| unsafe { vrndnq_f32(a[i]) })
    }
    #[inline(always)]
    fn pow2(self, n: Quad) -> Quad {
        each(|i| unsafe {
            let biased = vaddq_s32(vcvtnq_s32_f32(n[i]), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        })
    }
    #[inline(always)]
    fn sums(self, a: &[Quad; LANES]) -> Quad {
        [four_sums(&a[..4]), four_sums(&a[4..8]), four_sums(&a[8..12]), four_sums(&a[12..])]
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> Quad {
        each(|i| unsafe { vld1q_f32(from.add(4 * i)) })
    }
    #[inline(always)]
    unsafe fn store_at(self, x: Quad, to: *mut f32) {
        for i in 0..4 {
            unsafe { vst1q_f32(to.add(4 * i), x[i]) }
        }
    }
    #[inline(always)]
    unsafe fn run_tile(self, rows: usize, t: &Tile) {
        unsafe { tile::by_rows!(self, 1, rows, t, 1 2 3 4 5 6) }
    }
}

// The steps of `sums`. Functions, not closures: a closure is not compiled for the path's instructions.
// SAFETY: `sums` calls them, which has a token.

/// The sums of four rows.
#[inline(always)]
fn four_sums(a: &[Quad]) -> float32x4_t {
    unsafe { vpaddq_f32(twos(four(a[0]), four(a[1])), twos(four(a[2]), four(a[3]))) } // terms 0 and 1
}

/// Terms i and i + 8, then i and i + 4.
#[inline(always)]
fn four(x: Quad) -> float32x4_t {
    unsafe { vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3])) }
}

/// Terms i and i + 2: the lower half plus the upper one, of x and then of y.
#[inline(always)]
fn twos(x: float32x4_t, y: float32x4_t) -> float32x4_t {
    unsafe {
        let lower = vcombine_f32(vget_low_f32(x), vget_low_f32(y));
        vaddq_f32(lower, vcombine_f32(vget_high_f32(x), vget_high_f32(y)))
    }
}
