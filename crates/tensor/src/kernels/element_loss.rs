//! Losses with an answer for each element: the sum of `weight * loss(z, answer)`, divided by a total weight.

use super::parallel;
use super::simd::Simd;
use crate::{Shape, ShapeError};
use ndarray::{ArrayD, arr0};

/// What the elements should have been, and how much each counts. One of weight 0 is ignored, whatever it is.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The right value of each element.
    pub values: Box<[f32]>,
    /// The weight of each element.
    pub weights: Box<[f32]>,
    /// What the sum is divided by: of the whole batch, where this is a part of one. 0: nothing counts, and loss and
    /// gradients are 0.
    pub total_weight: f32,
}

impl Answers {
    /// A scalar, if there is an answer and a weight for each element.
    pub(crate) fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let (values, weights) = (self.values.len(), self.weights.len());
        let expected = format!("as many elements as there are answers ({values}) and weights ({weights})");
        ShapeError::unless(x[0].elements() == values && values == weights, &expected)?;
        Ok(Shape::scalar())
    }

    /// The sum, in f64: chunks of a size of its own are added in order.
    pub(crate) fn weighted_sum(&self, z: &[f32], loss: impl Fn(f64, f64) -> f64 + Sync) -> f32 {
        if self.total_weight == 0.0 {
            return 0.0;
        }
        let chunk = parallel::chunk_len();
        let sums = parallel::collect(z.len().div_ceil(chunk), |i| {
            let chunk = i * chunk..z.len().min((i + 1) * chunk);
            let answers = self.values[chunk.clone()].iter().zip(&self.weights[chunk.clone()]);
            let counts = z[chunk].iter().zip(answers).filter(|(_, (_, weight))| **weight != 0.0);
            counts.map(|(&z, (&y, &w))| f64::from(w) * loss(f64::from(z), f64::from(y))).sum::<f64>()
        });
        (sums.iter().sum::<f64>() / f64::from(self.total_weight)) as f32
    }

    /// The truth, in f64: the same sum as plainly as possible.
    pub(crate) fn definition(&self, z: &ArrayD<f64>, loss: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
        let Self { values, weights, total_weight } = self;
        let mut sum = 0.0;
        for (i, &z) in z.iter().enumerate() {
            if weights[i] != 0.0 && *total_weight != 0.0 {
                sum += f64::from(weights[i]) / f64::from(*total_weight) * loss(z, f64::from(values[i]));
            }
        }
        arr0(sum).into_dyn()
    }

    /// `dy / total_weight`: what every gradient has as a factor beside its weight.
    pub(crate) fn scale(&self, dy: f32) -> f32 {
        if self.total_weight == 0.0 { 0.0 } else { dy / self.total_weight }
    }
}

/// A gradient where its element counts. What does not count has none, not even NaN.
#[inline(always)]
pub(crate) fn where_it_counts<S: Simd>(s: S, weight: S::V, gradient: S::V) -> S::V {
    s.if_less(s.abs(weight), s.splat(f32::from_bits(1)), s.splat(0.0), gradient)
}
