//! The rectifier (Nair & Hinton 2010): y = max(0, x), so dx = dy where x > 0 and 0 elsewhere; at the kink
//! the slope is taken as 0, as everyone does. Nothing is saved.

use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// max(0, x), element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[-3.0, 2.0]).into_dyn());
    /// assert_eq!(x.relu().value(), ndarray::arr1(&[0.0, 2.0]).into_dyn());
    /// ```
    #[must_use]
    pub fn relu(self) -> Var<'t> {
        self.apply(Relu, &[])
    }
}

/// y = max(0, x)
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Lanewise<1> for Relu {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        s.max(s.splat(0.0), x) // in this order a NaN stays
    }
}

/// dy where x > 0
#[derive(Clone, Copy)]
struct Slope;
impl Lanewise<2> for Slope {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x, dy]: [S::V; 2]) -> S::V {
        s.if_less(s.splat(0.0), x, dy, s.splat(0.0))
    }
}

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(Relu, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = max(0, x): dx = dy where x > 0
        vmath::map(Slope, [x[0].data, dy], dx.to, dx.accum);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].mapv(|x| x.max(0.0))
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "relu",
    sample: |draw| {
        let shape = draw.any_shape();
        Sample::new(Relu, [draw.array_away_from_zero(&shape)])
    },
    misfits: Vec::new,
};
