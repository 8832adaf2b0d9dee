//! AdamW: Adam with weight decay beside the gradient instead of in it.

use super::adam::{AdamRule, MOMENTS};
use super::{Group, Optimizer, Slots, StateError, StepError, usual_group};
use tensor::{Grads, ParamId, Params};

/// Settings of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// How much of the mean of the gradients is kept at each step: it looks back about `1/(1 - beta1)` steps.
    pub beta1: f64,
    /// The same for the mean of their squares. Small batches want longer memory: 0.99 for the character
    /// models of nanoGPT, 0.95 for GPT-3.
    pub beta2: f64,
    /// Keeps the division finite where gradients are zero.
    pub eps: f64,
    /// The part of a weight that a step with learning rate 1 would take away.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    /// nanoGPT's for character models: 0.9, 0.99, 1e-8, 0.1.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 }
    }
}

impl AdamWConfig {
    /// What step number `t`, counted from 1, does to the elements of a group.
    pub(super) fn rule(&self, group: Group, lr: f32, grad_scale: f32, t: u64) -> AdamRule {
        let lr = f64::from(lr) * group.lr_scale;
        let rule = AdamRule::new(self.beta1, self.beta2, self.eps, lr, grad_scale, t);
        rule.shrinking(if group.decays { (lr * self.weight_decay) as f32 } else { 0.0 })
    }
}

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), exactly PyTorch's:
///
/// ```text
/// p = p - lr weight_decay p                      (matrices: see `usual_group`)
/// m = beta1 m + (1 - beta1) g                    the mean of g      } both 0 at first,
/// v = beta2 v + (1 - beta2) g^2                  the mean of g^2    } so too small by 1 - beta^t
/// p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// In [`Adam`](super::Adam) the decay is part of g and is divided by sqrt(v): a weight with large
/// gradients hardly decays. Here all weights decay at one rate, lr times weight_decay.
///
/// Remembers two numbers a parameter (`exp_avg`, `exp_avg_sq`). A step reads 16 and writes 12 bytes an
/// element.
pub struct AdamW {
    config: AdamWConfig,
    slots: Slots<2>,
    step_count: u64,
}

impl AdamW {
    /// For the trainable ones of these parameters; matrices decay.
    #[must_use]
    pub fn new(params: &Params, config: AdamWConfig) -> Self {
        Self::with_groups(params, config, usual_group)
    }

    /// The same with another choice of the parameters, of those that decay, or with learning rates of their own.
    #[must_use]
    pub fn with_groups(
        params: &Params,
        config: AdamWConfig,
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> Self {
        Self { config, slots: Slots::new(params, MOMENTS, group), step_count: 0 }
    }
}

impl Optimizer for AdamW {
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError> {
        self.slots.update(params, grads, |_, group, step| self.config.rule(group, lr, grad_scale, step))?;
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
