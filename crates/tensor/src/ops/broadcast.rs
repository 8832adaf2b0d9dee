//! Repetition along axes of size 1 and along new ones, as numpy does it: y\[i, j\] = x\[1, j\], say.
//!
//! An element is used as many times as it is repeated, and receives the sum of what its copies receive:
//! **broadcasting forward is summing backward**. Nothing is saved.

use crate::kernels::broadcast;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, IxDyn};

impl<'t> Var<'t> {
    /// This tensor, repeated to a larger shape: sizes are aligned on the right, and axes of size 1 and
    /// missing axes are repeated.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, 2.0]).into_dyn());
    /// assert_eq!(x.broadcast_to([2, 2]).value(), ndarray::arr2(&[[1.0, 2.0], [1.0, 2.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If this tensor cannot be repeated to that shape.
    #[track_caller]
    #[must_use]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Var<'t> {
        self.apply(Broadcast { shape: shape.into() }, &[])
    }
}

/// y = x, repeated
#[derive(Clone, Copy, Debug)]
pub struct Broadcast {
    /// The shape of y.
    pub shape: Shape,
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let fits = x[0].broadcast(&self.shape) == Some(self.shape);
        ShapeError::unless(fits, &format!("a tensor that can be repeated to {}", self.shape))?;
        Ok(self.shape)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let x = x[0].array();
        let x = x.broadcast(IxDyn(&self.shape)).expect("checked by output_shape");
        y.iter_mut().zip(&x).for_each(|(y, x)| *y = *x);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = x, repeated: dx = the sum of dy over the copies
        broadcast::reduce(View { data: dy, shape: self.shape }, x[0].shape, dx, |_, dy| dy);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].broadcast(IxDyn(&self.shape)).expect("checked by output_shape").to_owned()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "broadcast",
    sample: |draw| {
        let [a, b] = draw.shapes_that_broadcast().map(|shape| Shape::new(&shape));
        let x = draw.array(&a);
        Sample::new(Broadcast { shape: a.broadcast(&b).expect("a pair that broadcasts") }, [x])
    },
    misfits: || {
        vec![
            (Box::new(Broadcast { shape: [2, 3].into() }), vec![[2].into()]),
            (Box::new(Broadcast { shape: [1].into() }), vec![[2].into()]),
        ]
    },
};
