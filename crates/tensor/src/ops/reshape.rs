//! The same numbers, row-major, in another shape: y = x and dx = dy, number by number. Nothing is saved.
//!
//! The numbers are copied, so that every value of a tape has its own memory.

use crate::kernels::vmath;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// The same numbers in another shape.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, 2.0, 3.0, 4.0]).into_dyn());
    /// assert_eq!(x.reshape([2, 2]).value(), ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shape has another number of elements.
    #[track_caller]
    #[must_use]
    pub fn reshape(self, shape: impl Into<Shape>) -> Var<'t> {
        self.apply(Reshape { shape: shape.into() }, &[])
    }
}

/// y = x in another shape
#[derive(Clone, Copy, Debug)]
pub struct Reshape {
    /// The shape of y.
    pub shape: Shape,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let elements = self.shape.elements();
        ShapeError::unless(x[0].elements() == elements, &format!("{elements} elements, for {}", self.shape))?;
        Ok(self.shape)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        y.copy_from_slice(x[0].data);
    }

    fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = x: dx = dy
        vmath::map(vmath::Scaled(1.0), [dy], dx.to, dx.accum);
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].to_shape(&self.shape[..]).expect("as many elements").into_owned()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "reshape",
    sample: |draw| {
        let [a, b, c] = [0; 3].map(|_| draw.size(1, 5));
        let shapes: [Vec<usize>; 4] = [vec![a, b, c], vec![a * b, c], vec![a * b * c], vec![c, 1, b, a]];
        let [from, to] = [0; 2].map(|_| &shapes[draw.size(0, 3)]);
        Sample::new(Reshape { shape: Shape::new(to) }, [draw.array(from)])
    },
    misfits: || vec![(Box::new(Reshape { shape: [7].into() }), vec![[2, 3].into()])],
};
