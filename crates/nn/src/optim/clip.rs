//! Clipping: one bad batch must not throw the weights away.

use tensor::Grads;

/// Scales all gradients together so that their Euclidean norm is at most `max_norm`, which keeps their
/// direction (Pascanu et al. 2013, arXiv 1211.5063). Returns the norm that they had.
///
/// A norm that is not finite leaves the gradients as they are: no factor can repair them. The caller sees
/// it in the result and refuses the step.
///
/// ```
/// # use tensor::{Grads, Params, Tape, Workspace};
/// # let (mut params, workspace) = (Params::new(), Workspace::new());
/// # let w = params.add("w", [2], |w| w.copy_from_slice(&[1.5, 2.0]));
/// # let mut grads = Grads::new(&params);
/// # let tape = Tape::new(&params, &workspace);
/// # (tape.param(w) * tape.param(w)).sum().backward(&mut grads);
/// # drop(tape);
/// assert_eq!(grads.get(w), Some(&[3.0, 4.0][..]));
/// let norm = nn::optim::clip_grad_norm(&mut grads, 1.0);
/// assert_eq!(norm, 5.0);
/// assert!((grads.norm() - 1.0).abs() < 1e-6);
/// ```
///
/// # Panics
/// If `max_norm` is not positive. `f64::INFINITY` measures and never clips.
#[track_caller]
pub fn clip_grad_norm(grads: &mut Grads, max_norm: f64) -> f64 {
    let norm = grads.norm();
    let factor = clip_factor(norm, max_norm);
    if factor != 1.0 {
        grads.scale(factor);
    }
    norm
}

/// The factor by which [`clip_grad_norm`] multiplies gradients of this norm: PyTorch's
/// `max_norm / (norm + 1e-6)`, at most 1; and 1 for a norm that is not finite. With
/// [`Optimizer::step_scaled`](super::Optimizer::step_scaled), clipping costs no pass over the gradients.
///
/// # Panics
/// If `max_norm` is not positive.
#[track_caller]
#[must_use]
pub fn clip_factor(norm: f64, max_norm: f64) -> f32 {
    assert!(max_norm > 0.0, "clip_grad_norm: expected a positive max_norm; found {max_norm}");
    if !norm.is_finite() {
        return 1.0;
    }
    (max_norm / (norm + 1e-6)).min(1.0) as f32
}
