//! Weighted mean squared error, a scalar: for a head that answers with a number.
//!
//! $$ L = \frac1W \sum_i w_i (z_i - y_i)^2 \quad\Rightarrow\quad
//!    \frac{\partial L}{\partial z_i} = \frac{2 w_i}{W} (z_i - y_i) $$
//!
//! It is the likelihood of answers with normal noise of one variance. Its least value is that variance, and for a
//! choice among classes it is the wrong loss: use `cross_entropy`. W and weights of 0 are as in `cross_entropy`.
//! Nothing is saved.

use crate::kernels::element_loss::{Answers, where_it_counts};
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// The sum over all elements of weight times squared distance to the answer, divided by `total_weight`.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let z = tape.constant(&ndarray::arr1(&[1.0, 5.0]).into_dyn());
    /// assert_eq!(z.mse(&[3.0, 4.0], &[1.0, 1.0], 2.0).item(), 2.5);
    /// ```
    ///
    /// # Panics
    /// If there is not one answer and one weight for each element.
    #[track_caller]
    #[must_use]
    pub fn mse(self, answers: &[f32], weights: &[f32], total_weight: f32) -> Var<'t> {
        let answers = Answers { values: answers.into(), weights: weights.into(), total_weight };
        self.apply(Mse { answers }, &[])
    }
}

/// y = sum over i of weight\[i\] (x\[i\] - answer\[i\])^2 / total weight
#[derive(Clone, Debug)]
pub struct Mse {
    /// Answers and weights of the elements.
    pub answers: Answers,
}

/// scale w (z - y), of z, y and w.
#[derive(Clone, Copy)]
struct Gradient {
    scale: f32,
}

impl Lanewise<3> for Gradient {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [z, y, w]: [S::V; 3]) -> S::V {
        let value = s.mul(s.mul(s.sub(z, y), w), s.splat(self.scale));
        where_it_counts(s, w, value)
    }
}

impl Op for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        self.answers.output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        y[0] = self.answers.weighted_sum(x[0].data, |z, y| (z - y) * (z - y));
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let Answers { values, weights, .. } = &self.answers;
        // L = w (z - y)^2 / W: dz = dL 2 w / W (z - y)
        let gradient = Gradient { scale: 2.0 * self.answers.scale(dy[0]) };
        vmath::map(gradient, [x[0].data, values, weights], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        self.answers.definition(&x[0], |z, y| (z - y).powi(2))
    }
}

use crate::case::{Case, Sample};
use crate::draw::Draw;

/// Random weights, some of them 0, and answers for `count` elements.
pub(super) fn sample_answers(draw: &mut Draw, count: usize, value: impl Fn(&mut Draw) -> f32) -> Answers {
    let mut weights: Box<[f32]> = (0..count).map(|_| draw.choose(&[0.0, 0.3, 1.0, 2.5])).collect();
    weights[0] = 1.0; // something counts
    let values = (0..count).map(|_| value(draw)).collect();
    Answers { values, weights, total_weight: draw.choose(&[1.0, 7.0]) }
}

/// So many answers and weights, as many as elements or not.
pub(super) fn answers_of_lengths(answers: usize, weights: usize) -> Answers {
    Answers { values: vec![1.0; answers].into(), weights: vec![1.0; weights].into(), total_weight: 1.0 }
}

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "mse",
    sample: |draw| {
        let shape = draw.any_shape();
        let answers = sample_answers(draw, shape.iter().product(), |draw| draw.normal());
        Sample::new(Mse { answers }, [draw.array(&shape)])
    },
    misfits: || {
        let op = |answers: usize, weights: usize| -> Box<dyn Op> {
            Box::new(Mse { answers: answers_of_lengths(answers, weights) })
        };
        vec![(op(5, 5), vec![[2, 3].into()]), (op(6, 5), vec![[2, 3].into()])]
    },
};
