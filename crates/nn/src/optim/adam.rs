//! Adam: a step size of its own for every element. With the rule that [`AdamW`](super::AdamW) uses too.

use super::rule::flush_subnormal;
use super::{Group, Optimizer, Rule, Slots, StateError, StepError, power, usual_group};
use tensor::kernels::simd::Simd;
use tensor::{Grads, ParamId, Params};

/// Settings of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// How much of the mean of the gradients is kept at each step: it looks back about `1/(1 - beta1)` steps.
    pub beta1: f64,
    /// The same for the mean of their squares.
    pub beta2: f64,
    /// Keeps the division finite where gradients are zero.
    pub eps: f64,
    /// Added to the gradients of matrices as `weight_decay p` (an L2 penalty). It is then divided by sqrt(v)
    /// like the rest of the gradient, so weights with large gradients hardly decay: see
    /// [`AdamW`](super::AdamW).
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    /// The paper's: 0.9, 0.999, 1e-8; no weight decay.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// Adam (Kingma & Ba 2015, arXiv 1412.6980), exactly PyTorch's:
///
/// ```text
/// g = g + weight_decay p                         (matrices)
/// m = beta1 m + (1 - beta1) g                    the mean of g      } both 0 at first,
/// v = beta2 v + (1 - beta2) g^2                  the mean of g^2    } so too small by 1 - beta^t
/// p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// t counts the steps of each parameter by itself: one that was frozen for a thousand steps and thaws begins with t = 1, as its
/// m and v do. With the count of the others its first step would be 2.5 times lr, the third 3.9 times.
///
/// Where gradients keep their sign, m / sqrt(v) is near 1 and the step near lr, however small they are;
/// where they are noise, it is near 0. The first step has the length lr everywhere.
///
/// Remembers two numbers a parameter (`exp_avg`, `exp_avg_sq`). A step reads 16 and writes 12 bytes an
/// element.
pub struct Adam {
    config: AdamConfig,
    slots: Slots<2>,
    step_count: u64,
}

impl Adam {
    /// For the trainable ones of these parameters.
    #[must_use]
    pub fn new(params: &Params, config: AdamConfig) -> Self {
        Self::with_groups(params, config, usual_group)
    }

    /// The same with another choice of the parameters, of those that decay, or with learning rates of their own.
    #[must_use]
    pub fn with_groups(
        params: &Params,
        config: AdamConfig,
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> Self {
        Self { config, slots: Slots::new(params, MOMENTS, group), step_count: 0 }
    }
}

impl Optimizer for Adam {
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError> {
        let AdamConfig { beta1, beta2, eps, weight_decay } = self.config;
        self.slots.update(params, grads, |_, Group { decays, lr_scale }, step| AdamRule {
            l2: if decays { weight_decay as f32 } else { 0.0 },
            ..AdamRule::new(beta1, beta2, eps, f64::from(lr) * lr_scale, grad_scale, step)
        })?;
        self.step_count += 1;
        Ok(())
    }

    fn step_count(&self) -> u64 {
        self.step_count
    }

    fn state(&self) -> Vec<(String, &[f32])> {
        self.slots.state_with_steps(self.step_count)
    }

    fn load_state(&mut self, step_count: u64, state: &[(String, &[f32])]) -> Result<(), StateError> {
        self.slots.load_state_with_steps(step_count, state)?;
        self.step_count = step_count;
        Ok(())
    }
}

/// PyTorch's names of m and v.
pub(super) const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// The update of one element. What is the same for all elements was computed in f64 and rounded once.
#[derive(Clone, Copy)]
pub(super) struct AdamRule {
    grad_scale: f32,
    /// Adam's weight decay: `l2 p` joins the gradient.
    l2: f32,
    /// AdamW's: `shrink p` is subtracted from p, beside the gradient's step.
    shrink: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    /// lr / (1 - beta1^t)
    step_size: f32,
    /// 1 / sqrt(1 - beta2^t)
    inv_sqrt_correction2: f32,
    eps: f32,
}

impl AdamRule {
    /// The rule of step number `t`, counted from 1, without weight decay.
    pub(super) fn new(beta1: f64, beta2: f64, eps: f64, lr: f64, grad_scale: f32, t: u64) -> Self {
        let correction1 = 1.0 - power(beta1, t);
        let correction2 = 1.0 - power(beta2, t);
        Self {
            grad_scale,
            l2: 0.0,
            shrink: 0.0,
            // 1 - 0.999 in f32 would be off by 5e-5: hence f64 up to here.
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            step_size: (lr / correction1) as f32,
            inv_sqrt_correction2: (1.0 / correction2.sqrt()) as f32,
            eps: eps as f32,
        }
    }

    /// With AdamW's weight decay.
    pub(super) fn shrinking(self, shrink: f32) -> Self {
        Self { shrink, ..self }
    }
}

impl Rule<2> for AdamRule {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, p: S::V, g: S::V, [m, v]: [S::V; 2]) -> (S::V, [S::V; 2]) {
        let g = s.mul(g, s.splat(self.grad_scale));
        let g = s.fma(s.splat(self.l2), p, g);
        // As p - shrink p and not p (1 - shrink), whose factor rounds to a multiple of 6e-8.
        let p = s.fma(s.splat(-self.shrink), p, p);
        // m = beta1 m + (1 - beta1) g, as m + (1 - beta1)(g - m)
        let m = s.fma(s.splat(self.one_minus_beta1), s.sub(g, m), m);
        let v = s.fma(s.mul(s.splat(self.one_minus_beta2), g), g, s.mul(s.splat(self.beta2), v));
        let (m, v) = (flush_subnormal(s, m), flush_subnormal(s, v));
        // eps is added after the correction, as in PyTorch
        let denominator = s.fma(s.sqrt(v), s.splat(self.inv_sqrt_correction2), s.splat(self.eps));
        let p = s.fma(s.splat(-self.step_size), s.div(m, denominator), p);
        (p, [m, v])
    }
}
