//! GPT-2 in Hugging Face's directories: those of transformers are read, and ours are what it would write.
//!
//! fixtures/gpt2 was made by fixtures/make_gpt2.py with transformers; the same script checks what we export:
//!
//!   NEWLEAF_EXPORT=/tmp/exported cargo test -p gpt --test gpt2_dir what_is_exported
//!   python crates/gpt/tests/fixtures/make_gpt2.py check /tmp/exported

use data::{CharTokenizer, Tokenizer};
use gpt::Gpt;
use gpt::checkpoint::tensors::{Tensors, decode, from_params, into_params};
use gpt::config::{GptConfig, Position, Preset};
use gpt::gpt2_dir::save_gpt2_dir;
use gpt::model_dir::load_model_dir;
use nn::DropoutSeeds;
use random::{Rng, Stream};
use safetensors::SafeTensors;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tensor::{Params, Tape, Workspace};

const IDS: [u32; 16] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpt2").join(name)
}

fn tokenizer() -> Tokenizer {
    Tokenizer::Char(CharTokenizer::from_text("abcdefghijk").unwrap())
}

/// A copy of a model of transformers, with a tokenizer.
fn copied(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join("tokenizer.json"), tokenizer().to_json()).unwrap();
    folder
}

fn logits(config: &GptConfig, tensors: &Tensors) -> Vec<f32> {
    let mut params = Params::new();
    let model = Gpt::new(config, &mut params, &mut Rng::new(1, Stream::Init));
    into_params(tensors, &mut params).unwrap();
    let workspace = Workspace::new();
    let tape = Tape::no_grad(&params, &workspace);
    let logits = model.logits(&tape, &IDS, [2, 8], &model.intervals(8), &DropoutSeeds::off());
    logits.value().iter().copied().collect()
}

/// The largest difference over the largest number.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d <= m { m } else { d }) / largest
}

#[test]
fn models_of_transformers_are_read() {
    for (name, tied, eps) in [("tied", true, 1e-5), ("untied", false, 1e-3)] {
        let folder = copied(name);
        let model = load_model_dir(folder.path()).unwrap();
        assert_eq!((model.config.tied, model.config.norm_eps, model.config.block_size), (tied, eps, 9));
        let bytes = fs::read(fixture(name).join("logits.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = file.tensor("logits").unwrap().data().as_chunks::<4>().0.to_vec();
        let expected: Vec<f32> = floats.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let found = difference(&logits(&model.config, &model.tensors), &expected);
        assert!(found <= 1e-5, "{name}: {found:e}");
    }
}

/// Names, shapes and bytes of what we write are those that transformers wrote.
#[test]
fn what_was_read_is_written_again() {
    for name in ["tied", "untied"] {
        let folder = copied(name);
        let model = load_model_dir(folder.path()).unwrap();
        let out = folder.path().join("out");
        save_gpt2_dir(&out, &model.config, &model.tensors, &tokenizer()).unwrap();
        let ours = decode(&fs::read(out.join("model.safetensors")).unwrap()).unwrap();
        if name == "untied" {
            assert_eq!(ours, decode(&fs::read(fixture(name).join("model.safetensors")).unwrap()).unwrap());
        }
        assert!(ours.keys().all(|name| name.starts_with("transformer.") || name == "lm_head.weight"));
        let again = load_model_dir(&out).unwrap();
        assert_eq!((again.config, again.tensors), (model.config, model.tensors), "{name}");
    }
}

/// Our own model without biases: zeros are written, and transformers' reader finds every tensor that it knows.
#[test]
fn what_is_exported_computes_the_same() {
    let base = Preset::NanoCpu.config(11).model;
    let config = GptConfig { n_layer: 2, n_head: 3, n_embd: 12, block_size: 9, ..base };
    let (mut params, mut rng) = (Params::new(), Rng::new(5, Stream::Init));
    let _ = Gpt::new(&config, &mut params, &mut rng);
    for id in params.ids().collect::<Vec<_>>() {
        params.data_mut(id).iter_mut().for_each(|x| *x += 0.3 * rng.normal());
    }
    let tensors = from_params(&params);
    let folder = tempfile::tempdir().unwrap();
    let out = std::env::var_os("NEWLEAF_EXPORT").map_or_else(|| folder.path().join("out"), PathBuf::from);
    save_gpt2_dir(&out, &config, &tensors, &tokenizer()).unwrap();
    let written = decode(&fs::read(out.join("model.safetensors")).unwrap()).unwrap();
    let theirs = fs::read(fixture("tied").join("model.safetensors")).unwrap();
    let theirs = SafeTensors::deserialize(&theirs).unwrap();
    let expected: BTreeSet<String> = theirs
        .names()
        .into_iter()
        .filter(|name| {
            !name.ends_with(".attn.bias") && !name.ends_with("masked_bias") && *name != "lm_head.weight"
        })
        .map(|name| format!("transformer.{name}"))
        .collect();
    assert_eq!(written.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let ours = logits(&config, &tensors);
    let again = load_model_dir(&out).unwrap();
    assert!(again.config.bias && !config.bias);
    assert!(difference(&logits(&again.config, &again.tensors), &ours) <= 1e-6);
    let record = serde_json::json!({ "ids": IDS.chunks(8).collect::<Vec<_>>(), "logits": ours });
    fs::write(out.join("logits.json"), record.to_string()).unwrap();
}

#[test]
fn other_models_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Preset::NanoCpu.config(11).model;
    (config.position, config.soft_cap, config.n_layer) = (Position::Rope, 15.0, 1);
    let mut params = Params::new();
    let _ = Gpt::new(&config, &mut params, &mut Rng::new(1, Stream::Init));
    let out = folder.path().join("out");
    let error = save_gpt2_dir(&out, &config, &from_params(&params), &tokenizer()).unwrap_err().to_string();
    for words in ["position \"rope\"", "soft_cap 15", "no GPT-2", "--preset nano-cpu"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(!out.exists());
}

/// Each field that is not what this program computes, and files that do not fit.
#[test]
fn damaged_directories_are_refused() {
    for (field, value, words) in [
        ("n_inner", "13", "n_inner: expected 4 n_embd"),
        ("activation_function", "\"silu\"", "expected one of gelu_new"),
        ("scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx: only false"),
        ("n_layer", "\"2\"", "n_layer: expected a whole number, found \"2\""),
        ("n_layer", "3", "h.2.attn.c_attn.bias [36] is missing"),
        ("vocab_size", "12", "wte.weight is [11, 12], expected [12, 12]"),
        ("n_head", "5", "n_head"),
        ("model_type", "\"llama\"", "expected model_type \"newleaf-gpt\" or \"gpt2\""),
        ("tie_word_embeddings", "false", ""), // the copy of the head is one of its own
    ] {
        let folder = copied("tied");
        let path = folder.path().join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[field] = serde_json::from_str(value).unwrap();
        fs::write(&path, config.to_string()).unwrap();
        match load_model_dir(folder.path()) {
            Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{field}: {error}"),
            Ok(_) => assert!(words.is_empty(), "{field} {value} was accepted"),
        }
    }
}
