//! A range of one axis: y = x\[.., start..end, ..\].
//!
//! The numbers outside were not used, so their gradient is zero: **slicing forward is padding with zeros
//! backward**. Nothing is saved.

use super::sum::around;
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis, Slice as Range};

impl<'t> Var<'t> {
    /// The elements `start..end` along one axis.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, 2.0, 3.0, 4.0]).into_dyn());
    /// assert_eq!(x.slice(0, 1, 3).value(), ndarray::arr1(&[2.0, 3.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or the range does not lie in it.
    #[track_caller]
    #[must_use]
    pub fn slice(self, axis: usize, start: usize, end: usize) -> Var<'t> {
        self.apply(Slice { axis, start, end }, &[])
    }
}

/// y = x\[.., start..end, ..\]
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Along which axis.
    pub axis: usize,
    /// The first element.
    pub start: usize,
    /// The element behind the last.
    pub end: usize,
}

/// The shape with another size along one axis.
pub(super) fn with_size(shape: Shape, axis: usize, size: usize) -> Shape {
    let mut sizes = shape.to_vec();
    sizes[axis] = size;
    Shape::new(&sizes)
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let Self { axis, start, end } = *self;
        let fits = axis < x[0].len() && start <= end && end <= x[0][axis];
        ShapeError::unless(fits, &format!("a tensor whose axis {axis} has the range {start}..{end}"))?;
        Ok(with_size(x[0], axis, end - start))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let (before, size, inner) = around(x[0].shape, Some(self.axis));
        let (block, part) = (size * inner, (self.end - self.start) * inner);
        for i in 0..before {
            let from = &x[0].data[i * block + self.start * inner..][..part];
            y[i * part..][..part].copy_from_slice(from);
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let (before, size, inner) = around(x[0].shape, Some(self.axis));
        let (block, part) = (size * inner, (self.end - self.start) * inner);
        if dx.accum == Accum::Replace {
            dx.to.fill(0.0);
        }
        // y = x[start..end]: dx[start..end] = dy, and 0 elsewhere
        for i in 0..before {
            let to = &mut dx.to[i * block + self.start * inner..][..part];
            to.iter_mut().zip(&dy[i * part..]).for_each(|(to, dy)| *to += dy);
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].slice_axis(Axis(self.axis), Range::from(self.start..self.end)).to_owned()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "slice",
    sample: |draw| {
        let rank = draw.size(1, 3);
        let shape = draw.shape(rank, 6);
        let axis = draw.size(0, rank - 1);
        let start = draw.size(0, shape[axis] - 1);
        let end = draw.size(start + 1, shape[axis]);
        Sample::new(Slice { axis, start, end }, [draw.array(&shape)])
    },
    misfits: || {
        vec![
            (Box::new(Slice { axis: 2, start: 0, end: 1 }), vec![[2, 3].into()]),
            (Box::new(Slice { axis: 1, start: 2, end: 4 }), vec![[2, 3].into()]),
            (Box::new(Slice { axis: 1, start: 2, end: 1 }), vec![[2, 3].into()]),
        ]
    },
};
