//! A permutation of the axes: y\[i_p0, i_p1, ..\] = x\[i_0, i_1, ..\], where axis k of y is axis p_k of x.
//!
//! Every number of x is one number of y, so dx is dy with the axes permuted back. Nothing is saved.

use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

impl<'t> Var<'t> {
    /// The same tensor with its axes in another order: axis k of the result is axis `axes[k]` of this.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr2;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// assert_eq!(x.transpose(&[1, 0]).value(), arr2(&[[1.0, 3.0], [2.0, 4.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If `axes` is not a permutation of the axes.
    #[track_caller]
    #[must_use]
    pub fn transpose(self, axes: &[usize]) -> Var<'t> {
        self.apply(Transpose { axes: axes.into() }, &[])
    }
}

/// y = x with its axes in another order
#[derive(Clone, Debug)]
pub struct Transpose {
    /// Axis k of y is axis `axes[k]` of x.
    pub axes: Box<[usize]>,
}

impl Op for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let rank = x[0].len();
        let fits = self.axes.len() == rank && (0..rank).all(|axis| self.axes.contains(&axis));
        ShapeError::unless(fits, &format!("a tensor whose axes can be ordered as {:?}", self.axes))?;
        Ok(Shape::new(&self.axes.iter().map(|&axis| x[0][axis]).collect::<Vec<_>>()))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let x = x[0].array().permuted_axes(IxDyn(&self.axes));
        y.iter_mut().zip(&x).for_each(|(y, x)| *y = *x);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let output = self.output_shape(&[x[0].shape]).expect("checked by the forward");
        let dy = ArrayViewD::from_shape(IxDyn(&output), dy).expect("the shape of y");
        let to = ArrayViewMutD::from_shape(IxDyn(&x[0].shape), &mut *dx.to).expect("the shape of x");
        // y = permuted x: permuted dx = dy
        let mut to = to.permuted_axes(IxDyn(&self.axes));
        match dx.accum {
            Accum::Replace => to.assign(&dy),
            Accum::Add => to += &dy,
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].view().permuted_axes(IxDyn(&self.axes)).as_standard_layout().into_owned()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "transpose",
    sample: |draw| {
        let rank = draw.size(1, 4);
        let mut axes: Vec<usize> = (0..rank).collect();
        for i in 1..rank {
            axes.swap(i, draw.size(0, i));
        }
        let shape = draw.shape(rank, 4);
        Sample::new(Transpose { axes: axes.into() }, [draw.array(&shape)])
    },
    misfits: || {
        vec![
            (Box::new(Transpose { axes: [0, 0].into() }), vec![[2, 3].into()]),
            (Box::new(Transpose { axes: [1, 0].into() }), vec![[2, 3, 4].into()]),
        ]
    },
};
