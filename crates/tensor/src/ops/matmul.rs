//! The matrix product: y = a b, for every pair of matrices in two batches, or for a batch and one matrix.
//!
//! $$ y_{mn} = \sum_k a_{mk} b_{kn} \quad\Rightarrow\quad
//!    da = dy\, b^\top, \qquad db = a^\top dy $$
//!
//! To see it: of all outputs, a_{mk} is in the y_{mn} of its row, with the factor b_{kn}; so da_{mk} is
//! sum_n dy_{mn} b_{kn}, an element of the product of dy and b transposed. A plain matrix on the right is
//! used by the whole batch, which is then one tall matrix; its gradient sums over the batch by itself.
//!
//! Nothing is saved. 2 M K N operations forward and twice that backward.

use crate::kernels::gemm::{Mat, gemm};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis, Ix2};

impl<'t> Var<'t> {
    /// The matrix product with `other`: (.., M, K) times (.., K, N), with equal leading axes, or times a
    /// plain matrix (K, N), gives (.., M, N).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr2;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let a = tape.constant(&arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// let b = tape.constant(&arr2(&[[0.0, 1.0], [1.0, 0.0]]).into_dyn());
    /// assert_eq!(a.matmul(b).value(), arr2(&[[2.0, 1.0], [4.0, 3.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn matmul(self, other: Var<'t>) -> Var<'t> {
        self.apply(Matmul, &[other])
    }
}

/// y = a b, matrix by matrix
#[derive(Clone, Copy, Debug)]
pub struct Matmul;

/// A batch of products as sizes: `count` times (M, K) (K, N).
#[derive(Clone, Copy)]
struct Sizes {
    count: usize,
    m: usize,
    k: usize,
    n: usize,
}

impl Sizes {
    fn new(a: &[usize], b: &[usize]) -> Self {
        let (k, n) = (b[b.len() - 2], b[b.len() - 1]);
        let rows: usize = a[..a.len() - 1].iter().product();
        // A plain matrix on the right: the batch is one matrix of all its rows.
        let count = if b.len() == 2 { 1 } else { b[..b.len() - 2].iter().product() };
        Self { count, m: rows / count.max(1), k, n }
    }

    fn a<'a>(&self, all: &'a [f32], i: usize) -> Mat<'a> {
        Mat::new(&all[i * self.m * self.k..][..self.m * self.k], self.m, self.k)
    }

    fn b<'a>(&self, all: &'a [f32], i: usize) -> Mat<'a> {
        Mat::new(&all[i * self.k * self.n..][..self.k * self.n], self.k, self.n)
    }

    fn y<'a>(&self, all: &'a [f32], i: usize) -> Mat<'a> {
        Mat::new(&all[i * self.m * self.n..][..self.m * self.n], self.m, self.n)
    }
}

/// The i-th of the matrices with `len` elements.
fn part(all: &mut [f32], i: usize, len: usize) -> &mut [f32] {
    &mut all[i * len..][..len]
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let (a, b) = (x[0], x[1]);
        let fits = a.len() >= 2
            && b.len() >= 2
            && a[a.len() - 1] == b[b.len() - 2]
            && (b.len() == 2 || a[..a.len() - 2] == b[..b.len() - 2]);
        ShapeError::unless(fits, "[.., M, K] and [.., K, N], or [.., M, K] and [K, N]")?;
        Ok(a.with_last(b[b.len() - 1]))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let sizes = Sizes::new(&x[0].shape, &x[1].shape);
        for i in 0..sizes.count {
            let y = part(y, i, sizes.m * sizes.n);
            gemm(y, sizes.a(x[0].data, i), sizes.b(x[1].data, i), Accum::Replace.into());
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let sizes = Sizes::new(&x[0].shape, &x[1].shape);
        for i in 0..sizes.count {
            let (a, b, dy) = (sizes.a(x[0].data, i), sizes.b(x[1].data, i), sizes.y(dy, i));
            // y = a b: da = dy b^T
            if let Some(da) = &mut dx[0] {
                gemm(part(da.to, i, sizes.m * sizes.k), dy, b.t(), da.accum.into());
            }
            // y = a b: db = a^T dy
            if let Some(db) = &mut dx[1] {
                gemm(part(db.to, i, sizes.k * sizes.n), a.t(), dy, db.accum.into());
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let Sizes { count, m, k, n } = Sizes::new(x[0].shape(), x[1].shape());
        let a = x[0].to_shape((count, m, k)).expect("same elements");
        let b = x[1].to_shape((count, k, n)).expect("same elements");
        let mut y = ArrayD::zeros(vec![count, m, n]);
        for i in 0..count {
            let product = a.index_axis(Axis(0), i).dot(&b.index_axis(Axis(0), i));
            y.index_axis_mut(Axis(0), i).into_dimensionality::<Ix2>().expect("a matrix").assign(&product);
        }
        let shape = [&x[0].shape()[..x[0].ndim() - 1], &[n]].concat();
        y.into_shape_with_order(shape).expect("same elements")
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "matmul",
    sample: |draw| {
        let rank = draw.size(0, 2);
        let batch = draw.shape(rank, 3);
        let [m, k, n] = [0; 3].map(|_| draw.size(1, 9));
        let of_b = if draw.size(0, 1) == 0 { &batch[..] } else { &[] };
        let shapes = [[&batch[..], &[m, k]].concat(), [of_b, &[k, n]].concat()];
        Sample::new(Matmul, shapes.map(|shape| draw.array(&shape)))
    },
    misfits: || {
        vec![
            (Box::new(Matmul), vec![[2, 3].into(), [2, 3].into()]),
            (Box::new(Matmul), vec![[4, 2, 3].into(), [5, 3, 2].into()]),
            (Box::new(Matmul), vec![[3].into(), [3, 2].into()]),
        ]
    },
};
