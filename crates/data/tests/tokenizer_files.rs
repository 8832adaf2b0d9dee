//! Tokenizers in files: what is written, what is read, and what is refused.

use data::DataError;
use data::tokenizer::{BpeTokenizer, BpeTrainer, PieceCounts, Tokenizer, WordTokenizer};
use std::fs;

fn counts(text: &str) -> PieceCounts {
    let mut counts = PieceCounts::new(None);
    counts.add(text);
    counts
}

/// Three merges, "l o", "lo w", "Ġ low", and a special token with the id 0.
pub(crate) fn bpe() -> BpeTokenizer {
    let special = vec!["<|endoftext|>".to_string()];
    BpeTrainer { vocab_size: 260, min_count: 2, special }.train(&counts("low low low lower")).unwrap()
}

pub(crate) fn words() -> WordTokenizer {
    WordTokenizer::from_counts(&counts("a the cat, the 猫, the cat"), 2, None).unwrap()
}

#[test]
fn files_are_read_as_they_were_written() {
    let all = [Tokenizer::Bpe(bpe()), Tokenizer::Word(words())];
    for tokenizer in &all {
        let json = tokenizer.to_json();
        let read = Tokenizer::from_json(&json).unwrap();
        assert_eq!(&read, tokenizer);
        assert_eq!(read.to_json(), json);
        let folder = tempfile::tempdir().unwrap();
        let path = tokenizer.save(folder.path().join("new/folder")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), json);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file remains");
        assert_eq!(&Tokenizer::load(path.parent().unwrap()).unwrap(), tokenizer);
    }
}

#[test]
fn a_word_file() {
    let expected = r#""model": {
    "type": "WordLevel",
    "vocab": {
      "<unk>": 0,
      "Ġthe": 1,
      "Ġcat": 2,
      ",": 3
    },
    "unk_token": "<unk>"
  }"#;
    let json = words().to_json();
    assert!(json.contains(expected), "{json}");
    assert_eq!(words().encode("the cat, the 猫"), [0, 2, 3, 1, 0]);
}

/// What the library writes for the same tokenizer: the merges as pairs, and a step that only concerns offsets.
#[test]
fn the_library_s_notation() {
    let ours = bpe().to_json();
    assert!(
        ours.contains("\"merges\": [\n      \"l o\",\n      \"lo w\",\n      \"Ġ low\"\n    ]"),
        "{ours}"
    );
    let theirs = ours
        .replace("\"l o\"", "[\"l\", \"o\"]")
        .replace("\"lo w\"", "[\"lo\", \"w\"]")
        .replace("\"Ġ low\"", "[\"\\u0120\", \"low\"]")
        .replace(
            "\"post_processor\": null",
            "\"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": false, \"use_regex\": true}",
        );
    assert_eq!(BpeTokenizer::from_json(&theirs).unwrap(), bpe());
    // Older versions of the library leave some fields out, or write them empty.
    let older = ours
        .replace("\"fuse_unk\": false,", "")
        .replace("\"byte_fallback\": false,", "")
        .replace("\"ignore_merges\": false,", "")
        .replace("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"\"")
        .replace("\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"\"");
    assert_ne!(older, ours);
    assert_eq!(BpeTokenizer::from_json(&older).unwrap(), bpe());
    // Special tokens may be listed outside of the vocabulary only.
    let outside = bpe().to_json().replace("\"<|endoftext|>\": 0,", "\"<pad>\": 0,");
    let outside = outside.replace("\"id\": 0", "\"id\": 260");
    let with_pad = BpeTokenizer::from_json(&outside).unwrap();
    assert_eq!((with_pad.vocab_size(), with_pad.special("<|endoftext|>")), (261, Some(260)));
}

#[test]
fn gpt2_files() {
    let (vocab, merges) = bpe().to_gpt2();
    assert_eq!(merges, "#version: 0.2\nl o\nlo w\nĠ low\n");
    let read = BpeTokenizer::from_gpt2(&vocab, &merges).unwrap();
    assert_eq!(read, bpe());
    assert_eq!(read.special("<|endoftext|>"), Some(0)); // neither a byte nor the product of a merge

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vocab.json"), &vocab).unwrap();
    Tokenizer::load(folder.path()).unwrap_err();
    fs::write(folder.path().join("merges.txt"), merges.replace('\n', "\r\n")).unwrap();
    assert_eq!(Tokenizer::load(folder.path()).unwrap(), Tokenizer::Bpe(bpe()));

    for (vocab, merges, expected) in [
        ("[]", "", "invalid type: sequence"),
        ("{\"a\": 0", "", "EOF"),
        ("{\"a\": 0}", "", "no token for the byte 0"),
        (&vocab, "l o\nlow", "the merge \"low\" is not two tokens"),
        (&vocab, "l o\nl  o", "is not two tokens"),
        (&vocab, "l o\nl o", "the merge of \"l\" and \"o\" is there twice"),
        (&vocab, "l o\no l", "needs the token \"ol\""),
    ] {
        let message = BpeTokenizer::from_gpt2(vocab, merges).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("vocab.json"), "{message}");
        // A wrong merge is on the second line; what is wrong with the vocabulary has no line here.
        assert_eq!(message.contains("merges.txt line 2: "), merges.contains('\n'), "{message}");
    }
    for wrong in ["low", "l o", "o l"] {
        let merges = format!("#version: 0.2\nl o\n\n{wrong}\n");
        let message = BpeTokenizer::from_gpt2(&vocab, &merges).unwrap_err().to_string();
        assert!(message.contains("merges.txt line 4: "), "{message}");
    }
}

/// A file with one place changed, and what the error says of it.
#[test]
fn damaged_and_foreign_bpe_files_are_errors() {
    let cases = [
        // Features that would change the ids.
        ("\"version\": \"1.0\"", "\"version\": \"2.0\"", "version is \"2.0\""),
        ("\"type\": \"BPE\"", "\"type\": \"Unigram\"", "its model is \"Unigram\", not GPT-2's BPE"),
        ("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", "its normalizer is NFC"),
        (
            "\"post_processor\": null",
            "\"post_processor\": {\"type\": \"TemplateProcessing\"}",
            "its post-processor is TemplateProcessing, which adds tokens",
        ),
        ("\"add_prefix_space\": false", "\"add_prefix_space\": true", "add_prefix_space is true"),
        ("\"use_regex\": true", "\"use_regex\": false", "use_regex is false"),
        (
            "\"type\": \"ByteLevel\"",
            "\"type\": \"Whitespace\"",
            "its pre-tokenizer is Whitespace, not GPT-2's ByteLevel",
        ),
        ("\"dropout\": null", "\"dropout\": 0.1", "dropout is set"),
        ("\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", "end_of_word_suffix is set"),
        ("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\"", "prefix is set"),
        ("\"byte_fallback\": false", "\"byte_fallback\": true", "byte_fallback is true"),
        ("\"ignore_merges\": false", "\"ignore_merges\": true", "ignore_merges is true"),
        ("\"lstrip\": false", "\"lstrip\": true", "\"<|endoftext|>\" has lstrip true"),
        ("\"rstrip\": false", "\"rstrip\": true", "\"<|endoftext|>\" has rstrip true"),
        ("\"single_word\": false", "\"single_word\": true", "\"<|endoftext|>\" has single_word true"),
        ("\"dropout\": null", "\"dropout\": null, \"cache\": 7", "unknown field `cache`"),
        ("\"decoder\"", "\"encoder\"", "its decoder is none"),
        // Vocabularies that are none.
        ("\"lo\": 257", "\"lo\": 258", "both have the id 258"),
        ("\"lo\": 257", "\"lo\": 260", "\"lo\" has the id 260, but there are 260 tokens"),
        ("\"lo\": 257", "\"lo\": -1", "invalid value: integer `-1`"),
        ("\"lo\": 257", "\"lo\": 1e3", "invalid type: floating point"),
        ("\"lo\": 257", "\"lo\": null", "invalid type: null"),
        ("\"lo\": 257", "\"l\": 257", "the token \"l\" is there twice"),
        ("\"lo\": 257", "\"lo lo\": 257", "not written in GPT-2's alphabet"),
        ("\"lo\": 257", "\"\": 257", "not written in GPT-2's alphabet"),
        ("\"lo\": 257", "\"中\": 257", "not written in GPT-2's alphabet"),
        ("\"!\": 1", "\"!!\": 1", "no token for the byte 33 (\"!\")"),
        // Merges that are none.
        ("\"l o\"", "\"l x\"", "needs the token \"lx\", which is no ordinary token"),
        ("\"l o\"", "\"l lolo\"", "needs the token \"lolo\""),
        ("\"l o\"", "\"lo\"", "is not two tokens"),
        ("\"l o\"", "\"l o w\"", "is not two tokens"),
        ("\"l o\"", "\" lo\"", "is not two tokens"),
        ("\"l o\"", "\"\"", "is not two tokens"),
        ("\"l o\"", "[\"l\"]", "invalid length 1"),
        ("\"l o\"", "[\"l\", \"o\", \"w\"]", "invalid length 3"),
        ("\"l o\"", "[\"l\", \"\"]", "is not two tokens"),
        ("\"l o\"", "7", "invalid type: integer"),
        ("\"l o\"", "\"lo w\"", "the merge of \"lo\" and \"w\" is there twice"),
        ("\"l o\"", "\"<|endoftext|> o\"", "needs the token \"<|endoftext|>\""),
        // Special tokens that texts could produce, or that contradict the vocabulary.
        ("\"content\": \"<|endoftext|>\"", "\"content\": \"low\"", "has the id 0, but 258"),
        ("\"id\": 0", "\"id\": 5", "has the id 5, but 0 in the vocabulary"),
        (
            "\"id\": 0,\n      \"content\": \"<|endoftext|>\"",
            "\"id\": 258,\n      \"content\": \"low\"",
            "needs the token \"low\", which is no ordinary token",
        ),
        (
            "\"id\": 0,\n      \"content\": \"<|endoftext|>\"",
            "\"id\": 1,\n      \"content\": \"!\"",
            "no token for the byte 33",
        ),
        (
            "\"id\": 0,\n      \"content\": \"<|endoftext|>\"",
            "\"id\": 300,\n      \"content\": \"<x>\"",
            "has the id 300, but",
        ),
        // Not JSON.
        ("}\n}", "}\n} x", "trailing characters"),
        ("}\n}", "}", "EOF while parsing"),
    ];
    let json = bpe().to_json();
    for (from, to, expected) in cases {
        assert!(json.contains(from), "{from}");
        let damaged = json.replacen(from, to, 1);
        let message = Tokenizer::from_json(&damaged).map(|t| t.vocab_size()).unwrap_err().to_string();
        assert!(
            message.starts_with("tokenizer.json: ") && message.contains(expected),
            "{from} -> {to}: {message}"
        );
    }
}

#[test]
fn damaged_word_files_are_errors() {
    let cases = [
        ("\"<unk>\": 0", "\"<UNK>\": 0", "expected \"<unk>\" with the id 0"),
        ("\"unk_token\": \"<unk>\"", "\"unk_token\": \",\"", "no word tokenizer of newleaf's"),
        ("\"added_tokens\": []", "\"added_tokens\": [{}]", "missing field"),
        ("\"Ġthe\": 1", "\"Ġthe\": 2", "both have the id 2"),
        ("\"Ġthe\": 1", "\"Ġcat\": 1", "\"Ġcat\" is there twice"),
        ("\"Ġthe\": 1", "\"ä\": 1", "is not UTF-8"),
        ("\"Ġthe\": 1", "\" the\": 1", "alphabet for bytes"),
    ];
    let json = words().to_json();
    for (from, to, expected) in cases {
        assert!(json.contains(from), "{from}");
        let message = Tokenizer::from_json(&json.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn hostile_files_are_errors() {
    let json = bpe().to_json();
    let deep = "[".repeat(1 << 20);
    let merge_list = |merges: &str| {
        let start = json.find("\"merges\": [").unwrap();
        let end = start + json[start..].find(']').unwrap() + 1;
        format!("{}\"merges\": {merges}{}", &json[..start], &json[end..])
    };
    let many_merges = format!("[{}\"l o\"]", "\"l o\",".repeat(1 << 20));
    let many_tokens: String = (260..(1 << 20) + 270).map(|id| format!("\"{id}\": {id},")).collect();
    let long_merge = format!("[\"{0} {0}\"]", "l".repeat(1 << 20));
    let hostile = [
        String::new(),
        "{}".into(),
        "null".into(),
        "\u{FEFF}{}".into(),
        "{\"model\": {\"type\": \"BPE\"}}".into(),
        deep.clone(),
        " ".repeat((64 << 20) + 1),
        merge_list(&deep),
        merge_list("{}"),
        merge_list(&many_merges),
        merge_list(&long_merge),
        json.replace("\"vocab\": {", &format!("\"vocab\": {{{many_tokens}")),
        json.replace("\"vocab\": {", &format!("\"vocab\": {deep}")),
        json.replace("\"added_tokens\": [", &format!("\"added_tokens\": {deep}")),
    ];
    for (n, text) in hostile.iter().enumerate() {
        let error = Tokenizer::from_json(text).unwrap_err();
        assert!(
            matches!(error, DataError::Tokenizer { .. } | DataError::OtherTokenizer { .. }),
            "{n}: {error}"
        );
        assert!(error.to_string().len() < 1000, "{n}");
    }
}

/// Every byte of a file, changed or cut: an error, or a tokenizer that works.
#[test]
fn no_damage_panics() {
    let json = words().to_json() + "\n";
    let text = "the cat, low";
    for at in (0..json.len()).filter(|&at| json.is_char_boundary(at)) {
        let _ = Tokenizer::from_json(&json[..at]).map(|t| t.encode(text));
        for replacement in ["\"", "{", "1", "\u{0}", "ÿ"] {
            let next = (at + 1..).find(|&next| json.is_char_boundary(next)).unwrap_or(json.len());
            let damaged = [&json[..at], replacement, &json[next.min(json.len())..]].concat();
            let _ = Tokenizer::from_json(&damaged).map(|t| t.encode(text));
        }
    }
}

#[test]
fn directories_without_a_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str| Tokenizer::load(folder.path().join(name)).unwrap_err().to_string();
    assert!(
        message("").contains("expected a directory with tokenizer.json, or with vocab.json and merges.txt")
    );
    assert!(message("missing").contains("no such directory"));
    fs::create_dir_all(folder.path().join("a/tokenizer.json")).unwrap();
    assert!(message("a").contains("found a directory"), "{}", message("a"));
    fs::create_dir(folder.path().join("b")).unwrap();
    fs::write(folder.path().join("b/tokenizer.json"), b"{\"model\": \xff}").unwrap();
    assert!(message("b").contains("byte 10: expected JSON or text in UTF-8"), "{}", message("b"));
    fs::write(folder.path().join("b/tokenizer.json"), b"{}").unwrap();
    let error = message("b");
    assert!(error.contains("b/tokenizer.json: expected a tokenizer that newleaf writes"), "{error}");

    // A model's tokenizer is not replaced.
    fs::write(folder.path().join("b/model.safetensors"), b"").unwrap();
    let error = Tokenizer::Bpe(bpe()).save(folder.path().join("b")).unwrap_err().to_string();
    assert!(error.contains("a model, which belongs to its own tokenizer"), "{error}");
    assert_eq!(fs::read(folder.path().join("b/tokenizer.json")).unwrap(), b"{}");
    // A file where the directory should be.
    Tokenizer::Bpe(bpe()).save(folder.path().join("b/tokenizer.json")).unwrap_err();
}
