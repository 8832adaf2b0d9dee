//! The linear layer: y = x W^T + b, for x of any number of rows and W stored (out, in) as PyTorch does.
//!
//! With x (M, K), W (N, K), b (N), y (M, N) and $y_{mn} = \sum_k x_{mk} W_{nk} + b_n$:
//!
//! $$ dx = dy\, W, \qquad dW = dy^\top x, \qquad db_n = \sum_m dy_{mn} $$
//!
//! Each is a matrix product again, so a training step costs three products a layer: 2MNK operations
//! forward, 4MNK backward. Transposes are strides of [`Mat`], nothing is copied. Nothing is saved.

use crate::kernels::columns;
use crate::kernels::gemm::{Init, Mat, gemm};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Ix1, Ix2};

impl<'t> Var<'t> {
    /// x W^T + b over the last axis: (.., K) to (.., N), with a weight (N, K) and a bias (N).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::{arr1, arr2};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&arr2(&[[1.0, 2.0]]).into_dyn());
    /// let weight = tape.constant(&arr2(&[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).into_dyn());
    /// let bias = tape.constant(&arr1(&[10.0, 20.0, 30.0]).into_dyn());
    /// assert_eq!(x.linear(weight, Some(bias)).value(), arr2(&[[11.0, 22.0, 33.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear(self, weight: Var<'t>, bias: Option<Var<'t>>) -> Var<'t> {
        match bias {
            Some(bias) => self.apply(Linear, &[weight, bias]),
            None => self.apply(Linear, &[weight]),
        }
    }
}

/// y = x W^T, or x W^T + b with a third input
#[derive(Clone, Copy, Debug)]
pub struct Linear;

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let fits = x.len() >= 2
            && !x[0].is_empty()
            && x[1].len() == 2
            && x[0].last() == x[1].last()
            && x.get(2).is_none_or(|bias| bias[..] == x[1][..1]);
        ShapeError::unless(fits, "x [.., K], a weight [N, K] and perhaps a bias [N]")?;
        Ok(x[0].with_last(x[1][0]))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let init = x.get(2).map_or(Init::Zero, |bias| Init::Bias(bias.data));
        gemm(y, matrix(x[0]), matrix(x[1]).t(), init);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (input, weight) = (matrix(x[0]), matrix(x[1]));
        let dy_mat = Mat::new(dy, input.rows(), weight.rows());
        // y = x W^T + b: dx = dy W
        if let Some(dx) = &mut dx[0] {
            gemm(dx.to, dy_mat, weight, dx.accum.into());
        }
        // y = x W^T + b: dW = dy^T x
        if let Some(dw) = &mut dx[1] {
            gemm(dw.to, dy_mat.t(), input, dw.accum.into());
        }
        // y = x W^T + b: db = the sum of the rows of dy
        if let Some(Some(db)) = dx.get_mut(2) {
            columns::sum_rows(dy, db);
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let shape =
            self.output_shape(&x.iter().map(|x| x.shape().into()).collect::<Vec<_>>()).expect("checked");
        let (rows, width) = Shape::from(x[0].shape()).rows_and_width();
        let input = x[0].to_shape((rows, width)).expect("same elements").into_owned();
        let weight = x[1].view().into_dimensionality::<Ix2>().expect("a matrix");
        let mut y = input.dot(&weight.t());
        if let Some(bias) = x.get(2) {
            y += &bias.view().into_dimensionality::<Ix1>().expect("a vector");
        }
        y.to_shape(&shape[..]).expect("same elements").into_owned()
    }
}

/// A tensor as the matrix of its last axis.
fn matrix(x: View<'_>) -> Mat<'_> {
    let (rows, width) = x.shape.rows_and_width();
    Mat::new(x.data, rows, width)
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "linear",
    sample: |draw| {
        let rank = draw.size(1, 3);
        let (k, n) = (draw.size(1, 20), draw.size(1, 40));
        let mut shape = draw.shape(rank, 6);
        shape[rank - 1] = k;
        let mut inputs = vec![draw.array(&shape), draw.array(&[n, k])];
        if draw.size(0, 1) == 1 {
            inputs.push(draw.array(&[n]));
        }
        Sample::new(Linear, inputs)
    },
    misfits: || {
        vec![
            (Box::new(Linear), vec![[2, 3].into(), [4, 5].into()]),
            (Box::new(Linear), vec![[2, 3].into(), [4, 3].into(), [3].into()]),
        ]
    },
};
