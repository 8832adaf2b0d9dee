//! Whatever number becomes NaN or infinite, wherever it is: the same update finds it, and nothing is saved.
//!
//! `CASES=1000 cargo test -p gpt --lib faults_tests` is the long run.

use super::step::Windows;
use super::{TrainError, Trainer, UpdateError};
use crate::config::{Config, Preset};
use crate::files::Tensors;
use crate::model::Gpt;
use crate::train::Checkpoint;
use data::Batch;
use nn::DropoutSeeds;
use random::{Rng, Stream};
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::{Grad, Op, ParamId, Saved, Shape, ShapeError, Tape, Var, View};

const VOCAB: u32 = 13;
const BAD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Injections of each kind.
fn cases() -> u64 {
    std::env::var("CASES").map_or(60, |cases| cases.parse().expect("CASES is a number"))
}

/// Untied, so that the embeddings of unseen tokens take no part in the loss.
fn config(optimizer: &str) -> Config {
    let mut config = Preset::NanoCpu.config(VOCAB as usize);
    let settings = [
        ("n_layer", "2"),
        ("n_head", "2"),
        ("n_embd", "12"),
        ("block_size", "8"),
        ("batch_size", "4"),
        ("bias", "true"),
        ("tied", "false"),
        ("dropout", "0.1"),
        ("max_iters", "40"),
        ("warmup_iters", "2"),
        ("ema", "0.9"),
        ("spike_guard", "6"),
        ("optimizer", optimizer),
    ];
    settings.iter().for_each(|(name, value)| config.set(name, value).expect("a setting"));
    config
}

/// Two of the thirteen tokens never occur.
fn text() -> Vec<u32> {
    (0..500).map(|i| (i * i + i / 3) % (VOCAB - 2)).collect()
}

/// A training after three updates, as a checkpoint to begin each case with.
fn begun(optimizer: &str) -> Checkpoint {
    let mut trainer = Trainer::new(&config(optimizer), &text()[..]).expect("a valid configuration");
    (0..3).for_each(|_| _ = trainer.step(&text()).expect("finite"));
    trainer.checkpoint("{}").copied()
}

fn resumed(checkpoint: &Checkpoint) -> Trainer {
    Trainer::from_checkpoint(checkpoint, text().len()).expect("its own checkpoint")
}

fn for_each_case(mut case: impl FnMut(&Checkpoint, &mut Rng)) {
    let begun = ["adamw", "muon", "sgd", "adam"].map(begun);
    for seed in 0..cases() {
        case(&begun[seed as usize % begun.len()], &mut Rng::new(seed, Stream::Other(0)));
    }
}

fn one_of<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.below(all.len() as u64) as usize]
}

fn parameter(rng: &mut Rng, trainer: &Trainer) -> ParamId {
    one_of(rng, &trainer.params.ids().collect::<Vec<_>>())
}

/// The tensors of a checkpoint cannot be written, and nothing is left of the attempt.
fn assert_not_saved(trainer: &Trainer) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("step-4");
    trainer.checkpoint("{}").write(&path).expect_err("not finite");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

fn damage(tensors: &mut Tensors, rng: &mut Rng) -> String {
    let names: Vec<String> = tensors.keys().cloned().collect();
    let name = &names[rng.below(names.len() as u64) as usize];
    let data = &mut tensors.get_mut(name).expect("there").data;
    let at = rng.below(data.len() as u64) as usize;
    data[at] = one_of(rng, &BAD);
    name.clone()
}

#[test]
fn in_the_weights() {
    for_each_case(|begun, rng| {
        let mut trainer = resumed(begun);
        let id = parameter(rng, &trainer);
        let at = rng.below(trainer.params.data(id).len() as u64) as usize;
        trainer.params.data_mut(id)[at] = one_of(rng, &BAD);
        let name = trainer.params.name(id).to_string();
        let error = trainer.step(&text()).expect_err(&name);
        let told =
            matches!(error, TrainError::NonFinite { iter: 3, .. } | TrainError::Damaged { iter: 3, .. });
        assert!(told, "{name}: {error}");
        assert_not_saved(&trainer);
    });
}

/// A weight that is frozen, and takes no part in the loss.
#[test]
fn in_a_frozen_weight() {
    let mut config = config("adamw");
    config.set("freeze_emb", "10").expect("a setting");
    for bad in BAD {
        let mut trainer = Trainer::new(&config, &text()[..]).expect("a valid configuration");
        trainer.step(&text()).expect("finite");
        let wte = trainer.model.wte.weight;
        trainer.params.data_mut(wte)[12 * 12 + 5] = bad; // of a token that never occurs
        let error = trainer.step(&text()).expect_err("not finite");
        assert!(matches!(&error, TrainError::Damaged { iter: 1, names } if names == "wte.weight"), "{error}");
        assert_not_saved(&trainer);
    }
}

#[test]
fn in_the_moments_and_the_average() {
    for_each_case(|begun, rng| {
        let mut checkpoint = begun.clone();
        let tensors = if rng.below(4) == 0 { &mut checkpoint.ema } else { &mut checkpoint.optimizer };
        let name = damage(tensors, rng);
        let mut trainer = resumed(&checkpoint);
        let error = trainer.step(&text()).expect_err(&name);
        assert!(
            matches!(&error, TrainError::Damaged { iter: 3, names } if name.ends_with(names)),
            "{name}: {error}"
        );
        assert_not_saved(&trainer);
    });
}

#[test]
fn in_the_gradients() {
    for_each_case(|begun, rng| {
        let mut trainer = resumed(begun);
        let before = trainer.checkpoint("").copied();
        let batch = trainer.sampler.read_batch(&text()).unwrap();
        let windows = Windows::new(&trainer.model, &trainer.config, &batch);
        let loss = trainer.engine.gradients(&trainer.params, 3, &windows);
        let id = parameter(rng, &trainer);
        let gradient = trainer.engine.lanes[0].grads.get_mut(id).expect("reached");
        let at = rng.below(gradient.len() as u64) as usize;
        gradient[at] = one_of(rng, &BAD);
        let windows = Windows::new(&trainer.model, &trainer.config, &batch);
        let error = trainer.engine.finish(&mut trainer.params, 3, &windows, loss).expect_err("not finite");
        assert!(matches!(error, UpdateError::NonFinite(_)), "{error}");
        assert_unchanged(&trainer, &before);
    });
}

fn assert_unchanged(trainer: &Trainer, before: &Checkpoint) {
    let after = Checkpoint { sampler: before.sampler.clone(), ..trainer.checkpoint("").copied() };
    assert!(after == *before, "an update was made");
}

/// y = x, but for one element: of y in the forward, or of dx in the backward.
#[derive(Debug)]
struct Fault {
    at: u64,
    bad: f32,
    forward: bool,
}

impl Op for Fault {
    fn name(&self) -> &'static str {
        "fault"
    }
    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }
    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        y.copy_from_slice(x[0].data);
        if self.forward {
            y[self.at as usize % x[0].data.len()] = self.bad;
        }
    }
    fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let faulty = self.at as usize % dy.len();
        if let Some(dx) = &mut dx[0] {
            dx.write(|i| if i == faulty && !self.forward { self.bad } else { dy[i] });
        }
    }
    fn definition(&self, x: &[ndarray::ArrayD<f64>]) -> ndarray::ArrayD<f64> {
        x[0].clone() // never asked for
    }
}

/// The loss of [`Gpt::loss`], with a fault at one of the places between two layers. (Not in the logits, where -infinity
/// is no fault but a class that is ruled out.)
fn loss_with_a_fault<'t>(model: &Gpt, tape: &'t Tape<'_>, batch: &Batch, rng: &mut Rng) -> Var<'t> {
    let seeds = DropoutSeeds::off();
    let shape = [batch.batch_size, batch.block_size];
    let intervals = Arc::new(Intervals::causal(batch.block_size));
    let mut places = rng.below(2 + 5 * model.h.len() as u64) as i64;
    let fault = Fault { at: rng.next_u64(), bad: one_of(rng, &BAD), forward: rng.below(2) == 0 };
    let mut fault = Some(fault);
    let mut pass = |x: Var<'t>| {
        places -= 1;
        if places >= 0 { x } else { fault.take().map_or(x, |fault| tape.apply(fault, &[x])) }
    };
    let positions = tape.param(model.wpe.expect("learned positions").weight);
    let mut x = pass(model.wte.forward_with_positions(positions, &batch.ids, &shape));
    for block in &model.h {
        let normed = pass(block.ln_1.forward(x));
        let attended = pass(block.attn.forward(normed, &intervals, &mut None, &seeds));
        x = pass(x + attended);
        let normed = pass(block.ln_2.forward(x));
        let fed = pass(block.mlp.forward(normed, &seeds));
        x = pass(x + fed);
    }
    let logits = model.lm_head.forward(pass(model.ln_f.forward(x)));
    logits.regularized_cross_entropy(&batch.labels, &batch.weights, 32.0, Regularizer::NONE)
}

#[test]
fn in_the_activations_and_their_gradients() {
    for_each_case(|begun, rng| {
        let mut trainer = resumed(begun);
        let before = trainer.checkpoint("").copied();
        let batch = trainer.sampler.read_batch(&text()).unwrap();
        let lane = &mut trainer.engine.lanes[0];
        lane.grads.clear();
        let tape = Tape::new(&trainer.params, &lane.workspace);
        let loss = loss_with_a_fault(&trainer.model, &tape, &batch, rng);
        loss.backward(&mut lane.grads);
        let (loss, equations) = (loss.item(), format!("{tape}"));
        drop(tape);
        let windows = Windows::new(&trainer.model, &trainer.config, &batch);
        let finished = trainer.engine.finish(&mut trainer.params, 3, &windows, f64::from(loss));
        let error = finished.expect_err(&equations);
        assert!(matches!(error, UpdateError::NonFinite(_)), "{error}");
        assert_unchanged(&trainer, &before);
    });
}
