//! Clipping by the global norm.

use ndarray::arr1;
use nn::optim::{clip_factor, clip_grad_norm};
use tensor::{Grads, Params, Tape, Workspace};

/// Gradients 3 and (0, 4): of norm 5, over two parameters.
fn gradients(values: [f32; 3]) -> (Params, Grads) {
    let mut params = Params::new();
    let (a, b) = (params.add("a", [1], |_| {}), params.add("b", [2], |_| {}));
    let mut grads = Grads::new(&params);
    let workspace = Workspace::new();
    let tape = Tape::new(&params, &workspace);
    let constant = |values: &[f32]| tape.constant(&arr1(values).into_dyn());
    (tape.param(a) * constant(&values[..1])).sum().backward(&mut grads);
    (tape.param(b) * constant(&values[1..])).sum().backward(&mut grads);
    drop(tape);
    (params, grads)
}

fn numbers(params: &Params, grads: &Grads) -> Vec<f32> {
    params.ids().flat_map(|id| grads.get(id).expect("reached").to_vec()).collect()
}

#[test]
fn a_large_norm_becomes_max_norm_and_the_direction_stays() {
    let (params, mut grads) = gradients([3.0, 0.0, 4.0]);
    assert_eq!(clip_grad_norm(&mut grads, 1.0), 5.0);
    let factor = (1.0 / (5.0 + 1e-6)) as f32; // PyTorch's
    assert_eq!(numbers(&params, &grads), [3.0 * factor, 0.0, 4.0 * factor]);
}

/// PyTorch's 1e-6 under the fraction shows where the norm is small.
#[test]
fn the_factor_is_pytorchs() {
    assert_eq!(clip_factor(1e-3, 1e-4), (1e-4 / 1.001e-3) as f32);
    assert_eq!(clip_factor(1e-4, 1e-4), (1e-4 / 1.01e-4) as f32);
    assert_eq!(clip_factor(0.5e-4, 1e-4), 1.0);
}

#[test]
fn a_small_norm_is_left_alone() {
    for max_norm in [5.1, 1e9, f64::INFINITY] {
        let (params, mut grads) = gradients([3.0, 0.0, 4.0]);
        assert_eq!(clip_grad_norm(&mut grads, max_norm), 5.0);
        assert_eq!(numbers(&params, &grads), [3.0, 0.0, 4.0]);
    }
}

#[test]
fn gradients_of_zero_stay_zero() {
    let (params, mut grads) = gradients([0.0; 3]);
    assert_eq!(clip_grad_norm(&mut grads, 1.0), 0.0);
    assert_eq!(numbers(&params, &grads), [0.0; 3]);
}

#[test]
fn a_norm_that_is_not_finite_is_returned_and_changes_nothing() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (params, mut grads) = gradients([3.0, bad, 4.0]);
        assert!(!clip_grad_norm(&mut grads, 1.0).is_finite());
        let after = numbers(&params, &grads);
        assert_eq!((after[0], after[1].to_bits(), after[2]), (3.0, bad.to_bits(), 4.0));
        assert_eq!(clip_factor(f64::from(bad), 1.0), 1.0);
    }
}

#[test]
#[should_panic(expected = "expected a positive max_norm; found 0")]
fn a_max_norm_of_zero_is_refused() {
    let _ = clip_factor(1.0, 0.0); // it would erase all gradients, while nanoGPT's grad_clip 0 means "do not clip"
}
