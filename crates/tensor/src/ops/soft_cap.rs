//! A soft bound on logits: y = c tanh(x / c), near x where |x| is small and never beyond +-c (Gemma 2: arXiv 2408.00118).
//!
//! No single logit can run away, and its gradient fades instead of a prediction becoming certain:
//!
//! $$ y = c \tanh(x / c), \qquad dx = \left( 1 - (y / c)^2 \right) dy $$
//!
//! The backward needs only the output; nothing is saved.

use super::{Case, Sample};
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::op::{Accum, Grad, Op, Saved, View};
use crate::{Shape, ShapeError, Var};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// `cap` tanh(x / `cap`), element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[0.0, 1e6, -1e6]).into_dyn());
    /// assert_eq!(x.soft_cap(15.0).value(), ndarray::arr1(&[0.0, 15.0, -15.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the cap is not positive.
    #[track_caller]
    #[must_use]
    pub fn soft_cap(self, cap: f32) -> Var<'t> {
        assert!(cap > 0.0, "soft_cap: expected a positive cap; found {cap}");
        self.apply(SoftCap { cap }, &[])
    }
}

/// y = cap tanh(x / cap)
#[derive(Clone, Copy, Debug)]
pub struct SoftCap {
    /// The bound.
    pub cap: f32,
}

impl Lanewise<1> for SoftCap {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        s.mul(s.splat(self.cap), vmath::tanh(s, s.mul(x, s.splat(1.0 / self.cap))))
    }
}

/// (1 - (y / cap)^2) dy
#[derive(Clone, Copy)]
struct Slope {
    cap: f32,
}

impl Lanewise<2> for Slope {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [y, dy]: [S::V; 2]) -> S::V {
        let t = s.mul(y, s.splat(1.0 / self.cap));
        s.mul(s.fma(s.sub(s.splat(0.0), t), t, s.splat(1.0)), dy)
    }
}

impl SoftCap {
    /// The same on a slice in place: for the writer of one token at a time.
    pub fn apply_to(self, x: &mut [f32]) {
        let from = x.to_vec();
        vmath::map(self, [&from], x, Accum::Replace);
    }
}

impl Op for SoftCap {
    fn name(&self) -> &'static str {
        "soft_cap"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(*self, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = c tanh(x / c): dx = (1 - (y / c)^2) dy
        vmath::map(Slope { cap: self.cap }, [y, dy], dx.to, dx.accum);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let cap = f64::from(self.cap);
        x[0].mapv(|x| cap * (x / cap).tanh())
    }
}

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "soft_cap",
    sample: |draw| {
        let shape = draw.any_shape();
        // Up to twice the cap, where the slope is not yet a small difference of ones.
        Sample::new(SoftCap { cap: draw.choose(&[0.5, 1.0, 15.0]) }, [draw.array_in(&shape, -1.0, 1.0)])
    },
    misfits: Vec::new,
};
