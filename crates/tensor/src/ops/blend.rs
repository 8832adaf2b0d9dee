//! A learned blend with an earlier value: of the whole rows, or of their last n features only.
//!
//! For x (.., C), z (.., n) with n at most C, and two weights w:
//!
//! $$ y_j = x_j \;\; (j < C - n), \qquad y_j = w_0 x_j + w_1 z_{j-C+n} \;\; (j \ge C - n) $$
//!
//! With n = C this mixes a residual stream with what it began as (the "x0 skip" of modded-nanogpt); with the values of a
//! packed (.., C + 2 NKV hs) it mixes them with those of the first layer (value residual: Zhou et al. 2024, arXiv
//! 2410.17897).
//!
//! Backward. $dx_j = dy_j$ or $w_0 dy_j$, $dz = w_1 dy$, $dw_0 = \sum x_j dy_j$ and $dw_1 = \sum z_j dy_j$ over all
//! rows and the last n features. Nothing is saved.

use crate::kernels::blend::{blend_backward, blend_forward};
use crate::kernels::vmath::sum_of_products;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis, Slice};

impl<'t> Var<'t> {
    /// This (.., C) with its last n features blended with `z` (.., n): w0 x + w1 z, for weights w (2).
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr1;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let [x, z, w] = [&[1.0, 2.0, 3.0][..], &[10.0], &[0.5, 0.1]].map(|x| tape.constant(&arr1(x).into_dyn()));
    /// assert_eq!(x.blend(z, w).value(), arr1(&[1.0, 2.0, 2.5]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn blend(self, z: Var<'t>, w: Var<'t>) -> Var<'t> {
        self.apply(Blend, &[z, w])
    }
}

/// y = w0 x + w1 z in the last features of x; inputs x, z, w
#[derive(Clone, Copy, Debug)]
pub struct Blend;

impl Op for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let fits = x.len() == 3 && !x[0].is_empty() && x[0].len() == x[1].len() && x[2][..] == [2] && {
            let last = x[0].len() - 1;
            x[0][..last] == x[1][..last] && (1..=x[0][last]).contains(&x[1][last])
        };
        ShapeError::unless(fits, "x [.., C], z [.., n] with 0 < n <= C, and weights [2]")?;
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let w = x[2].data;
        blend_forward(x[0].data, x[1].data, [w[0], w[1]], x[0].shape.rows_and_width().1, y);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let ((rows, width), last) = (x[0].shape.rows_and_width(), x[1].shape.rows_and_width().1);
        let w = x[2].data;
        let [to_x, to_z, to_w] = dx else { unreachable!("three inputs") };
        blend_backward([w[0], w[1]], (width, last), dy, to_x.as_mut(), to_z.as_mut());
        // y = w0 x + w1 z: dw0 = x dy, dw1 = z dy, over the last features
        if let Some(dw) = to_w {
            let mut ends = [saved.scratch(rows * last), saved.scratch(rows * last)];
            for (from, to) in [x[0].data, dy].into_iter().zip(&mut ends) {
                let rows = from.chunks_exact(width).zip(to.chunks_exact_mut(last));
                rows.for_each(|(from, to)| to.copy_from_slice(&from[width - last..]));
            }
            let [x_end, dy_end] = &ends;
            let sums = [sum_of_products(x_end, dy_end), sum_of_products(x[1].data, dy_end)];
            dw.write(|i| sums[i] as f32);
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let mut y = x[0].clone();
        let last = Axis(y.ndim() - 1);
        let first = y.len_of(last) - x[1].len_of(last);
        let (w0, w1) = (x[2][[0]], x[2][[1]]);
        let mut end = y.slice_axis_mut(last, Slice::from(first..));
        end.zip_mut_with(&x[1], |x, z| *x = w0 * *x + w1 * z);
        y
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "blend",
    sample: |draw| {
        let rank = draw.size(0, 2);
        let rows = draw.shape(rank, 4);
        let width = draw.size(1, 40);
        let last = if draw.size(0, 1) == 0 { width } else { draw.size(1, width) };
        let shape = |width| [rows.clone(), vec![width]].concat();
        Sample::new(Blend, [draw.array(&shape(width)), draw.array(&shape(last)), draw.array(&[2])])
    },
    misfits: || {
        let op = || -> Box<dyn Op> { Box::new(Blend) };
        vec![
            (op(), vec![[2, 3].into(), [2, 4].into(), [2].into()]), // 4 of 3 features
            (op(), vec![[2, 3].into(), [1, 3].into(), [2].into()]), // other rows
            (op(), vec![[2, 3].into(), [2, 3].into(), [3].into()]), // three weights
        ]
    },
};
