//! The hyperbolic tangent: y = tanh x = (e^x - e^-x) / (e^x + e^-x).
//!
//! By the quotient rule y' = 1 - tanh^2 x = 1 - y^2, so the backward needs only the output, and nothing is
//! saved.

use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// tanh x, element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[0.0, 100.0, -100.0]).into_dyn());
    /// assert_eq!(x.tanh().value(), ndarray::arr1(&[0.0, 1.0, -1.0]).into_dyn());
    /// ```
    #[must_use]
    pub fn tanh(self) -> Var<'t> {
        self.apply(Tanh, &[])
    }
}

/// y = tanh x
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

/// (1 - y^2) dy
#[derive(Clone, Copy)]
struct Slope;
impl Lanewise<2> for Slope {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [y, dy]: [S::V; 2]) -> S::V {
        s.mul(s.fma(s.sub(s.splat(0.0), y), y, s.splat(1.0)), dy)
    }
}

impl Op for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(vmath::Tanh, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = tanh x: dx = (1 - y^2) dy
        vmath::map(Slope, [y, dy], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].mapv(f64::tanh)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "tanh",
    sample: |draw| {
        let shape = draw.any_shape();
        // Where 1 - y^2 is not yet a small difference of ones.
        Sample::new(Tanh, [draw.array_in(&shape, -2.0, 2.0)])
    },
    misfits: Vec::new,
};
