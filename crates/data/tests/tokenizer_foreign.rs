//! Tokenizers that other programs wrote: what is read as they read it, and what is refused by its name.

use crate::tokenizer_files::{bpe, words};
use data::DataError;
use data::tokenizer::{BpeTokenizer, Tokenizer};
use serde_json::json;
use std::fs;

/// The file of `bpe()` with fields changed.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut file = serde_json::from_str(&bpe().to_json()).unwrap();
    change(&mut file);
    file.to_string()
}

/// What others write around the same tokenizer: none of it changes an id (SKaiNET 858, llm-compressor 2917, transformers 24441).
#[test]
fn what_changes_no_id_is_accepted() {
    // GPT-2's own file is of before tokenizers 0.9, when a model did not say its type.
    let old = changed(|file| {
        let model = file["model"].as_object_mut().unwrap();
        model.remove("type").unwrap();
    });
    // A tokenizer that was called with padding=True, truncation=True before it was saved.
    let called = changed(|file| {
        file["truncation"] =
            json!({"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0});
        file["padding"] = json!({"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": null,
                                 "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"});
    });
    // transformers 5, of vocab.json and merges.txt.
    let template = json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                          "pair": [], "special_tokens": {}});
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false});
    let post = |post: serde_json::Value| changed(|file| file["post_processor"] = post);
    let both = json!({"type": "Sequence", "processors": [byte_level, template]});
    for file in [old, called, post(template), post(both)] {
        assert_eq!(Tokenizer::from_json(&file).unwrap(), Tokenizer::Bpe(bpe()), "{file}");
    }
    let words = words().to_json().replace("\"padding\": null", "\"padding\": {}");
    assert_eq!(Tokenizer::from_json(&words).unwrap(), Tokenizer::Word(crate::tokenizer_files::words()));
}

/// Files of other families of models are named for what they are; none of it is called damage (gigatoken 19).
#[test]
fn other_families_are_named() {
    let step = |kind: &str, list: &str, parts: &[&str]| {
        let parts: Vec<_> =
            parts.iter().map(|part| json!({"type": part, "pattern": {"Regex": "x"}})).collect();
        json!({"type": kind, list: parts})
    };
    let qwen = changed(|file| {
        file["normalizer"] = json!({"type": "NFC"});
        file["pre_tokenizer"] = step("Sequence", "pretokenizers", &["Split", "ByteLevel"]);
        file["model"]["ignore_merges"] = true.into();
    });
    let llama2 = changed(|file| {
        file["normalizer"] = step("Sequence", "normalizers", &["Prepend", "Replace"]);
        file["pre_tokenizer"] = json!(null);
        file["decoder"] = step("Sequence", "decoders", &["Replace", "ByteFallback", "Fuse", "Strip"]);
        file["model"]["byte_fallback"] = true.into();
    });
    let llama3 = changed(|file| {
        file["pre_tokenizer"] = step("Sequence", "pretokenizers", &["Split", "ByteLevel"]);
        let pieces =
            json!([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
        file["post_processor"] = json!({"type": "Sequence", "processors": [
            {"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": pieces}]});
    });
    let bert = changed(|file| {
        file["normalizer"] = json!({"type": "BertNormalizer"});
        file["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
        file["model"] = json!({"type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"});
    });
    let words = words().to_json().replace("\"type\": \"ByteLevel\"", "\"type\": \"Whitespace\"");
    let folder = tempfile::tempdir().unwrap();
    for (file, expected) in [
        (
            qwen,
            "its pre-tokenizer is Sequence(Split, ByteLevel), not GPT-2's ByteLevel; its normalizer is NFC, where GPT-2's has none",
        ),
        (
            llama2,
            "its pre-tokenizer is none, not GPT-2's ByteLevel; its decoder is Sequence(Replace, ByteFallback, Fuse, Strip), \
             not GPT-2's ByteLevel; its normalizer is Sequence(Prepend, Replace), where GPT-2's has none",
        ),
        (
            llama3,
            "its post-processor is Sequence(ByteLevel, TemplateProcessing), which adds tokens to every text",
        ),
        (bert, "its model is \"WordPiece\", not GPT-2's BPE"),
        (words, "its pre-tokenizer is Whitespace, not GPT-2's ByteLevel"),
        (changed(|file| file["model"] = json!({})), "its model has neither a type nor merges"),
    ] {
        let error = Tokenizer::from_json(&file).unwrap_err();
        assert!(matches!(error, DataError::OtherTokenizer { .. }), "{error}");
        fs::write(folder.path().join("tokenizer.json"), &file).unwrap();
        for message in [error.to_string(), Tokenizer::load(folder.path()).unwrap_err().to_string()] {
            assert!(message.contains(expected) && message.contains("newleaf reads"), "{message}");
            for word in ["damaged", "expected one of", "invalid type", "line 1", "saved with"] {
                assert!(!message.contains(word), "{message}");
            }
        }
    }
}

/// Added tokens that are not special are words of a text; the ids are those of `tokenizers` 0.23 (check_bpe.py compares more;
/// transformers 1043).
#[test]
fn added_tokens_are_cut_out_of_texts() {
    let added = |id: u32, content: &str, normalized: bool| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": normalized, "special": false})
    };
    let file = changed(|file| {
        let tokens = file["added_tokens"].as_array_mut().unwrap();
        tokens.push(added(258, "low", true)); // BPE's, too
        tokens.extend(
            [(260, "<sp>"), (261, "<é x>"), (262, "er")].map(|(id, content)| added(id, content, true)),
        );
        tokens.push(added(263, "\n", false));
    });
    let tokenizer = BpeTokenizer::from_json(&file).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.special("<sp>")), (264, None));
    for (text, expected) in ADDED_IDS {
        assert_eq!(tokenizer.encode(text), *expected, "{text:?}");
        assert_eq!(tokenizer.decode(expected).unwrap(), *text);
    }
    // A special token is not cut out, whatever the text says.
    assert_eq!(tokenizer.encode("<|endoftext|>").len(), "<|endoftext|>".len());
    assert_eq!(tokenizer.encode("\n"), [263]); // not the byte
    let again = BpeTokenizer::from_json(&tokenizer.to_json()).unwrap();
    assert_eq!((&again, again.to_json()), (&tokenizer, tokenizer.to_json()));
    assert_ne!(tokenizer, BpeTokenizer::from_json(&file.replace("<sp>", "<sq>")).unwrap());

    let refused = |id: u32, content: &str, expected: &str| {
        let file = changed(|file| {
            let tokens = file["added_tokens"].as_array_mut().unwrap();
            tokens.push(added(id, content, true));
        });
        let message = Tokenizer::from_json(&file).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refused(260, "", "is empty");
    refused(300, "<sp>", "has the id 300, but");
    refused(260, "low", "has the id 260, but 258 in the vocabulary");
    let file = words().to_json().replace("\"added_tokens\": []", "\"added_tokens\": [?]");
    let file = file.replace('?', &added(4, "<sp>", true).to_string());
    let message = Tokenizer::from_json(&file).unwrap_err().to_string();
    assert!(message.contains("\"<sp>\" is not special"), "{message}");
}

const ADDED_IDS: &[(&str, &[u32])] = &[
    ("low lower", &[258, 221, 258, 262]),
    ("a  <sp> low<sp>", &[65, 221, 221, 260, 221, 258, 260]),
    ("<é x>é", &[261, 128, 103]),
    ("slower\n\n low", &[83, 258, 262, 263, 263, 221, 258]),
    ("<sp", &[28, 83, 80]),
    ("lo\nw", &[257, 263, 87]),
    ("  \n  low  <sp>  l", &[221, 221, 263, 221, 221, 258, 221, 221, 260, 221, 221, 76]),
];

#[test]
fn gpt2_files_with_added_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let (vocab, merges) = bpe().to_gpt2();
    write("vocab.json", &vocab);
    write("merges.txt", &merges);
    write("added_tokens.json", r#"{"<pad>": 260, "<sp>": 262, "<a>": 261, "<|endoftext|>": 0}"#);
    let load = || Tokenizer::load(folder.path());
    let names = |tokenizer: &Tokenizer| {
        let specials = tokenizer.specials().into_iter().map(|(name, _)| name.to_string());
        specials.collect::<Vec<_>>().join(" ")
    };
    // As transformers: what no role names is a word of a text.
    let plain = load().unwrap();
    assert_eq!((plain.vocab_size(), names(&plain).as_str()), (263, "<|endoftext|>"));
    assert_eq!(plain.encode("<pad>low<sp>").unwrap(), [260, 258, 262]);
    write(
        "special_tokens_map.json",
        r#"{"pad_token": {"content": "<pad>", "lstrip": false}, "bos_token": "<|endoftext|>", "mask_token": null,
            "additional_special_tokens": ["<a>", {"content": "<b>"}]}"#,
    );
    let tokenizer = load().unwrap();
    assert_eq!(names(&tokenizer), "<|endoftext|> <pad> <a>");
    assert_eq!(tokenizer.encode("low<sp>").unwrap(), [258, 262]);
    assert_eq!(tokenizer.encode("<pad>").unwrap().len(), 5);
    assert_eq!(Tokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);

    for (name, text, expected) in [
        ("special_tokens_map.json", "[]", "a map from roles to tokens"),
        ("added_tokens.json", "{\"<pad>\": \"260\"}", "a map from tokens to ids"),
        ("added_tokens.json", "{\"<pad>\": 261}", "has the id 261, but there are 261 tokens"),
        ("added_tokens.json", "{\"low\": 261}", "has the id 261, but 258 in the vocabulary"),
    ] {
        write(name, text);
        let message = load().unwrap_err().to_string();
        assert!(
            message.contains(expected) && message.contains(&folder.path().display().to_string()),
            "{message}"
        );
        fs::remove_file(folder.path().join(name)).unwrap();
    }
}
