//! The sum along one axis, or of everything.
//!
//! $$ y = \sum_j x_j \quad\Rightarrow\quad \frac{\partial y}{\partial x_j} = 1, \qquad dx_j = dy $$
//!
//! Every element of x receives the dy of the sum that it went into: **summing forward is broadcasting
//! backward** (see `add` for the other direction). Sums are accumulated in f64.

use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// The sum of all elements, a scalar.
    #[must_use]
    pub fn sum(self) -> Var<'t> {
        self.apply(Sum { axis: None }, &[])
    }

    /// The sum along one axis, which stays with size 1.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn sum_axis(self, axis: usize) -> Var<'t> {
        self.apply(Sum { axis: Some(axis) }, &[])
    }
}

/// y = sum of x, along one axis or all
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// The axis to sum along; `None` for all.
    pub axis: Option<usize>,
}

/// A tensor around one of its axes: (product of the axes before, the axis, product of the axes after).
pub(super) fn around(shape: Shape, axis: Option<usize>) -> (usize, usize, usize) {
    match axis {
        None => (1, shape.elements(), 1),
        Some(a) => (shape[..a].iter().product(), shape[a], shape[a + 1..].iter().product()),
    }
}

/// The shape with one axis reduced to size 1, or a scalar.
pub(super) fn reduced(shape: Shape, axis: Option<usize>) -> Result<Shape, ShapeError> {
    let Some(axis) = axis else { return Ok(Shape::scalar()) };
    ShapeError::unless(axis < shape.len(), &format!("a tensor with an axis {axis}"))?;
    let mut sizes = shape.to_vec();
    sizes[axis] = 1;
    Ok(Shape::new(&sizes))
}

/// y\[before, after\] = sum over j of x\[before, j, after\] / divisor: a sum, or a mean.
pub(super) fn divided_sums(x: View<'_>, axis: Option<usize>, divisor: f64, y: &mut [f32]) {
    let (_, size, inner) = around(x.shape, axis);
    for (i, y) in y.iter_mut().enumerate() {
        let (before, after) = (i / inner, i % inner);
        let terms = (0..size).map(|j| f64::from(x.data[(before * size + j) * inner + after]));
        *y = (terms.sum::<f64>() / divisor) as f32;
    }
}

/// The gradient of [`divided_sums`].
pub(super) fn divided_sums_backward(
    shape: Shape,
    axis: Option<usize>,
    divisor: f32,
    dy: &[f32],
    dx: &mut Grad<'_>,
) {
    let (_, size, inner) = around(shape, axis);
    // y[before, after] = sum over j of x[before, j, after] / n: dx[before, j, after] = dy[before, after] / n
    dx.write(|i| dy[i / (size * inner) * inner + i % inner] / divisor);
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        reduced(x[0], self.axis)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        divided_sums(x[0], self.axis, 1.0, y);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        divided_sums_backward(x[0].shape, self.axis, 1.0, dy, dx);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        match self.axis {
            None => ndarray::arr0(x[0].sum()).into_dyn(),
            Some(axis) => x[0].sum_axis(Axis(axis)).insert_axis(Axis(axis)),
        }
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "sum",
    sample: |draw| {
        let shape = draw.any_shape();
        let axis = (!shape.is_empty() && draw.size(0, 3) > 0).then(|| draw.size(0, shape.len() - 1));
        Sample::new(Sum { axis }, [draw.array(&shape)])
    },
    misfits: || vec![(Box::new(Sum { axis: Some(2) }), vec![[2, 3].into()])],
};
