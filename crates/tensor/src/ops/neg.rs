//! The negative: y = -x, so dx = -dy. Nothing is saved.

use crate::kernels::vmath;
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> std::ops::Neg for Var<'t> {
    type Output = Var<'t>;

    /// `-x`.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, -2.0]).into_dyn());
    /// assert_eq!((-x).value(), ndarray::arr1(&[-1.0, 2.0]).into_dyn());
    /// ```
    fn neg(self) -> Var<'t> {
        self.apply(Neg, &[])
    }
}

/// y = -x
#[derive(Clone, Copy, Debug)]
pub struct Neg;

impl Op for Neg {
    fn name(&self) -> &'static str {
        "neg"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(vmath::Scaled(-1.0), [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = -x: dx = -dy
        vmath::map(vmath::Scaled(-1.0), [dy], dx.to, dx.accum);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        -&x[0]
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "neg",
    sample: |draw| {
        let shape = draw.any_shape();
        Sample::new(Neg, [draw.array(&shape)])
    },
    misfits: Vec::new,
};
