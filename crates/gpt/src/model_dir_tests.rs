use super::*;
use crate::card::sha256_of_file;
use crate::config::GptConfig;
use crate::files::Tensors;
use crate::files::store::{self, MANIFEST};
use crate::formats::NEWLEAF;
use crate::train::small_checkpoint;
use data::CharTokenizer;
use serde_json::Value;
use std::fs;
use tempfile::{TempDir, tempdir};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// What the tests compare.
fn parts(model: &Model) -> (GptConfig, Tensors, String) {
    (model.gpt.config.clone(), tensors::from_params(&model.params), model.tokenizer.to_json())
}

fn small_model() -> Model {
    let checkpoint = small_checkpoint(3);
    let mut params = Params::new();
    let gpt = Gpt::zeros(&checkpoint.config.model, &mut params);
    tensors::into_params(&checkpoint.model, &mut params).unwrap();
    Model::new(gpt, params, Tokenizer::Char(CharTokenizer::from_text("ä\n").unwrap()))
}

fn saved() -> (TempDir, PathBuf, Model) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("model");
    let card = ModelCard {
        data: "my `text` | file.txt".into(),
        data_sha256: "ab".repeat(32),
        val_loss: Some(1.234_56),
        iter: 3,
        command: ["newleaf", "train", "--data", "my text's.txt"].map(String::from).into(),
        date: "2026-11-24T04:03:00Z".into(),
        ..ModelCard::default()
    };
    let model = small_model();
    model.save(&path, &NEWLEAF, &card).unwrap();
    (dir, path, model)
}

/// Why a directory cannot be loaded.
fn refusal(path: &Path) -> String {
    Model::load(path).expect_err("it is damaged").to_string()
}

#[test]
fn what_is_saved_is_loaded() {
    let (dir, path, model) = saved();
    assert_eq!(parts(&Model::load(&path).unwrap()), parts(&model));
    let names = store::names_in(&path).unwrap();
    let expected = ["README.md", "config.json", "generation_config.json", MANIFEST, WEIGHTS, TOKENIZER];
    assert_eq!(names, expected);
    let config: Value = serde_json::from_slice(&fs::read(path.join(CONFIG)).unwrap()).unwrap();
    assert_eq!(config["model_type"], "newleaf-gpt");
    assert_eq!(config["n_embd"], 2);
    let card = fs::read_to_string(path.join("README.md")).unwrap();
    for part in [
        "| Trained on | `my 'text' \\| file.txt` |",
        "| Validation loss (nats per token) | 1.2346 |",
        &"ab".repeat(32),
        r"    newleaf train --data 'my text'\''s.txt'",
        "`2026-11-24T04:03:00Z`",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(card.contains(part), "{part:?} is missing in\n{card}");
    }
    assert!(!card.contains("Training loss"), "what is not known is left out");
    // While it is being replaced, whoever reads finds the older one.
    fs::rename(&path, dir.path().join(".newleaf-old-4194305-model")).unwrap();
    assert_eq!(parts(&Model::load(&path).unwrap()), parts(&model));
}

#[test]
fn the_card_may_be_edited_and_files_added_but_not_the_weights() {
    let (_dir, path, model) = saved();
    fs::write(path.join("README.md"), "my own words").unwrap();
    fs::write(path.join("notes.txt"), "").unwrap();
    assert_eq!(parts(&Model::load(&path).unwrap()), parts(&model));
    for name in [CONFIG, WEIGHTS, TOKENIZER] {
        let original = fs::read(path.join(name)).unwrap();
        let mut changed = original.clone();
        *changed.last_mut().unwrap() ^= 1;
        for changed in [changed, original[1..].to_vec(), vec![]] {
            fs::write(path.join(name), changed).unwrap();
            let message = refusal(&path);
            assert!(message.contains(name) && message.contains("damaged"), "{message}");
        }
        fs::write(path.join(name), original).unwrap();
    }
}

#[test]
fn without_a_manifest_files_are_read_as_strictly() {
    let (_dir, path, model) = saved();
    fs::remove_file(path.join(MANIFEST)).unwrap();
    assert_eq!(parts(&Model::load(&path).unwrap()), parts(&model));
    let config = fs::read_to_string(path.join(CONFIG)).unwrap();
    for (from, to, expected) in [
        ("newleaf-gpt", "llama", "expected model_type \"newleaf-gpt\" or \"gpt2\", found \"llama\""),
        ("newleaf-gpt", "gpt2", "n_positions: expected a whole number, found nothing"),
        ("\"model_type\"", "\"kind\"", "found none"),
        ("\"n_layer\": 1", "\"n_layer\": 2", "model.safetensors: the tensors are not those of this model"),
        ("\"n_layer\": 1", "\"n_layer\": 100000000000", "n_layer is 100000000000"),
        ("\"n_layer\": 1", "\"n_layer\": 1e400", "out of range"),
        ("\"n_layer\": 1", "\"n_layer\": -1", "config.json: invalid value"),
        ("\"n_embd\": 2", "\"n_embd\": 64", "model.safetensors"),
        ("\"n_head\": 1", "\"n_head\": 3", "multiple of n_head (3)"),
        ("\"n_head\": 1", "\"n_head\": 0", "n_head is 0"),
        ("\"n_head\": 1", "\"n_head\": 1, \"n_head\": 1", "occurs twice"),
        ("\"n_head\": 1", "\"n_head\": 1, \"extra\": 1", "unknown field `extra`"),
        ("\"dropout\": 0.0", "\"dropout\": 1e300", "dropout is inf"),
    ] {
        assert!(config.contains(from), "{config}");
        fs::write(path.join(CONFIG), config.replacen(from, to, 1)).unwrap();
        let message = refusal(&path);
        assert!(message.contains(expected), "{to}: {message}");
    }
    // 262 GB of embeddings: more than the machine has, or else than the file has.
    let huge = config
        .replace("\"n_embd\": 2", "\"n_embd\": 65536")
        .replace("\"vocab_size\": 2", "\"vocab_size\": 1000000");
    fs::write(path.join(CONFIG), huge).unwrap();
    let message = refusal(&path);
    assert!(message.contains("this machine has") || message.contains("not those of this model"), "{message}");
    fs::write(path.join(CONFIG), &config).unwrap();
    // A sparse file that claims a terabyte is not read.
    fs::File::options().write(true).open(path.join(WEIGHTS)).unwrap().set_len(1 << 40).unwrap();
    let message = refusal(&path);
    assert!(message.contains("model.safetensors: expected at most"), "{message}");
}

#[test]
fn other_directories_are_recognised() {
    let dir = tempdir().unwrap();
    assert!(refusal(&dir.path().join("missing")).contains("check the spelling"));
    assert!(refusal(dir.path()).contains("config.json: expected this file"));
    small_checkpoint(1).write(&dir.path().join("step-1")).unwrap();
    assert!(refusal(&dir.path().join("step-1")).contains("best/ or last/"));
    fs::write(dir.path().join("run.json"), "").unwrap();
    assert!(refusal(dir.path()).contains("the directory of a run: give its best/ or last/"));
    assert!(refusal(&dir.path().join("run.json")).contains("expected a directory"));
    let (_dir, path, _) = saved();
    fs::rename(path.join(WEIGHTS), path.join("pytorch_model.bin")).unwrap();
    assert!(refusal(&path).contains("pytorch_model.bin: expected model.safetensors; a pickle"));
    fs::write(path.join("model.safetensors.index.json"), "{}").unwrap();
    let message = refusal(&path);
    assert!(
        message.contains("model.safetensors.index.json") && message.contains("several files"),
        "{message}"
    );
    assert!(message.contains("save_pretrained"), "{message}");
}

#[test]
fn a_wrong_model_is_not_saved() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("other");
    let save = |model: &Model| model.save(&path, &NEWLEAF, &ModelCard::default()).unwrap_err().to_string();
    let mut model = small_model();
    let wte = model.gpt.wte.weight;
    model.params.data_mut(wte)[1] = f32::NAN;
    assert!(save(&model).contains("\"wte.weight\" has the value NaN at index 1"));
    model.params.add("lora", [1], |_| ());
    assert!(save(&model).contains("lora [1] is not expected"));
    model.params = Params::new();
    assert!(save(&model).contains("wte.weight [2, 2] is missing"));
    assert!(!path.exists());
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let (_dir, path, _) = saved();
    fs::remove_file(path.join(MANIFEST)).unwrap();
    let other = Tokenizer::Char(CharTokenizer::from_text("abc").unwrap());
    fs::write(path.join(TOKENIZER), other.to_json()).unwrap();
    let message = refusal(&path);
    assert!(message.contains("3 tokens, but the model has weights for 2"), "{message}");
    assert!(message.contains("use the tokenizer saved with the weights"), "{message}");
}

#[test]
fn prompts_are_never_empty() {
    let model = small_model();
    let newline = model.tokenizer.encode("\n").unwrap();
    assert_eq!(model.encode_known("x\ny"), (newline, 2));
    assert_eq!(model.encode_known("xy"), (vec![0], 2));
    assert_eq!((model.first_prompt().as_str(), model.never_generated()), ("\n", vec![]));
    let without = Tokenizer::Char(CharTokenizer::from_text("ab").unwrap());
    assert_eq!(first_prompt(&without), "a");
    let special = without.with_specials(&["[MASK]", END_OF_DOCUMENT]).unwrap();
    let config = GptConfig { vocab_size: special.vocab_size(), ..model.gpt.config.clone() };
    assert_eq!(never_generated(&config, &special), [special.special("[MASK]").unwrap()]);
}

#[test]
fn files_are_hashed_in_pieces() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("text");
    for bytes in [vec![], vec![7; (1 << 16) + 1], b"abc".to_vec()] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), store::sha256(&bytes));
    }
    assert!(sha256_of_file(dir.path()).is_err());
}

/// A model that is replaced while it is read is one of the two, and never damaged or missing.
#[test]
fn a_model_that_is_being_replaced_can_be_read() {
    let (_dir, path, first) = saved();
    let mut second = small_model();
    second.params.data_mut(second.gpt.wte.weight).fill(0.5);
    let expected = [parts(&first), parts(&second)];
    let done = std::sync::atomic::AtomicBool::new(false);
    let card = ModelCard::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..60 {
                second.save(&path, &NEWLEAF, &card).unwrap();
                first.save(&path, &NEWLEAF, &card).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let mut seen = [0, 0];
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let found = parts(&Model::load(&path).expect("one of the two"));
            seen[expected.iter().position(|parts| *parts == found).expect("one of the two")] += 1;
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    });
}
