//! Tensors one behind the other along an axis: y = \[x_0, x_1, ..\].
//!
//! Each number of y is one number of one input, so every input receives its slice of dy: **joining forward
//! is slicing backward** (see `slice`). Nothing is saved.

use super::slice::with_size;
use super::sum::around;
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// This and the `others` one behind the other along an axis. Their other axes are equal.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let a = tape.constant(&ndarray::arr1(&[1.0, 2.0]).into_dyn());
    /// let b = tape.constant(&ndarray::arr1(&[3.0]).into_dyn());
    /// assert_eq!(a.concat(0, &[b, a]).value(), ndarray::arr1(&[1.0, 2.0, 3.0, 1.0, 2.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or the shapes differ along another.
    #[track_caller]
    #[must_use]
    pub fn concat(self, axis: usize, others: &[Var<'t>]) -> Var<'t> {
        self.apply(Concat { axis }, others)
    }
}

/// y = the inputs one behind the other
#[derive(Clone, Copy, Debug)]
pub struct Concat {
    /// Along which axis.
    pub axis: usize,
}

impl Concat {
    /// For each input, where its part begins in one block of y, and how long it is, in floats.
    fn parts(&self, shapes: impl Iterator<Item = Shape>) -> Vec<(usize, usize)> {
        let mut start = 0;
        shapes
            .map(|shape| {
                let (_, size, inner) = around(shape, Some(self.axis));
                start += size * inner;
                (start - size * inner, size * inner)
            })
            .collect()
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let axis = self.axis;
        let fits =
            |shape: &Shape| axis < shape.len() && with_size(*shape, axis, 0) == with_size(x[0], axis, 0);
        let expected = format!("tensors that have an axis {axis}, and are equal along all others");
        ShapeError::unless(axis < x[0].len() && x.iter().all(fits), &expected)?;
        Ok(with_size(x[0], axis, x.iter().map(|shape| shape[axis]).sum()))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let parts = self.parts(x.iter().map(|x| x.shape));
        let block: usize = parts.iter().map(|(_, len)| len).sum();
        for (x, (start, len)) in x.iter().zip(parts) {
            for i in 0..around(x.shape, Some(self.axis)).0 {
                y[i * block + start..][..len].copy_from_slice(&x.data[i * len..][..len]);
            }
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let parts = self.parts(x.iter().map(|x| x.shape));
        let block: usize = parts.iter().map(|(_, len)| len).sum();
        // y = [x_0, x_1, ..]: dx_k = its slice of dy
        for ((x, dx), (start, len)) in x.iter().zip(dx).zip(parts) {
            let Some(dx) = dx else { continue };
            for i in 0..around(x.shape, Some(self.axis)).0 {
                let (to, from) = (&mut dx.to[i * len..][..len], &dy[i * block + start..][..len]);
                match dx.accum {
                    Accum::Replace => to.copy_from_slice(from),
                    Accum::Add => to.iter_mut().zip(from).for_each(|(to, dy)| *to += dy),
                }
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let views: Vec<_> = x.iter().map(|x| x.view()).collect();
        ndarray::concatenate(Axis(self.axis), &views).expect("shapes that fit")
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "concat",
    sample: |draw| {
        let rank = draw.size(1, 3);
        let mut shape = draw.shape(rank, 4);
        let axis = draw.size(0, rank - 1);
        let count = draw.size(1, 4);
        let inputs: Vec<_> = (0..count)
            .map(|_| {
                shape[axis] = draw.size(1, 4);
                draw.array(&shape)
            })
            .collect();
        Sample::new(Concat { axis }, inputs)
    },
    misfits: || {
        vec![
            (Box::new(Concat { axis: 0 }), vec![[2, 3].into(), [2, 4].into()]),
            (Box::new(Concat { axis: 1 }), vec![[2, 3].into(), [2].into()]),
            (Box::new(Concat { axis: 2 }), vec![[2, 3].into(), [2, 3].into()]),
        ]
    },
};
