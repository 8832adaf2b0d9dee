//! GPT-2 in Hugging Face's directories: those of transformers are read, and ours are what it would write.
//!
//! fixtures/gpt2 was made by fixtures/make_gpt2.py with transformers; the same script checks what we export:
//!
//!   NEWLEAF_EXPORT=exported cargo test -p gpt --test all gpt2_dir::exported
//!   cd crates/gpt/exported && python ../tests/fixtures/make_gpt2.py check base lora lora-all ia3 prefix prompt

use data::{CharTokenizer, Tokenizer};
use gpt::config::{GptConfig, Position, Preset};
use gpt::files::CheckpointError;
use gpt::files::tensors::{decode, from_params};
use gpt::formats::GPT2;
use gpt::peft::{Method, fingerprint, load_adapter, load_unmerged, save_adapter, save_merged};
use gpt::{Gpt, Model, ModelCard};
use random::{Rng, Stream};
use safetensors::SafeTensors;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tensor::{Params, Tape, Workspace};

pub(crate) const IDS: [u32; 16] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpt2").join(name)
}

pub(crate) fn tokenizer() -> Tokenizer {
    Tokenizer::Char(CharTokenizer::from_text("abcdefghijk").unwrap())
}

/// A copy of a model of transformers, with a tokenizer.
pub(crate) fn copied(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join("tokenizer.json"), tokenizer().to_json()).unwrap();
    folder
}

/// A model of these weights.
fn built(config: &GptConfig, params: &Params) -> (Gpt, Params) {
    (Gpt::zeros(config, &mut Params::new()), params.clone())
}

fn save_gpt2(path: &Path, gpt: &Gpt, params: &Params) -> Result<(), CheckpointError> {
    Model::new(gpt.clone(), params.clone(), tokenizer()).save(path, &GPT2, &ModelCard::default())
}

fn logits(model: &Gpt, params: &Params) -> Vec<f32> {
    let workspace = Workspace::new();
    let tape = Tape::no_grad(params, &workspace);
    let logits = model.logits(&IDS, &mut model.causal(&tape, [2, 8]));
    logits.value().iter().copied().collect()
}

pub(crate) fn logits_of(model: &Model) -> Vec<f32> {
    logits(&model.gpt, &model.params)
}

/// The logits that transformers or peft computed.
fn expected(name: &str) -> Vec<f32> {
    let bytes = fs::read(fixture(name).join("logits.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = file.tensor("logits").unwrap().data().as_chunks::<4>().0.to_vec();
    floats.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Where to export to: a folder that is kept if somebody wants to look.
fn exported(folder: &TempDir) -> PathBuf {
    std::env::var_os("NEWLEAF_EXPORT").map_or_else(|| folder.path().join("exported"), PathBuf::from)
}

/// What the script compares.
fn record(folder: &Path, logits: &[f32]) {
    let record = serde_json::json!({ "ids": IDS.chunks(8).collect::<Vec<_>>(), "logits": logits });
    fs::write(folder.join("logits.json"), record.to_string()).unwrap();
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
        let model = Model::load(folder.path()).unwrap();
        let config = &model.gpt.config;
        assert_eq!((config.tied, config.norm_eps, config.block_size), (tied, eps, 9));
        let found = difference(&logits_of(&model), &expected(name));
        assert!(found <= 1e-5, "{name}: {found:e}");
    }
}

/// Names, shapes and bytes of what we write are those that transformers wrote.
#[test]
fn what_was_read_is_written_again() {
    for name in ["tied", "untied"] {
        let folder = copied(name);
        let model = Model::load(folder.path()).unwrap();
        let out = folder.path().join("out");
        save_gpt2(&out, &model.gpt, &model.params).unwrap();
        let ours = decode(&fs::read(out.join("model.safetensors")).unwrap()).unwrap();
        if name == "untied" {
            assert_eq!(ours, decode(&fs::read(fixture(name).join("model.safetensors")).unwrap()).unwrap());
        }
        assert!(ours.keys().all(|name| name.starts_with("transformer.") || name == "lm_head.weight"));
        let again = Model::load(&out).unwrap();
        assert_eq!(again.gpt.config, model.gpt.config, "{name}");
        assert_eq!(from_params(&again.params), from_params(&model.params), "{name}");
    }
}

/// Our own model without biases: zeros are written, and transformers' reader finds every tensor that it knows.
#[test]
fn exported_models_compute_the_same() {
    let (config, params) = own_model();
    let (model, params) = built(&config, &params);
    let folder = tempfile::tempdir().unwrap();
    let out = exported(&folder).join("base");
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    save_gpt2(&out, &model, &params).unwrap();
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
    let tokenizer = fs::read(out.join("tokenizer_config.json")).unwrap();
    let tokenizer: serde_json::Value = serde_json::from_slice(&tokenizer).unwrap();
    assert_eq!(tokenizer["tokenizer_class"], "PreTrainedTokenizerFast", "AutoTokenizer takes another one");
    assert_eq!(tokenizer["model_max_length"], config.block_size);
    let ours = logits(&model, &params);
    let again = Model::load(&out).unwrap();
    assert!(again.gpt.config.bias && !config.bias);
    assert!(difference(&logits_of(&again), &ours) <= 1e-6);
    record(&out, &ours);
}

/// A model without biases, whose numbers are all somewhere.
fn own_model() -> (GptConfig, Params) {
    let base = Preset::NanoCpu.config(11).model;
    let config = GptConfig { n_layer: 2, n_head: 3, n_embd: 12, block_size: 11, ..base };
    let (mut params, mut rng) = (Params::new(), Rng::new(5, Stream::Init));
    let _ = Gpt::new(&config, &mut params, &mut rng);
    scatter(&mut params, &mut rng);
    (config, params)
}

fn scatter(params: &mut Params, rng: &mut Rng) {
    for id in params.ids().filter(|&id| params.is_trainable(id)).collect::<Vec<_>>() {
        params.data_mut(id).iter_mut().for_each(|x| *x += 0.3 * rng.normal());
    }
}

#[test]
fn adapters_of_peft_are_read() {
    for (name, method) in [
        ("lora", "lora:r=2,alpha=3,targets=ap"),
        ("lora-names", "lora:r=2,alpha=3,targets=aofp"),
        ("ia3", "ia3"),
        ("ia3-queries", "ia3"),
        ("prefix", "prefix:tokens=1"),
        ("prompt", "prompt:tokens=1"),
    ] {
        let base = Model::load(copied("tied").path()).unwrap();
        let (mut model, mut params) = (base.gpt, base.params);
        let adapter = load_adapter(&fixture(name)).unwrap();
        assert_eq!(adapter.method.to_string(), method);
        adapter.put_on(&mut model, &mut params).unwrap();
        let found = difference(&logits(&model, &params), &expected(name));
        assert!(found <= 1e-5, "{name}: {found:e}");
        assert!(difference(&expected(name), &expected("tied")) > 0.01, "{name} changes nothing");
    }
}

/// What is saved comes back to the bit, on the model itself and on its export; on another model it is refused.
#[test]
fn exported_adapters_come_back() {
    let folder = tempfile::tempdir().unwrap();
    for (name, method) in [
        ("lora", "lora:r=3,alpha=5,targets=qv"),
        ("lora-all", "lora:r=2,targets=all"),
        ("lora-a", "lora:r=2,targets=af"),
        ("ia3", "ia3"),
        ("prefix", "prefix:tokens=2"),
        ("prompt", "prompt:tokens=3"),
        ("adapter", "adapter:width=5"),
        ("bitfit", "bitfit"),
    ] {
        let method: Method = method.parse().unwrap();
        let (config, base) = own_model();
        let (mut model, mut params) = built(&config, &base);
        model.tune(&method, &mut params, &mut Rng::new(3, Stream::Init)).unwrap();
        scatter(&mut params, &mut Rng::new(4, Stream::Init));
        let ours = logits(&model, &params);
        let out = exported(&folder).join(name);
        fs::create_dir_all(out.parent().unwrap()).unwrap();
        let sha256 = fingerprint(&config, &base);
        save_adapter(&out, &model, &params, &method, (Path::new("base"), &sha256), &[]).unwrap();
        let adapter = load_adapter(&out).unwrap();
        assert_eq!((&adapter.method, adapter.base_path.as_deref()), (&method, Some("base")));

        let (mut again, mut again_params) = built(&config, &base);
        adapter.put_on(&mut again, &mut again_params).unwrap();
        assert_eq!(logits(&again, &again_params), ours, "{name}");
        record(&out, &ours);

        let gpt2 = folder.path().join("gpt2");
        let (plain, plain_params) = built(&config, &base);
        save_gpt2(&gpt2, &plain, &plain_params).unwrap();
        let Model { gpt: mut again, params: mut again_params, .. } = Model::load(&gpt2).unwrap();
        if name != "bitfit" {
            adapter.put_on(&mut again, &mut again_params).unwrap();
            assert!(difference(&logits(&again, &again_params), &ours) <= 1e-6, "{name}");
        }

        let (mut other, mut other_params) = built(&config, &base);
        let wte = other_params.id("wte.weight").unwrap();
        other_params.data_mut(wte)[0] += 1.0;
        let count = other_params.len();
        let error = adapter.put_on(&mut other, &mut other_params).unwrap_err().to_string();
        assert!(error.contains(&sha256) && error.contains("trained on"), "{error}");
        assert!(other.is_plain() && other_params.len() == count);
    }
}

/// One base in memory serves two adapters by turns, each on a copy: whichever was there before, the logits are the same bits,
/// and the base stays what it was.
#[test]
fn two_adapters_take_turns_on_one_base() {
    let folder = tempfile::tempdir().unwrap();
    let (config, base) = own_model();
    let sha256 = fingerprint(&config, &base);
    let adapters = [("lora:r=3,targets=qv", 3), ("ia3", 4)].map(|(method, seed)| {
        let method: Method = method.parse().unwrap();
        let (mut model, mut params) = built(&config, &base);
        model.tune(&method, &mut params, &mut Rng::new(seed, Stream::Init)).unwrap();
        scatter(&mut params, &mut Rng::new(seed, Stream::Init));
        let out = folder.path().join(seed.to_string());
        save_adapter(&out, &model, &params, &method, (Path::new("base"), &sha256), &[]).unwrap();
        (load_adapter(&out).unwrap(), logits(&model, &params))
    });
    let (loaded, loaded_params) = built(&config, &base);
    let plain = logits(&loaded, &loaded_params);
    for turn in [0, 1, 0, 1] {
        let (adapter, expected) = &adapters[turn];
        let (mut model, mut params) = (loaded.clone(), loaded_params.clone());
        adapter.put_on(&mut model, &mut params).unwrap();
        assert_eq!(&logits(&model, &params), expected);
        assert_ne!(expected, &plain);
        assert_eq!(logits(&loaded, &loaded_params), plain);
    }
}

/// A merged model computes the same bits as its base with the adapter; unmerged, it has the base's bits again.
#[test]
fn merged_models_are_models_and_come_apart() {
    for method in ["lora:r=3,alpha=5,targets=qv", "lora:r=2,targets=all", "ia3", "bitfit", "prompt:tokens=2"]
    {
        let method: Method = method.parse().unwrap();
        let (config, base) = own_model();
        let (mut model, mut params) = built(&config, &base);
        model.tune(&method, &mut params, &mut Rng::new(3, Stream::Init)).unwrap();
        scatter(&mut params, &mut Rng::new(4, Stream::Init));
        let folder = tempfile::tempdir().unwrap();
        let [adapter, merged] = ["adapter", "merged"].map(|name| folder.path().join(name));
        let sha256 = fingerprint(&config, &base);
        save_adapter(&adapter, &model, &params, &method, (Path::new("base"), &sha256), &[]).unwrap();
        let (plain, plain_params) = built(&config, &base);
        let loaded = Model::new(plain, plain_params, tokenizer());
        let result = save_merged(&merged, &loaded, &load_adapter(&adapter).unwrap());
        if !model.is_mergeable() {
            assert!(result.unwrap_err().to_string().contains("cannot be merged") && !merged.exists());
            continue;
        }
        assert!(result.unwrap() < base.count());
        let again = Model::load(&merged).unwrap();
        assert_eq!(logits_of(&again), logits(&model, &params), "{method}");
        let apart = load_unmerged(&merged).unwrap();
        let apart = from_params(&apart.params);
        for (name, tensor) in &from_params(&loaded.params) {
            let bits = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&apart[name].data), bits(&tensor.data), "{method}: {name}");
        }
        fs::remove_file(merged.join("unmerged.safetensors")).unwrap();
        assert!(load_unmerged(&merged).unwrap_err().to_string().contains("newleaf peft merge"));
    }
}

/// Two adapters, one after the other, on one base that is read once.
#[test]
fn adapters_are_exchanged() {
    let base = Model::load(copied("tied").path()).unwrap();
    let (model, params) = (base.gpt, base.params);
    for name in ["lora", "ia3", "lora", "prompt"] {
        let (mut tuned, mut tuned_params) = (model.clone(), params.clone());
        load_adapter(&fixture(name)).unwrap().put_on(&mut tuned, &mut tuned_params).unwrap();
        assert!(difference(&logits(&tuned, &tuned_params), &expected(name)) <= 1e-5, "{name}");
    }
    assert!(difference(&logits(&model, &params), &expected("tied")) <= 1e-5);
}

#[test]
fn damaged_adapters_are_refused() {
    let change = |name: &str, field: &str, value: &str| -> String {
        let folder = tempfile::tempdir().unwrap();
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
        }
        let path = folder.path().join("adapter_config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[field] = serde_json::from_str(value).unwrap();
        fs::write(&path, config.to_string()).unwrap();
        let base = Model::load(copied("tied").path()).unwrap();
        let (mut model, mut params) = (base.gpt, base.params);
        let put = load_adapter(folder.path()).and_then(|adapter| adapter.put_on(&mut model, &mut params));
        assert!(model.is_plain());
        put.unwrap_err().to_string()
    };
    for (name, field, value, words) in [
        ("lora", "r", "3", "lora_A.weight is [2, 12], expected [3, 12]"),
        ("lora", "r", "0", "a rank from 1"),
        ("lora", "use_dora", "true", "use_dora: only false"),
        ("lora", "rank_pattern", "{\"c_attn\": 4}", "rank_pattern"),
        ("lora", "target_modules", "[\"wte\"]", "\"wte\" is no linear layer"),
        ("lora", "target_modules", "[\"c_attn\"]", "is not expected"),
        ("lora", "peft_type", "\"OFT\"", "found OFT"),
        ("lora", "newleaf", "{\"method\": \"lora:r=x\"}", "lora r"),
        ("lora", "newleaf", "{\"method\": \"lora:r=2,targets=ap\", \"base_sha256\": \"ab\"}", "sha256 ab"),
        ("prefix", "num_virtual_tokens", "2", "prompt_embeddings is [1, 48], expected [2, 48]"),
        ("prompt", "num_virtual_tokens", "9", "half of the context"),
        ("prefix", "prefix_projection", "true", "only false"),
    ] {
        let error = change(name, field, value);
        assert!(error.contains(words), "{name} {field} {value}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(load_adapter(folder.path()).unwrap_err().to_string().contains("adapter_config.json"));
}

#[test]
fn other_models_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Preset::NanoCpu.config(11).model;
    (config.position, config.soft_cap, config.n_layer) = (Position::Rope, 15.0, 1);
    let mut params = Params::new();
    let model = Gpt::new(&config, &mut params, &mut Rng::new(1, Stream::Init));
    let out = folder.path().join("out");
    let error = save_gpt2(&out, &model, &params).unwrap_err().to_string();
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
        match Model::load(folder.path()) {
            Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{field}: {error}"),
            Ok(_) => assert!(words.is_empty(), "{field} {value} was accepted"),
        }
    }
}
