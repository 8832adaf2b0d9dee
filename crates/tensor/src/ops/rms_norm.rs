//! Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019,
//! <https://arxiv.org/abs/1910.07467>): layer normalisation without the mean and without a bias.
//!
//! $$ \hat x = \frac{x}{\sqrt{\frac1C \sum_j x_j^2 + \epsilon}}, \qquad y = w \odot \hat x $$
//!
//! Backward. dw = dy xhat, summed over the rows, and g = dxhat = dy w. With r = 1 / sqrt(mean(x^2) + eps),
//! dr/dx_j = -r^3 x_j / C = -r^2 xhat_j / C, so
//!
//! $$ \frac{\partial \hat x_i}{\partial x_j} = r \left( \delta_{ij} - \frac{\hat x_i \hat x_j}{C} \right)
//!    \quad\Rightarrow\quad dx = r \left( g - \hat x\, \overline{g \hat x} \right) $$
//!
//! with the bar for a mean over the row: what would only scale the row is removed from g.
//!
//! Saved: rstd = r, one float a row. About 4 operations an element forward and 10 backward; reading and
//! writing memory costs more.

use crate::kernels::rms_norm::{rms_norm_backward, rms_norm_forward, rms_norm_scratch};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// Each row of the last axis (C) divided by its root mean square, times `weight` (C).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr1;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&arr1(&[2.0, -2.0]).into_dyn());
    /// let weight = tape.constant(&arr1(&[1.0, 3.0]).into_dyn());
    /// assert_eq!(x.rms_norm(weight, 0.0).value(), arr1(&[1.0, -3.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn rms_norm(self, weight: Var<'t>, eps: f32) -> Var<'t> {
        self.apply(RmsNorm { eps }, &[weight])
    }
}

/// y = x / sqrt(mean(x^2) + eps) * weight
#[derive(Clone, Copy, Debug)]
pub struct RmsNorm {
    /// Added to the mean square, so that a row of zeros is not divided by zero.
    pub eps: f32,
}

impl Op for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let width = x[0].last().copied().unwrap_or(0);
        let fits = width > 0 && x.len() == 2 && x[1][..] == [width];
        ShapeError::unless(fits, "[.., C] with C > 0 and a weight [C]")?;
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let [rstd] = saved.keep([x[0].shape.rows_and_width().0]);
        rms_norm_forward(x[0].data, x[1].data, self.eps, y, rstd);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (rows, width) = x[0].shape.rows_and_width();
        let mut scratch = saved.scratch(rms_norm_scratch(rows, width));
        let (dx, dweight) = dx.split_at_mut(1);
        let (dx, dweight) = (dx[0].as_mut(), dweight[0].as_mut());
        rms_norm_backward(x[0].data, x[1].data, saved.get(0), dy, dx, dweight, &mut scratch);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let last = Axis(x[0].ndim() - 1);
        let mean_square = (&x[0] * &x[0]).mean_axis(last).expect("C > 0").insert_axis(last);
        &x[0] / &(mean_square + f64::from(self.eps)).mapv(f64::sqrt) * &x[1]
    }
}

use super::layer_norm::sample_rows;
use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "rms_norm",
    sample: |draw| {
        let shape = sample_rows(draw);
        let width = shape[shape.len() - 1];
        let eps = draw.choose(&[1e-2, 0.1, 1.0]);
        let inputs = [draw.array(&shape), draw.array(&[width])];
        Sample::new(RmsNorm { eps }, inputs)
    },
    misfits: || {
        vec![
            (Box::new(RmsNorm { eps: 1e-5 }), vec![[2, 3].into(), [2].into()]),
            (Box::new(RmsNorm { eps: 1e-5 }), vec![[2, 0].into(), [0].into()]),
        ]
    },
};
