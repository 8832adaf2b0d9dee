//! The head of a language model and its loss in one: the cross-entropy of the logits z = x W^T + b, which a soft cap may
//! bound.
//!
//! The formulas are those of `linear`, `soft_cap` and `cross_entropy`, and so are the bits. Apart, they keep the logits
//! and their gradient, rows by V, and with tens of thousands of classes these are the largest of the whole step. Here the
//! rows are taken in chunks of [`rows_at_a_time`], of which only one is in memory: the forward keeps two numbers a row,
//! the backward computes the chunk's logits z again, turns them into dz where they lie, and adds the chunk's share of
//!
//! $$ dx = dz\, W, \qquad dW = dz^\top x, \qquad db = \textstyle\sum_i dz_i $$
//!
//! (Liger Kernel, Hsu et al. 2024, arXiv 2410.10989, takes chunks too, and computes dx and dW with the loss. That saves
//! the second z, but needs a dW of its own, which would be added to earlier gradients in another order.)
//!
//! Each element of dW is one sum over the rows in their order, wherever chunks end. Saved: the largest logit and the sum
//! of exponentials less one of each row; and where one chunk holds all rows its logits, so that a small loss does not pay
//! for chunks. 2 M C V operations forward, 4 M C V backward, 6 M C V where there are several chunks.

use super::cross_entropy::CrossEntropy;
use super::linear::Linear;
use super::soft_cap::SoftCap;
use crate::kernels::cross_entropy::{Regularizer, add_cross_entropy, cross_entropy_gradient_in_place, mean};
use crate::kernels::gemm::{Init, Mat, gemm};
use crate::kernels::{columns, parallel};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;
use std::ops::Range;

/// Logits in a chunk, about: 32 MiB of them.
const CHUNK: usize = 1 << 23;
/// Rows in a chunk, at least: each chunk reads W and adds to dW, which must pay.
const FEWEST_ROWS: usize = 256;

/// Rows whose logits are in memory at once, for V classes.
#[must_use]
pub fn rows_at_a_time(classes: usize) -> usize {
    // Whole chunks of the kernels over rows, whose partial sums of db then are the same.
    (CHUNK / classes.max(1)).max(FEWEST_ROWS).next_multiple_of(parallel::rows_per_chunk(classes))
}

impl<'t> Var<'t> {
    /// The [cross-entropy](Var::regularized_cross_entropy) of the logits x W^T + b, for x (.., C), a weight (V, C) and a
    /// bias (V), bounded by a [soft cap](Var::soft_cap) if there is one. The bits of these operations one after the other,
    /// in memory for [`rows_at_a_time`] rows of logits.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace, kernels::cross_entropy::Regularizer};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::ArrayD::zeros(vec![3, 2]));
    /// let weight = tape.constant(&ndarray::ArrayD::ones(vec![4, 2])); // all four classes equally likely
    /// let loss = x.linear_cross_entropy(weight, None, None, &[1, 3, 0], &[1.0; 3], 3.0, Regularizer::NONE);
    /// assert_eq!(loss.item(), 4f32.ln());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, the cap is not positive, there is not one target and one weight a row, or a target of
    /// weight other than 0 is not below V.
    #[track_caller]
    #[must_use]
    pub fn linear_cross_entropy(
        self,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        soft_cap: Option<f32>,
        targets: &[u32],
        weights: &[f32],
        total_weight: f32,
        regularizer: Regularizer,
    ) -> Var<'t> {
        let (targets, weights) = (targets.into(), weights.into());
        let loss = CrossEntropy { targets, weights, total_weight, regularizer };
        let op = LinearCrossEntropy { soft_cap: soft_cap.map(SoftCap::new), loss };
        match bias {
            Some(bias) => self.apply(op, &[weight, bias]),
            None => self.apply(op, &[weight]),
        }
    }
}

/// y = cross_entropy(x W^T + b), or cross_entropy(soft_cap(x W^T + b)); inputs x, W and perhaps b
#[derive(Clone, Debug)]
pub struct LinearCrossEntropy {
    /// What bounds the logits.
    pub soft_cap: Option<SoftCap>,
    /// Targets and weights of the rows.
    pub loss: CrossEntropy,
}

/// x (rows, C) and the head.
#[derive(Clone, Copy)]
struct Head<'a> {
    x: View<'a>,
    weight: Mat<'a>, // (V, C)
    bias: Option<&'a [f32]>,
}

impl<'a> Head<'a> {
    fn new(x: &[View<'a>]) -> Self {
        let weight = Mat::new(x[1].data, x[1].shape[0], x[1].shape[1]);
        Self { x: x[0], weight, bias: x.get(2).map(|bias| bias.data) }
    }

    fn rows(&self, rows: &Range<usize>) -> Mat<'a> {
        let width = self.weight.cols();
        Mat::new(&self.x.data[rows.start * width..rows.end * width], rows.len(), width)
    }

    /// The chunks of rows, at least one.
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, chunk) = (self.x.shape.rows_and_width().0, rows_at_a_time(self.weight.rows()));
        (0..rows.max(1)).step_by(chunk).map(move |start| start..rows.min(start + chunk))
    }

    /// The logits of some rows, (rows, V), bounded.
    fn logits(&self, rows: &Range<usize>, soft_cap: Option<SoftCap>, z: &mut [f32]) {
        // z = x W^T + b
        gemm(z, self.rows(rows), self.weight.t(), self.bias.map_or(Init::Zero, Init::Bias));
        if let Some(soft_cap) = soft_cap {
            soft_cap.apply_to(z);
        }
    }
}

impl Op for LinearCrossEntropy {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        ShapeError::unless(x.len() >= 2, "x [.., C], a weight [V, C] and perhaps a bias [V]")?;
        self.loss.output_shape(&[Linear.output_shape(x)?])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let (head, targets) = (Head::new(x), self.loss.targets());
        let (count, classes) = (head.x.shape.rows_and_width().0, head.weight.rows());
        let chunk = rows_at_a_time(classes).min(count) * classes; // floats
        let (mut scratch, mut sum) = (saved.scratch(if chunk < count * classes { chunk } else { 0 }), 0.0);
        let [max, rest, kept] = saved.keep([count, count, chunk - scratch.len()]);
        let z = if kept.is_empty() { &mut scratch[..] } else { kept };
        for rows in head.chunks() {
            let z = &mut z[..rows.len() * classes];
            head.logits(&rows, self.soft_cap, z);
            let statistics = (&mut max[rows.clone()], &mut rest[rows.clone()]);
            add_cross_entropy(z, classes, targets.of_rows(rows), statistics, &mut sum);
        }
        y[0] = mean(sum, targets.total_weight);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (head, targets, [max, rest, kept]) =
            (Head::new(x), self.loss.targets(), [0, 1, 2].map(|i| saved.get(i)));
        let (classes, width) = (head.weight.rows(), head.weight.cols());
        let mut dz = saved.scratch(rows_at_a_time(classes).min(max.len()) * classes);
        for (n, rows) in head.chunks().enumerate() {
            let dz = &mut dz[..rows.len() * classes];
            if kept.is_empty() {
                head.logits(&rows, self.soft_cap, dz);
            } else {
                dz.copy_from_slice(kept);
            }
            // without a regularizer, L = w (lse(z) - z_t) / W: dz = w / W (softmax(z) - onehot(t)) dL, in the place of z
            let statistics = (&max[rows.clone()], &rest[rows.clone()]);
            let of_rows = targets.of_rows(rows.clone());
            cross_entropy_gradient_in_place(dz, classes, of_rows, statistics, dy[0], self.soft_cap);
            // Sums over the rows go on from the chunk before.
            let accum = |grad: &Grad<'_>| if n == 0 { grad.accum } else { Accum::Add };
            let dz_mat = Mat::new(dz, rows.len(), classes);
            // z = x W^T + b: dx = dz W
            if let Some(dx) = &mut dx[0] {
                gemm(&mut dx.to[rows.start * width..rows.end * width], dz_mat, head.weight, dx.accum.into());
            }
            // z = x W^T + b: dW = dz^T x
            if let Some(dw) = &mut dx[1] {
                let init = accum(dw).into();
                gemm(dw.to, dz_mat.t(), head.rows(&rows), init);
            }
            // z = x W^T + b: db = the sum of the rows of dz
            if let Some(Some(db)) = dx.get_mut(2) {
                let accum = accum(db);
                columns::sum_rows(dz, &mut Grad { to: &mut *db.to, accum });
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let z = Linear.definition(x);
        self.loss.definition(&[self.soft_cap.map_or(z.clone(), |cap| cap.definition(&[z]))])
    }
}

use super::cross_entropy::sample_regularizer;
use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "linear_cross_entropy",
    sample: |draw| {
        let rank = draw.size(0, 2);
        let (width, classes) = (draw.size(1, 20), draw.choose(&[1, 5, 16, 37]));
        let shape = [draw.shape(rank, 3), vec![width]].concat();
        let rows: usize = shape[..rank].iter().product();
        let weights = (0..rows).map(|i| if i == 0 { 1.0 } else { draw.choose(&[0.0, 0.3, 1.0]) }).collect();
        let targets = (0..rows).map(|_| draw.size(0, classes - 1) as u32).collect();
        let regularizer = sample_regularizer(draw);
        let loss = CrossEntropy { targets, weights, total_weight: 3.0, regularizer };
        let soft_cap = draw.choose(&[None, Some(SoftCap { cap: 15.0 })]);
        let mut inputs = vec![draw.array(&shape), draw.array(&[classes, width])];
        if draw.size(0, 1) == 1 {
            inputs.push(draw.array(&[classes]));
        }
        Sample::new(LinearCrossEntropy { soft_cap, loss }, inputs)
    },
    misfits: || {
        let op = |targets: &[u32]| -> Box<dyn Op> {
            let weights = vec![1.0; targets.len()].into();
            let (targets, regularizer) = (targets.into(), Regularizer::NONE);
            let loss = CrossEntropy { targets, weights, total_weight: 1.0, regularizer };
            Box::new(LinearCrossEntropy { soft_cap: None, loss })
        };
        vec![
            (op(&[0, 1]), vec![[2, 3].into(), [4, 5].into()]), // C is 3, or 5
            (op(&[0, 4]), vec![[2, 3].into(), [4, 3].into()]), // target 4 of 4 classes
            (op(&[0]), vec![[2, 3].into(), [4, 3].into()]),    // one target for two rows
            (op(&[0, 1]), vec![[2, 3].into(), [4, 3].into(), [3].into()]), // a bias of 3 for 4 classes
        ]
    },
};
