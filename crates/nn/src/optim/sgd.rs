//! Stochastic gradient descent, with momentum.

use super::rule::flush_subnormal;
use super::{Group, Optimizer, Rule, Slots, StateError, StepError, usual_group};
use tensor::kernels::simd::Simd;
use tensor::{Grads, ParamId, Params};

/// Settings of [`Sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdConfig {
    /// How much of the last direction is kept; 0 for plain descent, often 0.9.
    pub momentum: f64,
    /// Look ahead: step along `g + momentum v` instead of `v`. Nesterov (1983), in the form of Sutskever
    /// et al. (2013) that PyTorch uses.
    pub nesterov: bool,
    /// Added to the gradients of matrices as `weight_decay p`: the gradient of the penalty
    /// `weight_decay/2 |p|^2`. Without momentum this equals shrinking p by `1 - lr weight_decay`; with
    /// adaptive step sizes it does not, which is why there is [`AdamW`](super::AdamW).
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    /// Momentum 0.9, neither Nesterov nor weight decay.
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

/// Stochastic gradient descent with momentum, exactly PyTorch's `SGD` (dampening 0):
///
/// ```text
/// g = g + weight_decay p                         (matrices)
/// v = momentum v + g                             v is 0 at first
/// p = p - lr v              or, with Nesterov,   p = p - lr (g + momentum v)
/// ```
///
/// Momentum averages the noise of the gradients away and adds up what they agree on: along a steady
/// gradient it moves `1 / (1 - momentum)` times as far. Polyak (1964); Sutskever et al., "On the importance
/// of initialization and momentum in deep learning" (2013).
///
/// Remembers one number a parameter (`momentum_buffer`). A step reads 12 and writes 8 bytes an element.
pub struct Sgd {
    config: SgdConfig,
    slots: Slots<1>,
    step_count: u64,
}

impl Sgd {
    /// For the trainable ones of these parameters.
    #[must_use]
    pub fn new(params: &Params, config: SgdConfig) -> Self {
        Self::with_groups(params, config, usual_group)
    }

    /// The same with another choice of the parameters, of those that decay, or with learning rates of their own.
    #[must_use]
    pub fn with_groups(
        params: &Params,
        config: SgdConfig,
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> Self {
        Self { config, slots: Slots::new(params, ["momentum_buffer"], group), step_count: 0 }
    }
}

impl Optimizer for Sgd {
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError> {
        let SgdConfig { momentum, nesterov, weight_decay } = self.config;
        self.slots.update(params, grads, |_, Group { decays, lr_scale }, _| SgdRule {
            grad_scale,
            l2: if decays { weight_decay as f32 } else { 0.0 },
            momentum: momentum as f32,
            nesterov,
            lr: (f64::from(lr) * lr_scale) as f32,
        })?;
        self.step_count += 1;
        Ok(())
    }

    fn step_count(&self) -> u64 {
        self.step_count
    }

    fn state(&self) -> Vec<(String, &[f32])> {
        self.slots.state()
    }

    fn load_state(&mut self, step_count: u64, state: &[(String, &[f32])]) -> Result<(), StateError> {
        self.slots.load_state(state)?;
        self.step_count = step_count;
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct SgdRule {
    grad_scale: f32,
    l2: f32,
    momentum: f32,
    nesterov: bool,
    lr: f32,
}

impl Rule<1> for SgdRule {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, p: S::V, g: S::V, [v]: [S::V; 1]) -> (S::V, [S::V; 1]) {
        let momentum = s.splat(self.momentum);
        let g = s.mul(g, s.splat(self.grad_scale));
        let g = s.fma(s.splat(self.l2), p, g);
        let v = flush_subnormal(s, s.fma(momentum, v, g));
        let direction = if self.nesterov { s.fma(momentum, v, g) } else { v };
        (s.fma(s.splat(-self.lr), direction, p), [v])
    }
}
