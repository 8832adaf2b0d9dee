//! The same numbers as PyTorch: logits, loss and every gradient of six small models, and ten steps of AdamW.
//!
//! The fixtures hold numbers that `fixtures/make_fixtures.py` computed with PyTorch in f64 and rounded once to
//! f32. No Python is needed here.

use gpt::Gpt;
use gpt::config::{Activation, GptConfig, Norm};
use nn::Context;
use nn::optim::{AdamW, AdamWConfig, Optimizer, clip_factor};
use random::{Rng, Stream};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::{Grads, Params, Tape, Workspace};

/// Relative to the largest magnitude of each tensor. PyTorch's own f32 is 1.5e-6 from these numbers.
const TOLERANCE: f32 = 1e-5;

/// The numbers of a file in `fixtures`.
pub(crate) struct Fixture {
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Settings {
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    block_size: usize,
    vocab_size: usize,
    bias: bool,
    tied: bool,
    #[serde(default)]
    lr: f32,
    #[serde(default)]
    beta1: f64,
    #[serde(default)]
    beta2: f64,
    #[serde(default)]
    eps: f64,
    #[serde(default)]
    weight_decay: f64,
    #[serde(default)]
    grad_clip: f64,
}

/// A file in `fixtures`.
pub(crate) fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

impl Fixture {
    pub(crate) fn read(name: &str) -> Self {
        Self { bytes: std::fs::read(fixture_path(name)).expect("the fixture is in the repository") }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a safetensors file")
    }

    /// The settings of the model.
    pub(crate) fn settings<S: DeserializeOwned>(&self) -> S {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).expect("a safetensors file");
        let config = &metadata.metadata().as_ref().expect("metadata")["config"];
        serde_json::from_str(config).expect("the settings of the model")
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        self.tensors().tensor(name).unwrap_or_else(|e| panic!("{name}: {e}")).shape().to_vec()
    }

    fn words<T>(&self, name: &str, dtype: Dtype, read: impl Fn([u8; 4]) -> T) -> Vec<T> {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(tensor.dtype(), dtype, "{name}");
        tensor.data().as_chunks::<4>().0.iter().map(|bytes| read(*bytes)).collect()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name, Dtype::F32, f32::from_le_bytes)
    }

    pub(crate) fn integers(&self, name: &str) -> Vec<u32> {
        self.words(name, Dtype::I32, |bytes| u32::try_from(i32::from_le_bytes(bytes)).expect("not negative"))
    }

    /// How many names begin with this.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.tensors().names().iter().filter(|name| name.starts_with(prefix)).count()
    }

    fn has(&self, name: &str) -> bool {
        self.tensors().names().contains(&name)
    }

    /// The model of the fixture, with its parameters.
    fn model(&self) -> (Gpt, Params) {
        let settings: Settings = self.settings();
        let config = GptConfig {
            n_layer: settings.n_layer,
            n_head: settings.n_head,
            n_embd: settings.n_embd,
            block_size: settings.block_size,
            vocab_size: settings.vocab_size,
            dropout: 0.0,
            bias: settings.bias,
            tied: settings.tied,
            activation: Activation::Gelu,
            norm: Norm::LayerNorm,
            norm_eps: 1e-5,
            ..GptConfig::default()
        };
        let mut params = Params::new();
        let model = Gpt::new(&config, &mut params, &mut Rng::new(0, Stream::Init));
        for id in params.ids() {
            let name = format!("param.{}", params.name(id));
            assert_eq!(self.shape(&name), params.shape(id).to_vec(), "{name}");
            params.data_mut(id).copy_from_slice(&self.floats(&name));
        }
        assert_eq!(self.count("param."), params.len(), "every parameter of the fixture is one of ours");
        (model, params)
    }

    fn intervals(&self, time: usize) -> Arc<Intervals> {
        if self.has("lo") {
            Arc::new(Intervals::new(self.integers("lo"), self.integers("hi"), time))
        } else {
            Arc::new(Intervals::causal(time))
        }
    }
}

pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32], scale: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= TOLERANCE * scale, "{what}, element {i}: {f}, PyTorch {e}, scale {scale}");
    }
}

pub(crate) fn largest(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |m, x| m.max(x.abs()))
}

#[test]
fn logits_loss_and_every_gradient_of_six_models() {
    for n in 1..=6 {
        let fixture = Fixture::read(&format!("config_{n}.safetensors"));
        let (model, params) = fixture.model();
        let shape = fixture.shape("ids");
        let shape = [shape[0], shape[1]];
        let (labels, weights) = (fixture.integers("labels"), fixture.floats("weights"));
        let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
        let tape = Tape::new(&params, &workspace);
        let mut cx = Context::new(&tape, shape, fixture.intervals(shape[1]));
        let logits = model.logits(&fixture.integers("ids"), &mut cx);
        let loss = logits.cross_entropy(&labels, &weights, weights.iter().sum());
        loss.backward(&mut grads);

        let expected = fixture.floats("logits");
        let found = logits.read(|x| x.data.to_vec());
        assert_close(&format!("config {n}: logits"), &found, &expected, largest(&expected));
        let expected = fixture.floats("loss");
        assert_close(&format!("config {n}: loss"), &[loss.item()], &expected, largest(&expected));
        assert!(grads.unreached(&params).is_empty());
        for id in params.ids() {
            let name = params.name(id);
            let expected = fixture.floats(&format!("grad.{name}"));
            let found = grads.get(id).expect("reached");
            assert_close(&format!("config {n}: gradient of {name}"), found, &expected, largest(&expected));
        }
    }
}

#[test]
fn ten_steps_of_adamw() {
    let fixture = Fixture::read("adamw.safetensors");
    let settings: Settings = fixture.settings();
    let (model, mut params) = fixture.model();
    let Settings { lr, beta1, beta2, eps, weight_decay, grad_clip, .. } = settings;
    let mut optimizer = AdamW::new(&params, AdamWConfig { beta1, beta2, eps, weight_decay });
    let (workspace, mut grads) = (Workspace::new(), Grads::new(&params));
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for k in 0..10 {
        let ids = format!("ids.{k}");
        let shape = fixture.shape(&ids);
        let (labels, count) = (fixture.integers(&format!("labels.{k}")), shape[0] * shape[1]);
        grads.clear();
        let tape = Tape::new(&params, &workspace);
        let mut cx = model.causal(&tape, [shape[0], shape[1]]);
        let logits = model.logits(&fixture.integers(&ids), &mut cx);
        let loss = logits.cross_entropy(&labels, &vec![1.0; count], count as f32);
        loss.backward(&mut grads);
        losses.push(loss.item());
        drop(tape);
        norms.push(grads.norm() as f32);
        let factor = clip_factor(grads.norm(), grad_clip);
        optimizer.step_scaled(&mut params, &grads, lr, factor).expect("every parameter has a gradient");
    }
    let expected = fixture.floats("losses");
    assert_close("losses", &losses, &expected, largest(&expected));
    let expected = fixture.floats("grad_norms");
    assert_close("gradient norms", &norms, &expected, largest(&expected));
    for id in params.ids() {
        let expected = fixture.floats(&format!("final.{}", params.name(id)));
        assert_close(&format!("final {}", params.name(id)), params.data(id), &expected, largest(&expected));
    }
}
