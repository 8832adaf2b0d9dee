//! The average of the weights along a training.

use super::rule::{Piece, Rule};
use super::{StepError, power};
use tensor::Params;
use tensor::kernels::simd::Simd;

/// An exponential average of the parameters after each update, for evaluation: it has less of the noise of the latest
/// batches, about as if the learning rate had fallen already (Polyak & Juditsky 1992; Izmailov et al. 2018,
/// arXiv 1803.05407). Training goes on from the parameters themselves.
///
/// It is free of a memory of the start, as Adam's means are: after t updates the weights of update i counts
///
/// ```text
/// decay^(t-i) (1 - decay) / (1 - decay^t)        which add up to 1
/// ```
///
/// so that the first average is the first weights, and the initial values have no part in it. Begun at the initial
/// values instead, with a decay of 0.999 a run of 2,000 updates would end with 13% of them.
pub struct Ema {
    decay: f64,
    average: Params,
}

impl Ema {
    /// An average of nothing yet. A decay of 0.99 looks back about 100 updates, 0.999 about 1,000.
    ///
    /// # Panics
    /// If `decay` is not in `0 <= decay < 1`.
    #[track_caller]
    #[must_use]
    pub fn new(params: &Params, decay: f64) -> Self {
        assert!((0.0..1.0).contains(&decay), "Ema: expected a decay from 0 to below 1; found {decay}");
        Self { decay, average: params.clone() }
    }

    /// Takes the parameters after an update in, of which there have been `updates` with this one.
    ///
    /// # Errors
    /// [`StepError::NonFinite`] if the average is not finite afterwards.
    ///
    /// # Panics
    /// If these are parameters of another model.
    #[track_caller]
    pub fn update(&mut self, params: &Params, updates: u64) -> Result<(), StepError> {
        let weight = (1.0 - self.decay) / (1.0 - power(self.decay, updates));
        let rule = Towards { weight: weight as f32 };
        let mut damaged = Vec::new();
        for (id, average) in self.average.all_mut() {
            if updates <= 1 {
                average.copy_from_slice(params.data(id));
            } else if !(Piece { rule, param: average, grad: params.data(id), state: [] }.update_all()) {
                damaged.push(id);
            }
        }
        StepError::unless_finite(damaged.into_iter().map(|id| params.name(id)))
    }

    /// The average.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.average
    }

    /// The average, to be read from a checkpoint. That and the number of updates is all that an average depends on.
    pub fn params_mut(&mut self) -> &mut Params {
        &mut self.average
    }
}

/// average += weight (p - average)
#[derive(Clone, Copy)]
struct Towards {
    weight: f32,
}

impl Rule<0> for Towards {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, average: S::V, p: S::V, _: [S::V; 0]) -> (S::V, [S::V; 0]) {
        (s.fma(s.splat(self.weight), s.sub(p, average), average), [])
    }
}
