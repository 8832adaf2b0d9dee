//! One element of each row: y_i = x\[i, index_i\], over the last axis. A cross-entropy by hand takes the
//! probability of each target this way. (For whole rows of a table, see `embedding`.)
//!
//! The element that was taken receives dy, and the others of the row nothing. Nothing is saved.

use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// From each row of the last axis the element at its index: (.., V) and one index a row give (..).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// assert_eq!(x.gather(&[1, 0]).value(), ndarray::arr1(&[2.0, 3.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If there is not one index a row, or one of them is not below V.
    #[track_caller]
    #[must_use]
    pub fn gather(self, indices: &[u32]) -> Var<'t> {
        self.apply(Gather { indices: indices.into() }, &[])
    }
}

/// y\[i\] = x\[i, indices\[i\]\]
#[derive(Clone, Debug)]
pub struct Gather {
    /// Which element of each row.
    pub indices: Box<[u32]>,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let (rows, width) = x[0].rows_and_width();
        let count = self.indices.len();
        ShapeError::unless(!x[0].is_empty() && rows == count, &format!("[.., V] with {count} rows"))?;
        match self.indices.iter().position(|&index| index as usize >= width) {
            Some(i) => {
                Err(ShapeError::new(format!("[.., V] with V > {}, the index of row {i}", self.indices[i])))
            }
            None => Ok(Shape::new(&x[0][..x[0].len() - 1])),
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let width = x[0].shape.rows_and_width().1;
        for (i, (y, &index)) in y.iter_mut().zip(&self.indices).enumerate() {
            *y = x[0].data[i * width + index as usize];
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let width = x[0].shape.rows_and_width().1;
        if dx.accum == Accum::Replace {
            dx.to.fill(0.0);
        }
        // y[i] = x[i, index]: dx[i, index] = dy[i], and 0 elsewhere
        for (i, (dy, &index)) in dy.iter().zip(&self.indices).enumerate() {
            dx.to[i * width + index as usize] += dy;
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let rows = x[0].rows();
        let y = rows.into_iter().zip(&self.indices).map(|(row, &index)| row[index as usize]).collect();
        ArrayD::from_shape_vec(&x[0].shape()[..x[0].ndim() - 1], y).expect("one element a row")
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "gather",
    sample: |draw| {
        let rank = draw.size(1, 3);
        let shape = draw.shape(rank, 6);
        let rows: usize = shape[..rank - 1].iter().product();
        let indices = (0..rows).map(|_| draw.size(0, shape[rank - 1] - 1) as u32).collect();
        Sample::new(Gather { indices }, [draw.array(&shape)])
    },
    misfits: || {
        vec![
            (Box::new(Gather { indices: [0].into() }), vec![[2, 3].into()]),
            (Box::new(Gather { indices: [0, 3].into() }), vec![[2, 3].into()]),
            (Box::new(Gather { indices: [0].into() }), vec![Shape::scalar()]),
        ]
    },
};
