//! Sixteen lanes in an array: the path of any other processor, and the reference for the tests.

use super::tile;
use super::vector::{Kernel, LANES, Simd, Tile};

/// Nothing is needed.
#[derive(Clone, Copy)]
pub(super) struct Scalar(());

/// # Safety
/// None is needed; the signature is that of the other paths.
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: every processor can do this.
    kernel.run(unsafe { Scalar::token() })
}

type Lanes = [f32; LANES];

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Lanes {
    std::array::from_fn(f)
}

impl Simd for Scalar {
    type V = Lanes;
    const TILE: (usize, usize) = (4, LANES);

    #[inline(always)]
    unsafe fn token() -> Self {
        Self(())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Lanes {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, from: &Lanes) -> Lanes {
        *from
    }
    #[inline(always)]
    fn store(self, x: Lanes, to: &mut Lanes) {
        *to = x;
    }
    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        each(|i| a[i].mul_add(b[i], c[i])) // exact everywhere, a library call where there is no instruction
    }
    #[inline(always)]
    fn sqrt(self, a: Lanes) -> Lanes {
        each(|i| a[i].sqrt())
    }
    #[inline(always)]
    fn max(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Lanes, b: Lanes) -> Lanes {
        each(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn if_less(self, a: Lanes, b: Lanes, yes: Lanes, no: Lanes) -> Lanes {
        each(|i| if a[i] < b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn round(self, a: Lanes) -> Lanes {
        each(|i| a[i].round_ties_even())
    }
    #[inline(always)]
    fn pow2(self, n: Lanes) -> Lanes {
        each(|i| f32::from_bits(((n[i] as i32).wrapping_add(127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> Lanes {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Lanes>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_at(self, x: Lanes, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Lanes>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn run_tile(self, rows: usize, t: &Tile) {
        // SAFETY: the caller's promise.
        unsafe { tile::by_rows!(self, 1, rows, t, 1 2 3 4) }
    }
}
