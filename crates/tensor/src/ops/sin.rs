//! The sine: y = sin x.
//!
//! Its derivative is the cosine, so the backward needs the input, which is on the tape anyway: dx = cos(x) dy. Nothing is
//! saved.
//!
//! This is the worked example of a new element-wise function (README, "Adding an operation"): the sine of the standard
//! library is forbidden here, so `kernels/vmath.rs` has one, and this file is what remains to be written.

use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// sin x, element by element, x in radians and at most 2^20 in magnitude (NaN beyond).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[0.0, std::f32::consts::FRAC_PI_2]).into_dyn());
    /// assert_eq!(x.sin().value(), ndarray::arr1(&[0.0, 1.0]).into_dyn());
    /// ```
    #[must_use]
    pub fn sin(self) -> Var<'t> {
        self.apply(Sin, &[])
    }
}

/// y = sin x
#[derive(Clone, Copy, Debug)]
pub struct Sin;

/// cos(x) dy
#[derive(Clone, Copy)]
struct Slope;
impl Lanewise<2> for Slope {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x, dy]: [S::V; 2]) -> S::V {
        s.mul(vmath::cos(s, x), dy)
    }
}

impl Op for Sin {
    fn name(&self) -> &'static str {
        "sin"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(vmath::Sin, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = sin x: dx = cos(x) dy
        vmath::map(Slope, [x[0].data, dy], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].mapv(f64::sin)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "sin",
    sample: |draw| {
        let shape = draw.any_shape();
        // Several periods.
        Sample::new(Sin, [draw.array_in(&shape, -10.0, 10.0)])
    },
    misfits: Vec::new,
};
