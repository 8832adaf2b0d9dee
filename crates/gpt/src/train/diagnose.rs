//! Where a non-finite number came from.

use tensor::{DropoutSeeds, Grads, Params, Tape, Var, Workspace};

/// Computes a loss again and names the first value that is not finite: a parameter, the output of
/// an operation in the order of the forward, or an adjoint in the order of the backward.
pub(super) fn first_non_finite(
    params: &Params,
    seeds: DropoutSeeds,
    loss: impl for<'t> Fn(&'t Tape<'_>) -> Var<'t>,
) -> Option<String> {
    let workspace = Workspace::new();
    let tape = Tape::new(params, &workspace).with_dropout(seeds);
    let loss = loss(&tape);
    if let Some(value) = loss.first_non_finite() {
        return Some(value);
    }
    let mut grads = Grads::new(params);
    let mut first = None;
    loss.backward_from(&[1.0], &mut grads, |index, adjoint| {
        if first.is_none() && adjoint.iter().any(|x| !x.is_finite()) {
            first = Some(format!("the gradient by {} is not finite", tape.equation(index)));
        }
    });
    first.or_else(|| {
        let id = params.ids().find(|&id| grads.get(id).is_some_and(|g| g.iter().any(|x| !x.is_finite())))?;
        Some(format!("the gradient of {} is not finite", params.name(id)))
    })
}
