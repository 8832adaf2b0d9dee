//! The softmax of the last axis: positive numbers that add up to 1.
//!
//! $$ y_i = \frac{e^{x_i}}{\sum_j e^{x_j}} = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \quad m = \max_j x_j $$
//!
//! Subtracting the largest changes nothing and keeps every exponential at most 1. Backward: by the quotient
//! rule
//!
//! $$ \frac{\partial y_i}{\partial x_j} = y_i (\delta_{ij} - y_j)
//!    \quad\Rightarrow\quad dx = y \odot \left( dy - \sum_i y_i\, dy_i \right) $$
//!
//! which needs only the output, so nothing is saved. A row of -inf alone, where everything is masked, gives
//! zeros and the gradient zero, not NaN.

use crate::kernels::softmax::{softmax_backward, softmax_forward};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// The softmax of each row of the last axis.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1e4, 1e4, f32::NEG_INFINITY]).into_dyn());
    /// assert_eq!(x.softmax().value(), ndarray::arr1(&[0.5, 0.5, 0.0]).into_dyn());
    /// ```
    #[track_caller]
    #[must_use]
    pub fn softmax(self) -> Var<'t> {
        self.apply(Softmax, &[])
    }
}

/// y = e^x / sum of e^x, over the last axis
#[derive(Clone, Copy, Debug)]
pub struct Softmax;

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        ShapeError::unless(!x[0].is_empty(), "a tensor with a last axis")?;
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        softmax_forward(x[0].data, x[0].shape.rows_and_width().1, y);
    }

    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = e^x / sum e^x: dx = y (dy - sum(y dy))
        softmax_backward(y, dy, x[0].shape.rows_and_width().1, dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let mut y = x[0].clone();
        for mut row in y.lanes_mut(Axis(x[0].ndim() - 1)) {
            let max = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            row.mapv_inplace(|x| if max == f64::NEG_INFINITY { 0.0 } else { (x - max).exp() });
            let sum = row.sum();
            row.mapv_inplace(|e| if sum == 0.0 { 0.0 } else { e / sum });
        }
        y
    }
}

use super::layer_norm::sample_rows;
use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "softmax",
    sample: |draw| {
        let shape = sample_rows(draw);
        Sample::new(Softmax, [draw.array(&shape)])
    },
    misfits: || vec![(Box::new(Softmax), vec![Shape::scalar()])],
};
