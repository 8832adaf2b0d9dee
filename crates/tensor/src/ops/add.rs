//! Addition with numpy's broadcasting: y = a + b.
//!
//! The derivative by each operand is 1, so each receives dy as it is. Where an operand was broadcast, one
//! of its elements was used many times, and its gradient is the sum over all of them: **broadcasting
//! forward is summing backward** (and the other way round: see `sum`).
//!
//! Nothing is saved. One read of each operand and one write forward; the same backward.

use crate::kernels::{broadcast, vmath};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> std::ops::Add for Var<'t> {
    type Output = Var<'t>;

    /// `a + b`, broadcasting as numpy does.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let a = tape.constant(&ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// let b = tape.constant(&ndarray::arr1(&[10.0, 20.0]).into_dyn());
    /// assert_eq!((a + b).value(), ndarray::arr2(&[[11.0, 22.0], [13.0, 24.0]]).into_dyn());
    /// ```
    #[track_caller]
    fn add(self, other: Var<'t>) -> Var<'t> {
        self.apply(Add, &[other])
    }
}

/// y = a + b
#[derive(Clone, Copy, Debug)]
pub struct Add;

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast::output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        if x[0].shape == x[1].shape {
            vmath::map(vmath::Sum, [x[0].data, x[1].data], y, Accum::Replace);
        } else {
            broadcast::zip(x[0], x[1], y, |a, b| a + b);
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let output = broadcast::output_shape(&[x[0].shape, x[1].shape]).expect("checked by the forward");
        for (x, dx) in x.iter().zip(dx) {
            let Some(dx) = dx else { continue };
            // y = a + b: da = dy, db = dy
            if x.shape == output {
                vmath::map(vmath::Scaled(1.0), [dy], dx.to, dx.accum);
            } else {
                broadcast::reduce(View { data: dy, shape: output }, x.shape, dx, |_, dy| dy);
            }
        }
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        &x[0] + &x[1]
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "add",
    sample: |draw| {
        let inputs = draw.shapes_that_broadcast().map(|shape| draw.array(&shape));
        Sample::new(Add, inputs)
    },
    misfits: || vec![(Box::new(Add), vec![[2, 3].into(), [4].into()])],
};
