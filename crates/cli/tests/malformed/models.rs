//! Model directories without a manifest, as other programs leave them. (Those of a run have one, and
//! tests/bad_input.rs sees that every change to them is noticed.)

use super::{Case, TRAIN, made, patched};
use serde_json::{Value, json};
use std::sync::OnceLock;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";

const READERS: &[&str] = &["info DIR", "sample --model DIR", "eval --model DIR --data GOOD"];

/// The files of a tiny model.
fn good(name: &'static str) -> Vec<u8> {
    static MODEL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let names = [CONFIG, WEIGHTS, TOKENIZER];
    let model = MODEL.get_or_init(|| {
        let line = TRAIN.replace("FILE", "IN") + " --eval-iters=1 --sample-length=1";
        made(&line, &names.map(|name| ["best/", name].concat()).each_ref().map(String::as_str))
    });
    model[names.iter().position(|other| *other == name).unwrap()].clone()
}

/// A model of which this one file is malformed.
fn case(file: &'static str, bytes: impl Into<Vec<u8>>, words: &[&'static str]) -> Case {
    let name = file.strip_prefix("model/").unwrap();
    let others = [CONFIG, WEIGHTS, TOKENIZER].into_iter().filter(|other| *other != name);
    let case = Case::new(file, bytes, READERS, &[&["FILE"], words].concat());
    others.fold(case, |case, other| case.beside(other, good(other)))
}

pub(super) fn configs() -> Vec<Case> {
    let file = |bytes: &[u8], words: &[&'static str]| {
        case("model/config.json", bytes, &[words, &["another copy"]].concat())
    };
    let with = |field: &str, value: Value, words: &[&'static str]| {
        let mut config: Value = serde_json::from_slice(&good(CONFIG)).unwrap();
        config[field] = value;
        file(config.to_string().as_bytes(), words)
    };
    let mut twice = good(CONFIG);
    twice.truncate(twice.len() - 3); // the line end, the brace, and the line end before it
    twice.extend(b", \"model_type\": \"\"}");
    vec![
        file(b"", &["EOF", "line 1 column 0"]),
        file(b"{", &["EOF", "line 1 column 1"]),
        file(b"[]", &["expected a map", "line 1 column"]),
        file(b"{}", &["expected model_type"]),
        file(b"\xFF", &["line 1 column 1"]),
        file(&twice, &["the key \"model_type\" occurs twice"]),
        with("model_type", "llama".into(), &["expected model_type", "found \"llama\""]),
        with("model_type", "gpt2".into(), &["n_positions: expected a whole number", "nothing"]),
        with("n_layer", "one".into(), &["invalid type: string \"one\""]),
        with("n_embd", (-8).into(), &["integer `-8`"]),
        with("n_head", 3.into(), &["n_head", "n_embd"]),
        with("n_layer", 1_000_000.into(), &["n_layer is 1000000", "1 to 128"]),
        with("more", json!(1), &["unknown field `more`"]),
    ]
}

pub(super) fn weights() -> Vec<Case> {
    let good = good(WEIGHTS);
    let (length, rest) = good.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, data) = rest.split_at(length);
    let header: Value = serde_json::from_slice(header).unwrap();
    let first = header.as_object().unwrap().keys().find(|name| *name != "__metadata__").unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        change(&mut header);
        let header = header.to_string().into_bytes();
        [&(header.len() as u64).to_le_bytes(), &header[..], data].concat()
    };
    let file = |bytes: &[u8], words: &[&'static str]| case("model/model.safetensors", bytes, words);
    let again = "use another copy";
    let one = "use the config.json and model.safetensors of one model";
    let nan = patched(&good, 8 + length, &f32::NAN.to_le_bytes());
    vec![
        file(b"", &["a file of 0 bytes", again]),
        file(&good[..100], &["length of its header", again]),
        file(&good[..good.len() - 4], &["safetensors header", again]),
        file(&[&good[..], b"\0"].concat(), &["safetensors header", again]),
        file(&patched(&good, 0, &[0xFF; 8]), &["length of its header", "18446744073709551615", again]),
        file(&patched(&good, 8, b"x"), &["safetensors header", "line 1 column 1", again]),
        file(&nan, &["has the value NaN at index 0", "finite numbers"]),
        file(
            &with(&|header| header[first]["dtype"] = "F16".into()),
            &["has type F16", "model.float().save_pretrained"],
        ),
        file(&with(&|header| header[first]["shape"] = json!([1])), &["the tensors are not those", one]),
        file(&with(&|header| *header = json!({})), &["is missing", one]),
        file(&with(&|header| header["extra"] = header[first].clone()), &["extra", one]),
        Case::new("model/pytorch_model.bin", "PK", &READERS[1..2], &["model: ", "model.safetensors"]),
    ]
}

pub(super) fn tokenizers() -> Vec<Case> {
    let file = |bytes: &[u8], words: &[&'static str]| case("model/tokenizer.json", bytes, words);
    let mut larger: Value = serde_json::from_slice(&good(TOKENIZER)).unwrap();
    let size = larger["model"]["vocab"].as_object().unwrap().len();
    larger["model"]["vocab"]["ж"] = size.into();
    let saved = "saved with the weights";
    let lonely = Case::new(
        "model/model.safetensors",
        good(WEIGHTS),
        &["info DIR"],
        &["config.json", "a model directory has"],
    );
    vec![
        file(b"{", &["EOF", "line 1 column 1", saved]),
        file(b"\xFF", &["UTF-8", saved]),
        file(larger.to_string().as_bytes(), &["vocab_size in config.json", saved]),
        lonely,
    ]
}

/// Texts that a model cannot be measured on.
pub(super) fn texts() -> Vec<Case> {
    let eval = |text: &str, words: &[&'static str]| {
        let case =
            Case::new("a.txt", text, &["eval --model DIR --data FILE"], &[&["FILE: "], words].concat());
        [CONFIG, WEIGHTS, TOKENIZER].into_iter().fold(case, |case, other| case.beside(other, good(other)))
    };
    vec![
        eval("t", &["a text of 1 tokens", "use a longer text"]),
        eval("the Жук", &["'Ж' (U+0416)", "line 1, column 5", "remove or replace them"]),
    ]
}
