//! The head of a language model and its loss in one: the cross-entropy of the logits z = x W^T.
//!
//! The formulas are those of `linear` and `cross_entropy`. Apart, they keep two buffers of the size of the
//! logits, the logits and their gradient, and with tens of thousands of classes these are the largest of the
//! whole step. But the gradient is known as soon as the loss is, up to the factor dL that the rest of the
//! computation will send back:
//!
//! $$ G_{i,v} = \frac{w_i}{W} \left( p_{i,v} - [v = t_i] \right), \qquad dx = dL\; G W, \qquad dW = dL\; G^\top x $$
//!
//! so the forward writes G over the logits, and the backward is two products (as in Liger Kernel: Hsu et al.
//! 2024, arXiv 2410.10989). Saved: G, rows by V. 2 M C V operations forward, 4 M C V backward.

use super::cross_entropy::{CrossEntropy, sample_regularizer};
use super::linear::Linear;
use super::{Case, Sample};
use crate::kernels::cross_entropy::{Regularizer, cross_entropy_forward, cross_entropy_gradient_in_place};
use crate::kernels::gemm::{Init, Mat, gemm};
use crate::kernels::vmath;
use crate::op::{Accum, Grad, Op, Saved, View};
use crate::{Shape, ShapeError, Var};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// The [cross-entropy](Var::regularized_cross_entropy) of the logits x W^T, for x (.., C) and a weight (V, C), without
    /// holding logits and their gradient side by side. For training: a tape that does not record computes the
    /// gradient in vain.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace, kernels::cross_entropy::Regularizer};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::ArrayD::zeros(vec![3, 2]));
    /// let weight = tape.constant(&ndarray::ArrayD::ones(vec![4, 2])); // all four classes equally likely
    /// let loss = x.linear_cross_entropy(weight, &[1, 3, 0], &[1.0; 3], 3.0, Regularizer::NONE);
    /// assert_eq!(loss.item(), 4f32.ln());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, there is not one target and one weight a row, or a target of weight other than
    /// 0 is not below V.
    #[track_caller]
    #[must_use]
    pub fn linear_cross_entropy(
        self,
        weight: Var<'t>,
        targets: &[u32],
        weights: &[f32],
        total_weight: f32,
        regularizer: Regularizer,
    ) -> Var<'t> {
        let (targets, weights) = (targets.into(), weights.into());
        let loss = CrossEntropy { targets, weights, total_weight, regularizer };
        self.apply(LinearCrossEntropy { loss }, &[weight])
    }
}

/// y = cross_entropy(x W^T); inputs x, W
#[derive(Clone, Debug)]
pub struct LinearCrossEntropy {
    /// Targets and weights of the rows.
    pub loss: CrossEntropy,
}

impl Op for LinearCrossEntropy {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        ShapeError::unless(x.len() == 2, "x [.., C] and a weight [V, C]")?;
        self.loss.output_shape(&[Linear.output_shape(x)?])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let (rows, width) = x[0].shape.rows_and_width();
        let classes = x[1].shape[0];
        let (mut max, mut rest) = (saved.scratch(rows), saved.scratch(rows));
        let [z] = saved.keep([rows * classes]);
        // z = x W^T
        let weight = Mat::new(x[1].data, classes, width);
        gemm(z, Mat::new(x[0].data, rows, width), weight.t(), Init::Zero);
        let targets = self.loss.targets();
        y[0] = cross_entropy_forward(z, classes, targets, &mut max, &mut rest);
        // without a regularizer, L = w (lse(z) - z_t) / W: G = w / W (softmax(z) - onehot(t)), in the place of z
        cross_entropy_gradient_in_place(z, classes, targets, (&max, &rest));
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (rows, width) = x[0].shape.rows_and_width();
        let classes = x[1].shape[0];
        let mut g = saved.get(0);
        let mut scaled;
        if dy[0] != 1.0 {
            scaled = saved.scratch(g.len());
            vmath::map(vmath::Scaled(dy[0]), [g], &mut scaled, Accum::Replace);
            g = &scaled;
        }
        let dz = Mat::new(g, rows, classes);
        // z = x W^T: dx = dz W
        if let Some(dx) = &mut dx[0] {
            gemm(dx.to, dz, Mat::new(x[1].data, classes, width), dx.accum.into());
        }
        // z = x W^T: dW = dz^T x
        if let Some(dw) = &mut dx[1] {
            gemm(dw.to, dz.t(), Mat::new(x[0].data, rows, width), dw.accum.into());
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        self.loss.definition(&[Linear.definition(x)])
    }
}

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
        Sample::new(LinearCrossEntropy { loss }, [draw.array(&shape), draw.array(&[classes, width])])
    },
    misfits: || {
        let op = |targets: &[u32]| -> Box<dyn Op> {
            let weights = vec![1.0; targets.len()].into();
            let (targets, regularizer) = (targets.into(), Regularizer::NONE);
            let loss = CrossEntropy { targets, weights, total_weight: 1.0, regularizer };
            Box::new(LinearCrossEntropy { loss })
        };
        vec![
            (op(&[0, 1]), vec![[2, 3].into(), [4, 5].into()]), // C is 3, or 5
            (op(&[0, 4]), vec![[2, 3].into(), [4, 3].into()]), // target 4 of 4 classes
            (op(&[0]), vec![[2, 3].into(), [4, 3].into()]),    // one target for two rows
        ]
    },
};
