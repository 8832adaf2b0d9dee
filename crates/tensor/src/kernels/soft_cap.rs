//! The soft bound of logits, y = c tanh(x / c), and its slope. The formulas are in `ops/soft_cap.rs`.

use super::simd::Simd;
use super::vmath::{self, Lanewise};

/// y = cap tanh(x / cap)
#[derive(Clone, Copy, Debug)]
pub struct SoftCap {
    /// The bound.
    pub cap: f32,
}

impl SoftCap {
    /// A bound of +-`cap`.
    ///
    /// # Panics
    /// If the cap is not positive.
    #[track_caller]
    #[must_use]
    pub fn new(cap: f32) -> Self {
        assert!(cap > 0.0, "soft_cap: expected a positive cap; found {cap}");
        Self { cap }
    }

    /// Bounds a slice in place.
    pub fn apply_to(self, x: &mut [f32]) {
        vmath::map_in_place(self, x);
    }

    /// From the output and its gradient to the input's.
    pub(crate) fn slope(self) -> SoftCapSlope {
        SoftCapSlope { cap: self.cap }
    }
}

impl Lanewise<1> for SoftCap {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        s.mul(s.splat(self.cap), vmath::tanh(s, s.mul(x, s.splat(1.0 / self.cap))))
    }
}

/// (1 - (y / cap)^2) dy
#[derive(Clone, Copy)]
pub(crate) struct SoftCapSlope {
    cap: f32,
}

impl Lanewise<2> for SoftCapSlope {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [y, dy]: [S::V; 2]) -> S::V {
        let t = s.mul(y, s.splat(1.0 / self.cap));
        s.mul(s.fma(s.sub(s.splat(0.0), t), t, s.splat(1.0)), dy)
    }
}
