//! Trainings that begin with the weights of a model: PyTorch's losses on the same batches, and what stays as it is.
//!
//! fixtures/from_weights.json has the losses, written by fixtures/make_from_weights.py. Weights and text are a formula, here
//! and there.

use crate::parity::fixture_path;
use data::objective::Vocabulary;
use data::{CharTokenizer, SamplingMode, Tokenizer, WindowSampler};
use gpt::config::{Config, Preset};
use gpt::files::tensors::{self, Tensor, Tensors};
use gpt::peft::Method;
use gpt::train::{Checkpoint, TrainError, Trainer};
use gpt::{Gpt, Model};
use random::{Rng, Stream};
use serde_json::Value;
use std::fs;
use tensor::Params;

const VOCAB: usize = 13;
const WIDTH: usize = 32;
const LAYERS: usize = 2;
const BLOCK: usize = 16;
const POSITIONS: usize = 24;
const LORA: &str = "lora:r=4,alpha=8,targets=qv";

/// A number below 2^16 for each index, as a hash scatters them.
fn bits(seed: u32, i: u32) -> u32 {
    let x = i.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503)).wrapping_add(12_345);
    (x ^ x >> 15).wrapping_mul(2_246_822_519) >> 16
}

/// The numbers of the parameter of this name: those of norms around 1.
fn noise(name: &str, count: usize) -> Vec<f32> {
    let seed = name.bytes().zip(1..).map(|(byte, i): (u8, u32)| i * u32::from(byte)).sum();
    let of_norm = name.split('.').rev().nth(1).is_some_and(|layer| layer.starts_with("ln_"));
    let base = if of_norm && name.ends_with(".weight") { 1.0 } else { 0.0 };
    let number = |i| ((f64::from(bits(seed, i)) - 32_768.0) / 32_768.0 * 0.15) as f32 + base;
    (0..count as u32).map(number).collect()
}

fn fill(params: &mut Params, wanted: impl Fn(&str) -> bool) {
    for id in params.ids().filter(|&id| wanted(params.name(id))).collect::<Vec<_>>() {
        let numbers = noise(params.name(id), params.data(id).len());
        params.data_mut(id).copy_from_slice(&numbers);
    }
}

fn text() -> Vec<u32> {
    (0..600).map(|i| ((u64::from(bits(7, i)) * u64::from(bits(8, i)) * VOCAB as u64) >> 32) as u32).collect()
}

fn config() -> Config {
    let mut config = Preset::NanoCpu.config(VOCAB);
    let settings = [
        ("n_layer", "2"),
        ("n_head", "2"),
        ("n_embd", "32"),
        ("block_size", "16"),
        ("batch_size", "4"),
        ("max_iters", "10"),
        ("learning_rate", "0.01"),
        ("schedule", "constant"),
        ("warmup_iters", "0"),
        ("sampler", "crop"),
    ];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

/// A small model of our own.
fn own() -> (Config, Params) {
    let (config, mut params) = (config(), Params::new());
    let _ = Gpt::zeros(&config.model, &mut params);
    fill(&mut params, |_| true);
    (config, params)
}

/// A GPT-2 as transformers has it, read from a directory: linear weights are (in, out) there, and it has more positions than
/// the training takes.
fn gpt2() -> (Config, Params) {
    let folder = tempfile::tempdir().unwrap();
    let mut shapes = vec![
        ("wte.weight".to_string(), vec![VOCAB, WIDTH]),
        ("wpe.weight".into(), vec![POSITIONS, WIDTH]),
        ("ln_f.weight".into(), vec![WIDTH]),
        ("ln_f.bias".into(), vec![WIDTH]),
    ];
    for layer in 0..LAYERS {
        for norm in ["ln_1", "ln_2"] {
            for kind in ["weight", "bias"] {
                shapes.push((format!("h.{layer}.{norm}.{kind}"), vec![WIDTH]));
            }
        }
        for (name, n_in, n_out) in [
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ] {
            shapes.push((format!("h.{layer}.{name}.weight"), vec![n_in, n_out]));
            shapes.push((format!("h.{layer}.{name}.bias"), vec![n_out]));
        }
    }
    let tensors: Tensors = shapes
        .into_iter()
        .map(|(name, shape)| {
            let data = noise(&name, shape.iter().product());
            (name, Tensor { shape, data })
        })
        .collect();
    fs::write(folder.path().join("model.safetensors"), tensors::encode(&tensors).unwrap()).unwrap();
    let theirs = serde_json::json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
        "n_layer": LAYERS, "n_head": 2, "n_embd": WIDTH, "n_positions": POSITIONS, "vocab_size": VOCAB,
        "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
    });
    fs::write(folder.path().join("config.json"), theirs.to_string()).unwrap();
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text("abcdefghijklm").unwrap());
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_json()).unwrap();
    let model = Model::load(folder.path()).unwrap();
    let mut config = config();
    config.model = model.gpt.config.clone();
    config.model.block_size = BLOCK;
    (config, model.params)
}

fn begin((config, weights): &(Config, Params), method: &str) -> Result<Trainer, TrainError> {
    let vocabulary = Vocabulary::new(VOCAB, []).unwrap();
    Trainer::from_weights(config, weights, &method.parse().unwrap(), &vocabulary, text().len())
}

/// The sampler draws the windows that PyTorch was given.
#[test]
fn the_batches_are_those_of_the_fixture() {
    let (config, text, fixture) = (config().train, text(), fixture());
    let rng = Rng::new(config.seed, Stream::Data);
    let mut sampler = WindowSampler::new(text.len(), BLOCK, 4, SamplingMode::Crop, rng).unwrap();
    let starts: Vec<Vec<usize>> = (0..10)
        .map(|_| {
            let batch = sampler.next_batch(&text);
            let start = |row: &[u32]| text.windows(BLOCK).position(|window| window == row).expect("a window");
            batch.ids.chunks(BLOCK).map(start).collect()
        })
        .collect();
    assert_eq!(serde_json::json!(starts), fixture["starts"]);
}

fn fixture() -> Value {
    serde_json::from_slice(&fs::read(fixture_path("from_weights.json")).unwrap()).unwrap()
}

#[test]
fn losses_are_pytorchs() {
    let fixture = fixture();
    for (name, base) in [("own", own()), ("gpt2", gpt2())] {
        for (method, spelt) in [("full", "full"), ("lora", LORA)] {
            let mut trainer = begin(&base, spelt).unwrap();
            fill(&mut trainer.params, |name| name.contains("lora_A"));
            let expected: Vec<f64> = serde_json::from_value(fixture[name][method].clone()).unwrap();
            assert_eq!(expected.len(), 10);
            let found: Vec<f64> =
                expected.iter().map(|_| trainer.step(&text()).expect("a finite step").loss).collect();
            assert!(
                expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-4),
                "{name}, {method}:\n{expected:?}\n{found:?}"
            );
            assert!(expected[0] - expected[9] > 0.05, "{name}, {method}: something is learned: {expected:?}");
        }
    }
}

/// What a method does not train stays to the bit.
#[test]
fn what_is_not_trained_stays() {
    for method in [LORA, "ia3", "bitfit"] {
        let base = own();
        let mut trainer = begin(&base, method).unwrap();
        for _ in 0..3 {
            trainer.step(&text()).unwrap();
        }
        for id in base.1.ids() {
            let (name, before) = (base.1.name(id), base.1.data(id));
            let after = trainer.params.data(trainer.params.id(name).unwrap());
            assert!(before.iter().zip(after).all(|(a, b)| a.to_bits() == b.to_bits()), "{method}: {name}");
        }
    }
}

/// A training of a few parameters goes on to the same bits, from its checkpoint alone.
#[test]
fn a_resumed_training_ends_the_same() {
    for (base, method) in [(own(), LORA), (gpt2(), LORA), (own(), "bitfit"), (gpt2(), "full")] {
        let advance = |trainer: &mut Trainer, to: u64| {
            while trainer.iter < to {
                trainer.step(&text()).unwrap();
            }
        };
        let weights = |trainer: &Trainer| tensors::from_params(&trainer.params);
        let mut whole = begin(&base, method).unwrap();
        advance(&mut whole, 8);
        let mut before = begin(&base, method).unwrap();
        advance(&mut before, 3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-3");
        before.checkpoint("{}").write(&path).unwrap();
        let checkpoint = Checkpoint::read(&path).unwrap();
        assert_eq!(checkpoint.method, method.parse::<Method>().unwrap());
        let mut after = Trainer::from_checkpoint(&checkpoint, text().len()).unwrap();
        advance(&mut after, 8);
        assert!(weights(&after) == weights(&whole), "{method}");
        assert!(weights(&before) != weights(&whole), "{method}: it went on");
    }
}

/// A run writes whole models: what cannot be put into their weights is refused, in a checkpoint, too.
#[test]
fn methods_that_cannot_be_merged_are_refused() {
    for method in ["prefix:tokens=2", "prompt:tokens=2", "adapter:width=3", "head"] {
        let message = begin(&own(), method).map(drop).unwrap_err().to_string();
        assert!(message.contains("newleaf finetune"), "{method}: {message}");
    }
    let mut narrow = own();
    narrow.0.model.n_layer = 1;
    assert!(matches!(begin(&narrow, "full").map(drop), Err(TrainError::Weights(_))));
}
