//! Weighted binary cross-entropy of logits: each element is a question of its own, answered yes or no, a scalar.
//!
//! With the sigmoid s(z) = 1 / (1 + e^-z) as the probability of yes and y in [0, 1] the answer (or its probability),
//! the loss is -y ln s(z) - (1 - y) ln (1 - s(z)). Written so that nothing overflows:
//!
//! $$ L = \frac1W \sum_i w_i \left( \max(z_i, 0) - z_i y_i + \ln(1 + e^{-|z_i|}) \right) $$
//!
//! Backward. The derivative of ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|) is s(z), so
//!
//! $$ \frac{\partial L}{\partial z_i} = \frac{w_i}{W} \left( s(z_i) - y_i \right) $$
//!
//! It is the cross-entropy of the two logits 0 and z. For labels that do not exclude each other; where one of V classes
//! is right, `cross_entropy` is the likelihood and V of these are not. W and weights of 0 are as in `cross_entropy`.
//! Nothing is saved: one exponential and one logarithm an element forward, one exponential backward.

use crate::kernels::element_loss::{Answers, where_it_counts};
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise, exp};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// The binary cross-entropy of these logits: the sum over all elements of weight times negative log-probability of
    /// the answer (1 for yes, 0 for no, or a probability), divided by `total_weight`.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let z = tape.constant(&ndarray::arr1(&[0.0, -1e4, 7.0]).into_dyn());
    /// let loss = z.bce_with_logits(&[1.0, 0.0, 1.0], &[1.0, 1.0, 0.0], 1.0); // the third is ignored
    /// assert_eq!(loss.item(), 2f32.ln());
    /// ```
    ///
    /// # Panics
    /// If there is not one answer and one weight for each element.
    #[track_caller]
    #[must_use]
    pub fn bce_with_logits(self, answers: &[f32], weights: &[f32], total_weight: f32) -> Var<'t> {
        let answers = Answers { values: answers.into(), weights: weights.into(), total_weight };
        self.apply(BceWithLogits { answers }, &[])
    }
}

/// y = sum over i of weight\[i\] (max(x\[i\], 0) - x\[i\] answer\[i\] + ln(1 + e^-|x\[i\]|)) / total weight
#[derive(Clone, Debug)]
pub struct BceWithLogits {
    /// Answers and weights of the elements.
    pub answers: Answers,
}

/// scale w (s(z) - y), of z, y and w.
#[derive(Clone, Copy)]
struct Gradient {
    scale: f32,
}

impl Lanewise<3> for Gradient {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [z, y, w]: [S::V; 3]) -> S::V {
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        let e = exp(s, s.sub(zero, s.abs(z)));
        // s(z) - y over 1 + e, the terms that cancel taken together: for z < 0, e (1 - y) - y; else (1 - y) - e y
        let no = s.sub(one, y);
        let below = s.sub(s.mul(e, no), y);
        let above = s.sub(no, s.mul(e, y));
        let slope = s.div(s.if_less(z, zero, below, above), s.add(one, e));
        let value = s.mul(s.mul(slope, w), s.splat(self.scale));
        where_it_counts(s, w, value)
    }
}

impl Op for BceWithLogits {
    fn name(&self) -> &'static str {
        "bce_with_logits"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        self.answers.output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        y[0] = self.answers.weighted_sum(x[0].data, |z, y| {
            let log = if z.is_nan() { z } else { random::ln(1.0 + random::exp(-z.abs())) };
            z.max(0.0) - z * y + log
        });
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let Answers { values, weights, .. } = &self.answers;
        // L = w (max(z, 0) - z y + ln(1 + e^-|z|)) / W: dz = dL w / W (s(z) - y)
        let gradient = Gradient { scale: self.answers.scale(dy[0]) };
        vmath::map(gradient, [x[0].data, values, weights], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        self.answers.definition(&x[0], |z, y| z.max(0.0) - z * y + (-z.abs()).exp().ln_1p())
    }
}

use super::mse::{answers_of_lengths, sample_answers};
use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "bce_with_logits",
    sample: |draw| {
        let shape = draw.any_shape();
        let answers = sample_answers(draw, shape.iter().product(), |draw| draw.choose(&[0.0, 0.0, 1.0, 0.7]));
        Sample::new(BceWithLogits { answers }, [draw.array(&shape)])
    },
    misfits: || {
        let op = |answers: usize, weights: usize| -> Box<dyn Op> {
            Box::new(BceWithLogits { answers: answers_of_lengths(answers, weights) })
        };
        vec![(op(5, 5), vec![[2, 3].into()]), (op(6, 5), vec![[2, 3].into()])]
    },
};
