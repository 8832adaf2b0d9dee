//! Subtraction with numpy's broadcasting: y = a - b.
//!
//! The derivative is 1 by a and -1 by b: da = dy and db = -dy, summed over the axes along which an operand
//! was broadcast. Nothing is saved.

use crate::kernels::broadcast;
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> std::ops::Sub for Var<'t> {
    type Output = Var<'t>;

    /// `a - b`, broadcasting as numpy does.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let a = tape.constant(&ndarray::arr1(&[5.0, 7.0]).into_dyn());
    /// let b = tape.constant(&ndarray::arr1(&[1.0, 2.0]).into_dyn());
    /// assert_eq!((a - b).value(), ndarray::arr1(&[4.0, 5.0]).into_dyn());
    /// ```
    #[track_caller]
    fn sub(self, other: Var<'t>) -> Var<'t> {
        self.apply(Sub, &[other])
    }
}

/// y = a - b
#[derive(Clone, Copy, Debug)]
pub struct Sub;

impl Lanewise<2> for Sub {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [a, b]: [S::V; 2]) -> S::V {
        s.sub(a, b)
    }
}

impl Op for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast::output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        if x[0].shape == x[1].shape {
            vmath::map(Sub, [x[0].data, x[1].data], y, Accum::Replace);
        } else {
            broadcast::zip(x[0], x[1], y, |a, b| a - b);
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let output = broadcast::output_shape(&[x[0].shape, x[1].shape]).expect("checked by the forward");
        // y = a - b: da = dy, db = -dy
        for ((x, dx), sign) in x.iter().zip(dx).zip([1.0, -1.0]) {
            let Some(dx) = dx else { continue };
            if x.shape == output {
                vmath::map(vmath::Scaled(sign), [dy], dx.to, dx.accum);
            } else {
                broadcast::reduce(View { data: dy, shape: output }, x.shape, dx, |_, dy| sign * dy);
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        &x[0] - &x[1]
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "sub",
    sample: |draw| {
        let inputs = draw.shapes_that_broadcast().map(|shape| draw.array(&shape));
        Sample::new(Sub, inputs)
    },
    misfits: || vec![(Box::new(Sub), vec![[2, 3].into(), [4].into()])],
};
