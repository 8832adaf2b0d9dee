//! Element-wise product with numpy's broadcasting: y = a * b.
//!
//! $$ \frac{\partial y}{\partial a} = b \quad\Rightarrow\quad da = b \cdot dy, \qquad db = a \cdot dy $$
//!
//! summed over the axes along which an operand was broadcast. The inputs are still on the tape, so
//! nothing is saved.

use crate::kernels::{broadcast, vmath};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> std::ops::Mul for Var<'t> {
    type Output = Var<'t>;

    /// `a * b`, element by element, broadcasting as numpy does.
    #[track_caller]
    fn mul(self, other: Var<'t>) -> Var<'t> {
        self.apply(Mul, &[other])
    }
}

/// y = a * b
#[derive(Clone, Copy, Debug)]
pub struct Mul;

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast::output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        if x[0].shape == x[1].shape {
            vmath::map(vmath::Product, [x[0].data, x[1].data], y, Accum::Replace);
        } else {
            broadcast::zip(x[0], x[1], y, |a, b| a * b);
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let output = broadcast::output_shape(&[x[0].shape, x[1].shape]).expect("checked by the forward");
        for (i, dx) in dx.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            let (this, other) = (x[i], x[1 - i]);
            // y = a * b: da = b * dy
            if this.shape == other.shape {
                vmath::map(vmath::Product, [other.data, dy], dx.to, dx.accum);
            } else {
                let strides = broadcast::strides(other.shape, output);
                let other = |index: &[usize]| other.data[broadcast::offset(index, &strides)];
                broadcast::reduce(View { data: dy, shape: output }, this.shape, dx, |index, dy| {
                    other(index) * dy
                });
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        &x[0] * &x[1]
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "mul",
    sample: |draw| {
        let inputs = draw.shapes_that_broadcast().map(|shape| draw.array(&shape));
        Sample::new(Mul, inputs)
    },
    misfits: || vec![(Box::new(Mul), vec![[2, 3].into(), [4].into()])],
};
