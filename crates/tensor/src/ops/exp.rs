//! The exponential: y = e^x.
//!
//! It is its own derivative, so the backward needs only the output: dx = y dy. Nothing is saved.

use crate::kernels::vmath;
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// e^x, element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[0.0, 1.0]).into_dyn());
    /// assert_eq!(x.exp().value(), ndarray::arr1(&[1.0, std::f32::consts::E]).into_dyn());
    /// ```
    #[must_use]
    pub fn exp(self) -> Var<'t> {
        self.apply(Exp, &[])
    }
}

/// y = e^x
#[derive(Clone, Copy, Debug)]
pub struct Exp;

impl Op for Exp {
    fn name(&self) -> &'static str {
        "exp"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(vmath::Exp, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = e^x: dx = e^x dy = y dy
        vmath::map(vmath::Product, [y, dy], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].mapv(f64::exp)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "exp",
    sample: |draw| {
        let shape = draw.any_shape();
        Sample::new(Exp, [draw.array(&shape)])
    },
    misfits: Vec::new,
};
