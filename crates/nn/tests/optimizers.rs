//! Optimizers against PyTorch's numbers and against what must hold for any optimizer.

mod optimizer_numbers;

use ndarray::ArrayD;
use nn::optim::{
    Adam, AdamConfig, AdamW, AdamWConfig, Group, MissingGradient, Muon, MuonConfig, Optimizer, Sgd,
    SgdConfig, StateError, StepError,
};
use optimizer_numbers as torch;
use tensor::{Grads, ParamId, Params, Tape, Workspace};

/// Writes `gradient(id, p)` for each parameter: the loss sum(c p) has the constant c as its gradient.
fn set_grads(params: &Params, grads: &mut Grads, gradient: impl Fn(ParamId, &[f32]) -> Vec<f32>) {
    let workspace = Workspace::new();
    let tape = Tape::new(params, &workspace);
    grads.clear();
    for id in params.ids().filter(|&id| params.is_trainable(id)) {
        let c =
            ArrayD::from_shape_vec(&params.shape(id)[..], gradient(id, params.data(id))).expect("same shape");
        (tape.param(id) * tape.constant(&c)).sum().backward(grads);
    }
}

const LR: f32 = 0.0625;

/// The bowl of make_optimizer_numbers.py: its start, and its gradient h (p - t).
fn bowl() -> Params {
    let mut params = Params::new();
    params.add("w", [2, 2], |w| w.copy_from_slice(&[1.0, -2.0, 0.5, 3.0]));
    params.add("b", [2], |b| b.copy_from_slice(&[-1.5, 0.25]));
    params
}

fn bowl_gradient(id: ParamId, p: &[f32]) -> Vec<f32> {
    let (h, t): (&[f32], &[f32]) = match id.index() {
        0 => (&[0.25, 1.0, 4.0, 0.5], &[0.0, 1.0, -1.0, 2.0]),
        _ => (&[10.0, 2.0], &[0.5, -0.75]),
    };
    (0..p.len()).map(|i| h[i] * (p[i] - t[i])).collect()
}

fn numbers(params: &Params) -> Vec<f32> {
    params.ids().flat_map(|id| params.data(id).to_vec()).collect()
}

/// One step down the bowl.
fn descend(optimizer: &mut dyn Optimizer, params: &mut Params) {
    let mut grads = Grads::new(params);
    set_grads(params, &mut grads, bowl_gradient);
    optimizer.step(params, &grads, LR).expect("all gradients are there");
}

#[track_caller]
fn check_trajectory(make: impl Fn(&Params) -> Box<dyn Optimizer>, expected: &[[f64; 6]; 10]) {
    let mut params = bowl();
    let mut optimizer = make(&params);
    for (step, expected) in expected.iter().enumerate() {
        descend(optimizer.as_mut(), &mut params);
        for (element, (found, expected)) in numbers(&params).into_iter().zip(expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            let within = error <= 1e-6 * expected.abs().max(1.0);
            assert!(within, "step {step}, element {element}: found {found}, expected {expected}");
        }
    }
    assert_eq!(optimizer.step_count(), 10);
}

fn sgd(params: &Params, momentum: f64, nesterov: bool, weight_decay: f64) -> Box<dyn Optimizer> {
    Box::new(Sgd::new(params, SgdConfig { momentum, nesterov, weight_decay }))
}

fn adam(params: &Params, beta1: f64, beta2: f64, eps: f64, weight_decay: f64) -> Box<dyn Optimizer> {
    Box::new(Adam::new(params, AdamConfig { beta1, beta2, eps, weight_decay }))
}

fn adamw(params: &Params, beta1: f64, beta2: f64, eps: f64, weight_decay: f64) -> Box<dyn Optimizer> {
    Box::new(AdamW::new(params, AdamWConfig { beta1, beta2, eps, weight_decay }))
}

/// One of each kind, with all their features on.
fn one_of_each(params: &Params) -> Vec<Box<dyn Optimizer>> {
    vec![
        sgd(params, 0.9, true, 0.1),
        adam(params, 0.9, 0.999, 1e-8, 0.1),
        adamw(params, 0.9, 0.99, 1e-8, 0.1),
    ]
}

#[test]
fn sgd_is_pytorchs() {
    check_trajectory(|p| sgd(p, 0.9, false, 0.0), &torch::SGD);
    check_trajectory(|p| sgd(p, 0.5, true, 0.25), &torch::SGD_NESTEROV_DECAY);
}

#[test]
fn adam_is_pytorchs() {
    check_trajectory(|p| adam(p, 0.9, 0.999, 1e-8, 0.0), &torch::ADAM);
    check_trajectory(|p| adam(p, 0.75, 0.875, 0.5, 0.25), &torch::ADAM_LARGE_EPS_DECAY);
}

#[test]
fn adamw_is_pytorchs() {
    check_trajectory(|p| adamw(p, 0.9, 0.99, 1e-8, 0.5), &torch::ADAMW);
    check_trajectory(|p| adamw(p, 0.75, 0.875, 0.5, 0.5), &torch::ADAMW_LARGE_EPS);
}

/// With gradients of zero, only decay moves anything.
#[test]
fn decay_is_for_matrices_only_and_the_mask_can_be_chosen() {
    let step = |mut optimizer: Box<dyn Optimizer>| {
        let mut params = bowl();
        let mut grads = Grads::new(&params);
        set_grads(&params, &mut grads, |_, p| vec![0.0; p.len()]);
        optimizer.step(&mut params, &grads, 0.5).expect("gradients");
        numbers(&params)
    };
    let config = AdamWConfig { weight_decay: 0.5, ..Default::default() };
    assert_eq!(step(Box::new(AdamW::new(&bowl(), config))), [0.75, -1.5, 0.375, 2.25, -1.5, 0.25]);
    let only_b = AdamW::with_groups(&bowl(), config, |params, id| {
        Some(Group { decays: params.name(id) == "b", lr_scale: 1.0 })
    });
    assert_eq!(step(Box::new(only_b)), [1.0, -2.0, 0.5, 3.0, -1.125, 0.1875]);
    assert_eq!(step(sgd(&bowl(), 0.0, false, 0.5)), [0.75, -1.5, 0.375, 2.25, -1.5, 0.25]);
}

/// p - lr (g + decay p) = (1 - lr decay) p - lr g: for SGD, an L2 penalty is weight decay.
#[test]
fn for_sgd_l2_is_weight_decay() {
    let (mut params, mut by_hand) = (bowl(), bowl());
    let mut optimizer = sgd(&params, 0.0, false, 0.25);
    for _ in 0..10 {
        descend(optimizer.as_mut(), &mut params);
        for id in by_hand.ids() {
            let g = bowl_gradient(id, by_hand.data(id));
            let keep = if id.index() == 0 { 1.0 - LR * 0.25 } else { 1.0 };
            by_hand.data_mut(id).iter_mut().zip(g).for_each(|(p, g)| *p = keep * *p - LR * g);
        }
    }
    for (a, b) in numbers(&params).into_iter().zip(numbers(&by_hand)) {
        assert!((a - b).abs() <= 1e-6, "{a} and {b}");
    }
}

/// For Adam it is not (and without decay the two are one algorithm).
#[test]
fn adam_and_adamw_differ_by_their_decay() {
    let run = |make: fn(&Params, f64, f64, f64, f64) -> Box<dyn Optimizer>, decay| {
        let mut params = bowl();
        let mut optimizer = make(&params, 0.9, 0.99, 1e-8, decay);
        (0..10).for_each(|_| descend(optimizer.as_mut(), &mut params));
        numbers(&params)
    };
    assert_eq!(run(adam, 0.0), run(adamw, 0.0));
    let (l2, decoupled) = (run(adam, 0.5), run(adamw, 0.5));
    assert!((0..4).all(|i| (l2[i] - decoupled[i]).abs() > 1e-3), "{l2:?} and {decoupled:?}");
    assert_eq!(l2[4..], decoupled[4..]); // the vector decays in neither
}

#[test]
fn every_optimizer_reaches_the_bottom_of_a_bowl() {
    let start = bowl();
    for mut optimizer in [sgd(&start, 0.5, false, 0.0), sgd(&start, 0.5, true, 0.0)] {
        let mut params = bowl();
        (0..2000).for_each(|_| descend(optimizer.as_mut(), &mut params));
        assert_at_bottom(&params, 1e-5);
    }
    for mut optimizer in [adam(&start, 0.9, 0.99, 1e-8, 0.0), adamw(&start, 0.9, 0.99, 1e-8, 0.0)] {
        let mut params = bowl();
        for step in 0..4000 {
            let mut grads = Grads::new(&params);
            set_grads(&params, &mut grads, bowl_gradient);
            let lr = LR * (1.0 - step as f32 / 4000.0); // Adam's steps only shrink with lr
            optimizer.step(&mut params, &grads, lr).expect("gradients");
        }
        assert_at_bottom(&params, 1e-3);
    }
}

#[track_caller]
fn assert_at_bottom(params: &Params, tolerance: f32) {
    for (p, target) in numbers(params).into_iter().zip([0.0, 1.0, -1.0, 2.0, 0.5, -0.75]) {
        assert!((p - target).abs() <= tolerance, "found {p}, the bottom is at {target}");
    }
}

#[test]
fn a_missing_gradient_is_an_error_and_changes_nothing() {
    for mut optimizer in one_of_each(&bowl()) {
        let mut params = bowl();
        let w = params.id("w").expect("there");
        let mut grads = Grads::new(&params);
        let workspace = Workspace::new();
        let tape = Tape::new(&params, &workspace);
        tape.param(w).sum().backward(&mut grads);
        drop(tape);
        let error = optimizer.step(&mut params, &grads, LR).expect_err("b has no gradient");
        assert_eq!(error, MissingGradient { names: vec!["b".to_string()] }.into());
        assert!(error.to_string().starts_with("no gradient for b: "), "{error}");
        assert_eq!((numbers(&params), optimizer.step_count()), (numbers(&bowl()), 0));
        assert!(optimizer.state().iter().all(|(_, x)| x.iter().all(|&x| x == 0.0)));
        // Frozen, it needs none, and stays where it is.
        params.set_trainable(params.id("b").expect("there"), false);
        optimizer.step(&mut params, &grads, LR).expect("only w trains");
        assert_eq!(numbers(&params)[4..], numbers(&bowl())[4..]);
    }
}

#[test]
fn what_is_frozen_costs_no_memory() {
    let mut params = bowl();
    params.set_trainable(params.id("w").expect("there"), false);
    let optimizer = adamw(&params, 0.9, 0.99, 1e-8, 0.1);
    let names: Vec<String> = optimizer.state().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["exp_avg.b", "exp_avg_sq.b"]);
}

/// An average that shrinks for ever ends at zero and not at the smallest numbers, which are slow.
#[test]
fn averages_of_zero_gradients_become_zero() {
    for mut optimizer in one_of_each(&bowl()) {
        let mut params = bowl();
        descend(optimizer.as_mut(), &mut params);
        let mut grads = Grads::new(&params);
        set_grads(&params, &mut grads, |_, p| vec![0.0; p.len()]);
        for _ in 0..12_000 {
            params.all_mut().for_each(|(_, p)| p.fill(0.0)); // so that no L2 penalty moves anything
            optimizer.step(&mut params, &grads, LR).expect("gradients");
            let state = optimizer.state();
            assert!(state.iter().flat_map(|(_, x)| *x).all(|x| !x.is_subnormal()));
        }
        let state = optimizer.state();
        let first = state.iter().filter(|(name, _)| !name.starts_with("exp_avg_sq")); // 0.999^n takes longer
        assert!(first.flat_map(|(_, x)| *x).all(|&x| x == 0.0));
    }
}

#[test]
fn scaling_on_the_way_is_scaling_before() {
    for (mut a, mut b) in one_of_each(&bowl()).into_iter().zip(one_of_each(&bowl())) {
        let (mut pa, mut pb) = (bowl(), bowl());
        for _ in 0..3 {
            let mut grads = Grads::new(&pa);
            set_grads(&pa, &mut grads, bowl_gradient);
            a.step_scaled(&mut pa, &grads, LR, 0.3).expect("gradients");
            grads.scale(0.3);
            b.step(&mut pb, &grads, LR).expect("gradients");
            assert_eq!(numbers(&pa), numbers(&pb));
        }
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    for (mut straight, mut resumed) in one_of_each(&bowl()).into_iter().zip(one_of_each(&bowl())) {
        let mut params = bowl();
        (0..5).for_each(|_| descend(straight.as_mut(), &mut params));
        let mut copy = params.clone();
        let mut saved = straight.state();
        saved.reverse(); // files have an order of their own
        resumed.load_state(straight.step_count(), &saved).expect("the same model");
        drop(saved);
        for _ in 0..5 {
            descend(straight.as_mut(), &mut params);
            descend(resumed.as_mut(), &mut copy);
        }
        assert_eq!(numbers(&params), numbers(&copy));
        assert_eq!((straight.state(), straight.step_count()), (resumed.state(), resumed.step_count()));
    }
}

/// The optimizers whose steps depend on how many there were before, Muon by way of its AdamW, all without weight decay.
fn that_count(params: &Params, beta2: f64) -> Vec<Box<dyn Optimizer>> {
    let adamw = AdamWConfig { beta2, weight_decay: 0.0, ..AdamWConfig::default() };
    let none = |_: &Params, _: ParamId| Vec::new();
    vec![
        adam(params, 0.9, beta2, 1e-8, 0.0),
        Box::new(AdamW::new(params, adamw)),
        Box::new(Muon::new(params, MuonConfig { adamw, ..MuonConfig::default() }, none)),
    ]
}

/// One step along constant gradients, after which `w` and `b` have moved by these multiples of the learning rate.
fn moved(optimizer: &mut dyn Optimizer, params: &mut Params) -> [f64; 2] {
    let (before, mut grads) = (numbers(params), Grads::new(params));
    set_grads(params, &mut grads, |_, p| vec![0.25; p.len()]);
    optimizer.step(params, &grads, LR).expect("all gradients are there");
    let after = numbers(params);
    [0, 4].map(|i| f64::from(before[i] - after[i]) / f64::from(LR))
}

/// With a constant gradient both means are exact after their correction, m = g and v = g^2, so each step has the length of the
/// learning rate: in PyTorch, whose optimizers count the steps of each parameter, also those after a long rest. With one
/// count for all they were 2.5, 3.4 and 3.9 times as long for beta2 = 0.999.
#[test]
fn what_thaws_begins_as_a_new_parameter_does() {
    for beta2 in [0.99, 0.999, 0.9999] {
        for (kind, mut optimizer) in that_count(&bowl(), beta2).into_iter().enumerate() {
            let mut params = bowl();
            let w = params.id("w").expect("there");
            params.set_trainable(w, false);
            for _ in 0..1000 {
                let [still, goes] = moved(optimizer.as_mut(), &mut params);
                assert!(still == 0.0 && (goes - 1.0).abs() < 1e-3, "{kind} {beta2}: {still} {goes}");
            }
            // What is saved in the middle of it goes on in the same way.
            let mut resumed = that_count(&params, beta2).remove(kind); // has no room for what is frozen
            assert!(matches!(resumed.load_state(1000, &optimizer.state()), Err(StateError::Unknown { .. })));
            let mut resumed = that_count(&bowl(), beta2).remove(kind);
            resumed.load_state(optimizer.step_count(), &optimizer.state()).expect("the same model");
            params.set_trainable(w, true);
            let mut params_of_resumed = params.clone();
            for step in 0..5 {
                let steps = moved(optimizer.as_mut(), &mut params);
                for step_length in steps {
                    assert!((step_length - 1.0).abs() < 1e-3, "{kind} {beta2}, step {step}: {steps:?}");
                }
                assert_eq!(moved(resumed.as_mut(), &mut params_of_resumed), steps);
            }
            assert_eq!(numbers(&params), numbers(&params_of_resumed));
            assert_eq!((optimizer.state(), optimizer.step_count()), (resumed.state(), resumed.step_count()));
        }
    }
}

/// A number of steps is saved where it is not that of all, so a state without any is one of before there were such numbers:
/// then every parameter has the number of all.
#[test]
fn numbers_of_steps_are_saved_where_they_differ() {
    for (kind, mut optimizer) in that_count(&bowl(), 0.999).into_iter().enumerate() {
        let mut params = bowl();
        let w = params.id("w").expect("there");
        let steps = |optimizer: &dyn Optimizer| -> Vec<(String, Vec<f32>)> {
            let state = optimizer.state().into_iter().filter(|(name, _)| name.starts_with("step."));
            state.map(|(name, x)| (name, x.to_vec())).collect()
        };
        (0..3).for_each(|_| _ = moved(optimizer.as_mut(), &mut params));
        assert_eq!(steps(optimizer.as_ref()), []);
        params.set_trainable(w, false);
        (0..2).for_each(|_| _ = moved(optimizer.as_mut(), &mut params));
        assert_eq!(steps(optimizer.as_ref()), [("step.w".to_string(), vec![3.0])]);
        // Without the number the optimizer takes five steps for granted, and the next step of `w` is another.
        let mut state = optimizer.state();
        let mut new = that_count(&bowl(), 0.999).remove(kind);
        new.load_state(5, &state).expect("a state of today");
        state.retain(|(name, _)| name != "step.w");
        let mut old = that_count(&bowl(), 0.999).remove(kind);
        old.load_state(5, &state).expect("a state of before");
        assert_eq!(steps(old.as_ref()), []);
        params.set_trainable(w, true);
        let next = |optimizer: &mut dyn Optimizer| moved(optimizer, &mut params.clone());
        let (new, old) = (next(new.as_mut()), next(old.as_mut()));
        assert!((new[0] - 1.0).abs() < 1e-3 && new[1] == old[1] && new[0] != old[0], "{new:?} {old:?}");
        // What no training can have counted is refused whole.
        for (found, steps) in [("6", 6.0), ("-1", -1.0), ("0.5", 0.5), ("NaN", f32::NAN)] {
            let bad = [steps];
            let mut state = state.clone();
            state.push(("step.w".to_string(), &bad));
            let error = StateError::Steps { name: "step.w".into(), all: 5, found: found.into() };
            let mut fresh = that_count(&bowl(), 0.999).remove(kind);
            assert_eq!(fresh.load_state(5, &state), Err(error));
            assert!(fresh.state().iter().all(|(_, x)| x.iter().all(|&x| x == 0.0)));
        }
        let unknown = StateError::Unknown { name: "step.v".into() };
        state.push(("step.v".to_string(), &[1.0]));
        assert_eq!(that_count(&bowl(), 0.999).remove(kind).load_state(5, &state), Err(unknown));
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_whole() {
    let mut optimizer = adamw(&bowl(), 0.9, 0.99, 1e-8, 0.1);
    let name = |name: &str| name.to_string();
    let (four, two) = ([1.0; 4], [1.0; 2]);
    let good: Vec<(String, &[f32])> = vec![
        (name("exp_avg.w"), &four),
        (name("exp_avg_sq.w"), &four),
        (name("exp_avg.b"), &two),
        (name("exp_avg_sq.b"), &two),
    ];
    let cases = [
        (good[..3].to_vec(), StateError::Missing { name: name("exp_avg_sq.b") }),
        (
            [&good[..3], &[(name("exp_avg_sq.b"), &four[..])]].concat(),
            StateError::Length { name: name("exp_avg_sq.b"), expected: 2, found: 4 },
        ),
        (
            [&good[..], &[(name("momentum_buffer.w"), &four[..])]].concat(),
            StateError::Unknown { name: name("momentum_buffer.w") },
        ),
    ];
    for (state, error) in cases {
        assert_eq!(optimizer.load_state(7, &state), Err(error));
        assert_eq!(optimizer.step_count(), 0);
        assert!(optimizer.state().iter().all(|(_, x)| x.iter().all(|&x| x == 0.0)));
    }
    assert_eq!(optimizer.load_state(7, &good), Ok(()));
    assert_eq!(optimizer.step_count(), 7);
}

/// A number that is not finite, in a parameter or in what is remembered about it, is found by the next step, wherever it
/// stands and however it got there.
#[test]
fn a_step_finds_what_is_not_finite() {
    const LEN: usize = 16 * 1024 + 21; // two chunks, the second with whole vectors and a tail
    let build = || {
        let mut params = Params::new();
        params.add("w", [LEN, 1], |w| w.fill(0.5));
        params.add("b", [3], |b| b.fill(0.5));
        params
    };
    for kind in 0..3 {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 16 * 1024 - 1, 16 * 1024, LEN - 1] {
                let mut params = build();
                let mut optimizer = one_of_each(&params).swap_remove(kind);
                let mut grads = Grads::new(&params);
                set_grads(&params, &mut grads, |_, p| vec![0.25; p.len()]);
                optimizer.step(&mut params, &grads, 1e-3).expect("all is finite");
                let saved: Vec<_> = optimizer.state().into_iter().map(|(n, x)| (n, x.to_vec())).collect();
                for (name, _) in saved.iter().filter(|(name, _)| name.ends_with(".w")) {
                    let mut state = saved.clone();
                    state.iter_mut().find(|(n, _)| n == name).expect("there").1[at] = bad;
                    let state: Vec<_> = state.iter().map(|(n, x)| (n.clone(), &x[..])).collect();
                    optimizer.load_state(1, &state).expect("the same model");
                    let mut params = params.clone();
                    let error = optimizer.step(&mut params, &grads, 1e-3).expect_err("not finite");
                    assert_eq!(error, StepError::NonFinite { names: vec!["w".to_string()] }, "{name} {at}");
                }
                let good: Vec<_> = saved.iter().map(|(n, x)| (n.clone(), &x[..])).collect();
                optimizer.load_state(1, &good).expect("the same model");
                params.data_mut(params.id("w").expect("there"))[at] = bad;
                let error = optimizer.step(&mut params, &grads, 1e-3).expect_err("not finite");
                assert_eq!(error, StepError::NonFinite { names: vec!["w".to_string()] }, "{at}");
            }
        }
    }
}
