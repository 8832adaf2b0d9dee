//! Layer normalisation over the last axis (Ba, Kiros & Hinton 2016, <https://arxiv.org/abs/1607.06450>).
//!
//! For each row x of C numbers, with its mean $\mu$ and variance $\sigma^2$ (divided by C, not C - 1):
//!
//! $$ \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = w \odot \hat x + b $$
//!
//! Backward. From the second equation, summed over the rows, db = dy and dw = dy xhat; and g = dxhat = dy w.
//! Let r = 1 / sqrt(variance + eps). Moving one $x_j$ moves every $\hat x_i$: by itself if i = j, by the
//! mean, and by r:
//!
//! $$ \frac{\partial \hat x_i}{\partial x_j}
//!    = r \left( \delta_{ij} - \frac1C - \frac{\hat x_i \hat x_j}{C} \right)
//!    \quad\Rightarrow\quad dx = r \left( g - \overline{g} - \hat x\, \overline{g \hat x} \right) $$
//!
//! with bars for means over the row. In words: what would only shift or scale the row is removed from g,
//! because the output does not depend on the row's mean and scale.
//!
//! Saved: mean and rstd = r, two floats a row; xhat is computed again from x, which is on the tape. The
//! numerical care (a corrected two-pass variance) is described in `kernels/layer_norm.rs`.
//! About 8 operations an element forward and 15 backward; reading and writing memory costs more.

use crate::kernels::layer_norm::{layer_norm_backward, layer_norm_forward, layer_norm_scratch};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// Each row of the last axis (C) with mean 0 and variance 1, times `weight` (C), plus `bias` (C).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr1;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&arr1(&[9.0, 11.0]).into_dyn());
    /// let weight = tape.constant(&arr1(&[1.0, 2.0]).into_dyn());
    /// let bias = tape.constant(&arr1(&[0.5, 0.5]).into_dyn());
    /// assert_eq!(x.layer_norm(weight, Some(bias), 0.0).value(), arr1(&[-0.5, 2.5]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn layer_norm(self, weight: Var<'t>, bias: Option<Var<'t>>, eps: f32) -> Var<'t> {
        match bias {
            Some(bias) => self.apply(LayerNorm { eps }, &[weight, bias]),
            None => self.apply(LayerNorm { eps }, &[weight]),
        }
    }
}

/// y = (x - mean) / sqrt(variance + eps) * weight + bias; inputs x, weight and perhaps bias
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// Added to the variance, so that a constant row is not divided by zero.
    pub eps: f32,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let width = x[0].last().copied().unwrap_or(0);
        let fits = width > 0 && x.len() <= 3 && x[1..].iter().all(|p| p[..] == [width]);
        ShapeError::unless(fits, "[.., C] with C > 0, a weight [C] and perhaps a bias [C]")?;
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let rows = x[0].shape.rows_and_width().0;
        let [mean, rstd] = saved.keep([rows, rows]);
        layer_norm_forward(x[0].data, x[1].data, x.get(2).map(|b| b.data), self.eps, y, mean, rstd);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (rows, width) = x[0].shape.rows_and_width();
        let mut scratch = saved.scratch(layer_norm_scratch(rows, width));
        let stats = (saved.get(0), saved.get(1));
        let (dx, parameters) = dx.split_at_mut(1);
        let (dweight, dbias) = parameters.split_at_mut(1);
        let dbias = dbias.first_mut().and_then(Option::as_mut);
        let (dx, dweight) = (dx[0].as_mut(), dweight[0].as_mut());
        layer_norm_backward(x[0].data, x[1].data, stats, dy, dx, dweight, dbias, &mut scratch);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let last = Axis(x[0].ndim() - 1);
        let mean = |a: &ArrayD<f64>| a.mean_axis(last).expect("C > 0").insert_axis(last);
        let centred = &x[0] - &mean(&x[0]);
        let variance = mean(&(&centred * &centred));
        let y = centred / (variance + f64::from(self.eps)).mapv(f64::sqrt) * &x[1];
        x.get(2).map_or(y.clone(), |bias| y + bias)
    }
}

use crate::case::{Case, Sample};
use crate::draw::Draw;

/// A random matrix of rows: a shape of one to three axes whose last has up to 40 elements.
pub(super) fn sample_rows(draw: &mut Draw) -> Vec<usize> {
    let rank = draw.size(0, 2);
    let mut shape = draw.shape(rank, 4);
    let most = draw.choose(&[3, 20, 40]);
    shape.push(draw.size(1, most));
    shape
}

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "layer_norm",
    sample: |draw| {
        let shape = sample_rows(draw);
        let width = shape[shape.len() - 1];
        let eps = draw.choose(&[1e-2, 0.1, 1.0]);
        let mut inputs = vec![draw.array(&shape), draw.array(&[width])];
        if draw.size(0, 1) == 0 {
            inputs.push(draw.array(&[width]));
        }
        Sample::new(LayerNorm { eps }, inputs)
    },
    misfits: || {
        vec![
            (Box::new(LayerNorm { eps: 1e-5 }), vec![[2, 3].into(), [2].into()]),
            (Box::new(LayerNorm { eps: 1e-5 }), vec![[2, 3].into(), [3].into(), [1].into()]),
            (Box::new(LayerNorm { eps: 1e-5 }), vec![[2, 0].into(), [0].into()]),
        ]
    },
};
