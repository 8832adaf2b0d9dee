//! The mean along one axis, or of everything.
//!
//! $$ y = \frac1n \sum_{j=1}^n x_j \quad\Rightarrow\quad dx_j = \frac{dy}{n} $$
//!
//! Sums are accumulated in f64. The mean of no elements is NaN. Nothing is saved.

use super::sum::{around, reduced};
use super::{Case, Sample};
use crate::op::{Grad, Op, Saved, View};
use crate::{Shape, ShapeError, Var};
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

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        reduced(x[0], self.axis)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let (_, size, inner) = around(x[0].shape, self.axis);
        for (i, y) in y.iter_mut().enumerate() {
            let (before, after) = (i / inner, i % inner);
            let terms = (0..size).map(|j| f64::from(x[0].data[(before * size + j) * inner + after]));
            *y = (terms.sum::<f64>() / size as f64) as f32;
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let (_, size, inner) = around(x[0].shape, self.axis);
        // y[before, after] = mean over j of x[before, j, after]: dx[before, j, after] = dy[before, after] / n
        dx.write(|i| dy[i / (size * inner) * inner + i % inner] / size as f32);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        match self.axis {
            None => arr0(x[0].sum() / x[0].len() as f64).into_dyn(),
            Some(axis) => x[0].sum_axis(Axis(axis)).insert_axis(Axis(axis)) / x[0].shape()[axis] as f64,
        }
    }
}

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
