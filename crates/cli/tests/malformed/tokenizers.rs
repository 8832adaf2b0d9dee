//! Tokenizers: `tokenizer.json`, and GPT-2's `vocab.json` and `merges.txt`.

use super::{Case, made};
use serde_json::{Value, json};

const ENCODE: &str = "tokenizer encode --tokenizer DIR";
const READERS: &[&str] = &[
    ENCODE,
    "tokenizer decode --tokenizer DIR",
    "train --data GOOD --tokenizer DIR --out OUT",
    "data pack --in GOOD --tokenizer DIR --out OUT",
];

/// What all messages about a `tokenizer.json` say last.
const AGAIN: &str = "use an undamaged copy, or make one with newleaf tokenizer train";

/// And of one of another family of models.
const OTHER: &str = "or train a tokenizer with: newleaf tokenizer train";

fn case(bytes: impl Into<Vec<u8>>, words: &[&'static str]) -> Case {
    Case::new("tok/tokenizer.json", bytes, READERS, &[&["FILE"], words].concat())
}

pub(super) fn json_files() -> Vec<Case> {
    let deep = format!("{{\"model\":{{\"type\":{}", "[".repeat(100_000));
    let alone = "tokenizer encode --tokenizer FILE";
    vec![
        case("", &["EOF", "line 1 column 0", AGAIN]),
        case("{\"model\": {", &["EOF", "line 1 column 11", AGAIN]),
        case("[]", &["not a tokenizer file", AGAIN]),
        case("{}", &["missing field `model`", AGAIN]),
        case(deep, &["invalid type: sequence", AGAIN]),
        case("{\n\"model\": 1}", &["integer `1`", "line 2 column", AGAIN]),
        case(b"{\"model\": \"\xFF\"}".as_slice(), &["byte 11", "UTF-8", "undamaged copy"]),
        Case::new(
            "tokenizer.json",
            "{}",
            &[alone],
            &["FILE", "missing field `model`", "use the tokenizer.json"],
        ),
        Case::new(
            "tok/readme.txt",
            "no tokenizer",
            &[ENCODE],
            &["tok: ", "vocab.json and merges.txt", "tokenizer train"],
        ),
    ]
}

/// A tokenizer with a change.
fn changed(kind: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let command = format!("tokenizer train --kind {kind} --data IN --out OUT");
    let mut file: Value = serde_json::from_slice(&made(&command, &["tokenizer.json"])[0]).unwrap();
    change(&mut file);
    file.to_string().into_bytes()
}

pub(super) fn damaged_bpe() -> Vec<Case> {
    let bpe = |change: fn(&mut Value)| changed("bpe --vocab-size 270", change);
    let merge = |merge: &'static str| {
        changed("bpe --vocab-size 270", |file| {
            file["model"]["merges"].as_array_mut().unwrap().push(merge.into())
        })
    };
    vec![
        case(bpe(|file| file["model"]["type"] = "Unigram".into()), &["its model is \"Unigram\"", OTHER]),
        case(bpe(|file| file["normalizer"] = json!({"type": "NFC"})), &["its normalizer is NFC", OTHER]),
        case(
            bpe(|file| file["pre_tokenizer"]["add_prefix_space"] = true.into()),
            &["add_prefix_space is true", AGAIN],
        ),
        case(
            bpe(|file| file["decoder"]["type"] = "WordPiece".into()),
            &["its decoder is WordPiece, not GPT-2's ByteLevel", OTHER],
        ),
        case(bpe(|file| file["model"]["dropout"] = 0.1.into()), &["model.dropout is set", AGAIN]),
        case(bpe(|file| file["model"]["vocab"]["zz"] = 9999.into()), &["\"zz\" has the id 9999", AGAIN]),
        case(bpe(|file| file["model"]["vocab"]["zz"] = (-1).into()), &["integer `-1`", AGAIN]),
        case(bpe(|file| file["new"] = 1.into()), &["unknown field `new`", AGAIN]),
        case(merge("q zz"), &["the merge \"q zz\" needs the token \"zz\"", AGAIN]),
        case(merge("qzz"), &["\"qzz\" is not two tokens", AGAIN]),
    ]
}

pub(super) fn damaged_tables() -> Vec<Case> {
    let word = |change: fn(&mut Value)| changed("word", change);
    let char = |change: fn(&mut Value)| changed("char", change);
    vec![
        case(word(|file| file["model"]["vocab"]["zz"] = 0.into()), &["\"zz\" both have the id 0", AGAIN]),
        case(word(|file| file["model"]["unk_token"] = "?".into()), &["unknown token \"?\"", AGAIN]),
        case(char(|file| file["model"]["vocab"]["a"] = 1000.into()), &["1000", AGAIN]),
        case(
            char(|file| {
                let size = file["model"]["vocab"].as_object().unwrap().len();
                file["model"]["vocab"]["zz"] = size.into();
            }),
            &["\"zz\"", "not one character", AGAIN],
        ),
    ]
}

pub(super) fn gpt2_files() -> Vec<Case> {
    let both = "use the two files of the same tokenizer";
    let vocab = |text: &str, words: &[&'static str]| {
        Case::new("tok/vocab.json", text, READERS, &[&["FILE"], words].concat()).beside("merges.txt", "t h\n")
    };
    let merges = |bytes: &[u8], words: &[&'static str]| {
        let file = changed("bpe --vocab-size 270", |_| ());
        let table = serde_json::from_slice::<Value>(&file).unwrap()["model"]["vocab"].to_string();
        Case::new("tok/merges.txt", bytes, READERS, &[&["merges.txt"], words].concat())
            .beside("vocab.json", table)
    };
    vec![
        vocab("{\"a\":", &["EOF", "line 1 column 5", both]),
        vocab("[1]", &["a map from tokens to ids", both]),
        vocab("{\"a\": 0}", &["needs the token", both]),
        vocab("{\"a\": -1}", &["integer `-1`", "line 1", both]),
        merges(b"th\n", &["merges.txt line 1: ", "\"th\" is not two tokens", both]),
        merges(b"#version: 0.2\n\nt q\n", &["merges.txt line 3: ", "\"t q\" needs the token \"tq\"", both]),
        merges(b"t h\n\xFF", &["byte 4", "UTF-8", "undamaged copy"]),
        Case::new(
            "tok/vocab.json",
            "{}",
            &[ENCODE],
            &["tok: ", "vocab.json and merges.txt", "tokenizer train"],
        ),
    ]
}
