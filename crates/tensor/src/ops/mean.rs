//! The mean along one axis, or of everything.
//!
//! $$ y = \frac1n \sum_{j=1}^n x_j \quad\Rightarrow\quad dx_j = \frac{dy}{n} $$
//!
//! Sums are accumulated in f64. The mean of no elements is NaN. Nothing is saved.

use super::sum::{divided_sums, divided_sums_backward, reduced};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis, arr0};

impl<'t> Var<'t> {
    /// The mean of all elements, a scalar.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr2(&[[1.0, 2.0], [3.0, 6.0]]).into_dyn());
    /// assert_eq!(x.mean().item(), 3.0);
    /// assert_eq!(x.mean_axis(1).value(), ndarray::arr2(&[[1.5], [4.5]]).into_dyn());
    /// ```
    #[must_use]
    pub fn mean(self) -> Var<'t> {
        self.apply(Mean { axis: None }, &[])
    }

    /// The mean along one axis, which stays with size 1.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn mean_axis(self, axis: usize) -> Var<'t> {
        self.apply(Mean { axis: Some(axis) }, &[])
    }
}

/// y = mean of x, along one axis or all
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    /// The axis to average along; `None` for all.
    pub axis: Option<usize>,
}

impl Mean {
    /// How many elements go into each mean.
    fn count(self, shape: Shape) -> usize {
        self.axis.map_or(shape.elements(), |axis| shape[axis])
    }
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        reduced(x[0], self.axis)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        divided_sums(x[0], self.axis, self.count(x[0].shape) as f64, y);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        divided_sums_backward(x[0].shape, self.axis, self.count(x[0].shape) as f32, dy, dx);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        match self.axis {
            None => arr0(x[0].sum() / x[0].len() as f64).into_dyn(),
            Some(axis) => x[0].sum_axis(Axis(axis)).insert_axis(Axis(axis)) / x[0].shape()[axis] as f64,
        }
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "mean",
    sample: |draw| {
        let shape = draw.any_shape();
        let axis = (!shape.is_empty() && draw.size(0, 3) > 0).then(|| draw.size(0, shape.len() - 1));
        Sample::new(Mean { axis }, [draw.array(&shape)])
    },
    misfits: || vec![(Box::new(Mean { axis: Some(2) }), vec![[2, 3].into()])],
};
