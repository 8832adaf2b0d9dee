//! Weighted cross-entropy of logits against one right class per row, a scalar.
//!
//! For a row z of V logits with target t, the negative logarithm of the softmax probability of t is
//! lse(z) - z_t, where lse is the log-sum-exp. With weights w_i and a total W that the caller gives:
//!
//! $$ L = \frac1W \sum_i w_i \left( \operatorname{lse}(z_i) - z_{i,t_i} \right), \qquad
//!    \operatorname{lse}(z) = m + \ln \sum_v e^{z_v - m}, \quad m = \max_v z_v $$
//!
//! Backward. The derivative of lse by z_v is e^{z_v} / sum e^z, the softmax p_v, so
//!
//! $$ \frac{\partial L}{\partial z_{i,v}} = \frac{w_i}{W} \left( p_{i,v} - [v = t_i] \right) $$
//!
//! W is not computed from the weights because a batch may be cut into micro-batches: each divides its own
//! sum by the W of the whole batch, and their losses and gradients add up to those of the whole, however
//! unequal the pieces are. A row of weight 0 is ignored: its target may be anything, and its gradient is
//! exactly 0. With W = 0 loss and gradients are 0.
//!
//! A [`Regularizer`] changes what a row adds. Label smoothing (Szegedy et al. 2016, arXiv 1512.00567) takes a part
//! \epsilon of the probability from the target and spreads it evenly: (1 - \epsilon) (lse - z_t) + \epsilon times the
//! mean of lse - z_v over all classes. The z-loss of PaLM (arXiv 2204.02311) adds \zeta lse^2. Together
//!
//! $$ \operatorname{lse} - (1-\epsilon) z_t - \frac{\epsilon}{V} \sum_v z_v + \zeta \operatorname{lse}^2, \qquad
//!    \frac{\partial}{\partial z_v} = (1 + 2 \zeta \operatorname{lse})\, p_v - (1-\epsilon) [v = t] - \frac{\epsilon}{V} $$
//!
//! Saved: m and the sum of exponentials less one, two floats a row; the probabilities are computed again. The
//! softmax is never stored, which for V = 50,257 would be as large as the logits. One exponential an
//! element forward, one backward.

use crate::kernels::cross_entropy::{Regularizer, Targets, cross_entropy_backward, cross_entropy_forward};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, arr0};

impl<'t> Var<'t> {
    /// The cross-entropy of these logits (.., V): the sum over rows of weight times negative log-probability
    /// of the target, divided by `total_weight`.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let logits = tape.constant(&ndarray::ArrayD::zeros(vec![3, 4]));    // all classes equally likely
    /// let loss = logits.cross_entropy(&[1, 3, 0], &[1.0, 1.0, 0.0], 2.0); // the third row is ignored
    /// assert_eq!(loss.item(), 4f32.ln());
    /// ```
    ///
    /// # Panics
    /// If there is not one target and one weight a row, or a target of weight other than 0 is not below V.
    #[track_caller]
    #[must_use]
    pub fn cross_entropy(self, targets: &[u32], weights: &[f32], total_weight: f32) -> Var<'t> {
        self.regularized_cross_entropy(targets, weights, total_weight, Regularizer::NONE)
    }

    /// [`Var::cross_entropy`] with label smoothing, z-loss or both: for training, never to measure a model.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace, kernels::cross_entropy::Regularizer};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let logits = tape.constant(&ndarray::arr2(&[[100.0, 0.0]]).into_dyn());  // sure, and right
    /// assert_eq!(logits.cross_entropy(&[0], &[1.0], 1.0).item(), 0.0);
    /// let smooth = Regularizer { label_smoothing: 0.1, z_loss: 0.0 };
    /// assert_eq!(logits.regularized_cross_entropy(&[0], &[1.0], 1.0, smooth).item(), 5.0);  // too sure
    /// ```
    ///
    /// # Panics
    /// As [`Var::cross_entropy`].
    #[track_caller]
    #[must_use]
    pub fn regularized_cross_entropy(
        self,
        targets: &[u32],
        weights: &[f32],
        total_weight: f32,
        regularizer: Regularizer,
    ) -> Var<'t> {
        let op = CrossEntropy { targets: targets.into(), weights: weights.into(), total_weight, regularizer };
        self.apply(op, &[])
    }
}

/// y = sum over i of weight\[i\] (lse(x\[i\]) - x\[i, target\[i\]\]) / total weight, and what the regularizer adds
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// The right class of each row.
    pub targets: Box<[u32]>,
    /// How much each row counts; 0 for not at all.
    pub weights: Box<[f32]>,
    /// What the sum is divided by.
    pub total_weight: f32,
    /// Label smoothing and z-loss.
    pub regularizer: Regularizer,
}

impl CrossEntropy {
    pub(super) fn targets(&self) -> Targets<'_> {
        Targets {
            ids: &self.targets,
            weights: &self.weights,
            total_weight: self.total_weight,
            regularizer: self.regularizer,
        }
    }
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let (rows, width) = x[0].rows_and_width();
        let (targets, weights) = (self.targets.len(), self.weights.len());
        let expected =
            format!("logits [.., V] with one row for each of {targets} targets and {weights} weights");
        ShapeError::unless(!x[0].is_empty() && width > 0 && targets == rows && weights == rows, &expected)?;
        let counts = self.targets.iter().zip(&self.weights);
        match counts.enumerate().find(|(_, (id, weight))| **weight != 0.0 && **id as usize >= width) {
            None => Ok(Shape::scalar()),
            Some((i, (id, _))) => {
                Err(ShapeError::new(format!("logits [.., V] with V > {id}, the target of row {i}")))
            }
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let (rows, width) = x[0].shape.rows_and_width();
        let [max, rest] = saved.keep([rows, rows]);
        y[0] = cross_entropy_forward(x[0].data, width, self.targets(), max, rest);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        let width = x[0].shape.rows_and_width().1;
        // L = w (lse(z) - z_t) / W: dz = dL w / W (softmax(z) - onehot(t)), and the regularizer's
        cross_entropy_backward(x[0].data, width, self.targets(), (saved.get(0), saved.get(1)), dy[0], dx);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let mut loss = 0.0;
        for (i, row) in x[0].rows().into_iter().enumerate() {
            if self.weights[i] != 0.0 && self.total_weight != 0.0 {
                let max = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
                let lse = max + row.mapv(|z| (z - max).exp()).sum().ln();
                let weight = f64::from(self.weights[i]) / f64::from(self.total_weight);
                let (smoothing, z_loss) =
                    (f64::from(self.regularizer.label_smoothing), f64::from(self.regularizer.z_loss));
                let likely = lse - row[self.targets[i] as usize];
                let evenly = lse - row.sum() / row.len() as f64;
                loss += weight * ((1.0 - smoothing) * likely + smoothing * evenly + z_loss * lse * lse);
            }
        }
        arr0(loss).into_dyn()
    }
}

use crate::case::{Case, Sample};
use crate::draw::Draw;

/// None, one of the two, or both.
pub(super) fn sample_regularizer(draw: &mut Draw) -> Regularizer {
    Regularizer { label_smoothing: draw.choose(&[0.0, 0.1, 1.0]), z_loss: draw.choose(&[0.0, 1e-4, 0.1]) }
}

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "cross_entropy",
    sample: |draw| {
        let rank = draw.size(0, 2);
        let classes = draw.choose(&[1, 5, 16, 37]);
        let shape = [draw.shape(rank, 3), vec![classes]].concat();
        let rows = shape[..rank].iter().product();
        let mut weights: Box<[f32]> = (0..rows).map(|_| draw.choose(&[0.0, 0.3, 1.0, 1.0, 2.5])).collect();
        weights[0] = 1.0; // some row counts
        let target = |weight: &f32| match *weight {
            0.0 => u32::MAX - draw.size(0, 5) as u32, // ignored, so it may be out of range
            _ => draw.size(0, classes - 1) as u32,
        };
        let targets = weights.iter().map(target).collect();
        let total_weight = draw.choose(&[weights.iter().sum(), 7.0]);
        let regularizer = sample_regularizer(draw);
        Sample::new(CrossEntropy { targets, weights, total_weight, regularizer }, [draw.array(&shape)])
    },
    misfits: || {
        let op = |targets: &[u32], weights: &[f32]| -> Box<dyn Op> {
            let regularizer = Regularizer::NONE;
            let (targets, weights) = (targets.into(), weights.into());
            Box::new(CrossEntropy { targets, weights, total_weight: 1.0, regularizer })
        };
        vec![
            (op(&[0, 1, 2], &[1.0; 3]), vec![[2, 3].into()]), // three targets for two rows
            (op(&[0, 1], &[1.0; 3]), vec![[2, 3].into()]),
            (op(&[0, 3], &[1.0; 2]), vec![[2, 3].into()]), // target 3 of 3 classes
            (op(&[0], &[1.0]), vec![Shape::scalar()]),
        ]
    },
};
