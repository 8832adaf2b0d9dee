//! The character tokenizer and its file.

use data::{CharTokenizer, DataError};
use proptest::prelude::*;

fn hello() -> CharTokenizer {
    CharTokenizer::from_text("hello\n").unwrap()
}

#[test]
fn ids_follow_code_points() {
    let tokenizer = CharTokenizer::from_text("ba🙂中\u{301}Z\n").unwrap();
    assert_eq!(tokenizer.chars(), ['\n', 'Z', 'a', 'b', '\u{301}', '中', '🙂']);
    assert_eq!(tokenizer.encode("中a").unwrap(), [5, 2]);
    assert!(tokenizer.encode("").unwrap().is_empty());
}

#[test]
fn one_character_is_no_vocabulary() {
    for (text, found) in [("", 0), ("\n\n\n", 1)] {
        let error = CharTokenizer::from_text(text).unwrap_err();
        assert!(matches!(error, DataError::OneCharacterVocabulary { found: f } if f == found));
        assert!(error.to_string().starts_with("one-character vocabulary: "));
    }
}

#[test]
fn unknown_characters_are_listed() {
    let message = hello().encode("hell\nhole é\té\u{1b}").unwrap_err().to_string();
    assert_eq!(
        message,
        "4 characters are not among the 5 of the vocabulary: ' ' (U+0020), 'é' (U+00E9), '\\t' (U+0009), \
         '\\u{1b}' (U+001B); the first is at line 2, column 5 (character 9): remove or replace them, or train on \
         a text that has them"
    );
    let all: String = ('a'..='z').collect();
    let message = hello().encode(&all).unwrap_err().to_string();
    assert!(message.starts_with("22 characters are not among the 5 of the vocabulary: 'a' (U+0061)"));
    assert!(message.contains(" and 2 more; the first is at line 1, column 1 (character 0)"), "{message}");
}

#[test]
fn ids_out_of_range_are_errors() {
    let message = hello().decode(&[0, 5]).unwrap_err().to_string();
    assert!(
        message.starts_with("token id 5 at position 1 is out of range: the vocabulary has 5 tokens, 0 to 4")
    );
    assert!(hello().decode(&[u32::MAX]).is_err());
}

proptest! {
    #[test]
    fn decode_inverts_encode(text: String) {
        let text = text + "ab"; // at least two distinct characters
        let tokenizer = CharTokenizer::from_text(&text).unwrap();
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        prop_assert_eq!(CharTokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);
    }

    #[test]
    fn encode_is_total(vocabulary in "[a-f]{2,9}x", text: String) {
        let tokenizer = CharTokenizer::from_text(&vocabulary).unwrap();
        let known = text.chars().all(|c| vocabulary.contains(c));
        prop_assert_eq!(tokenizer.encode(&text).is_ok(), known);
    }

    #[test]
    fn damaged_files_never_panic(at in 0..700_usize, replacement in prop::collection::vec(any::<char>(), 0..3)) {
        let mut json: Vec<char> = hello().to_json().chars().collect();
        let at = at.min(json.len() - 1);
        json.splice(at..=at, replacement);
        if let Ok(tokenizer) = CharTokenizer::from_json(&json.into_iter().collect::<String>()) {
            prop_assert_eq!(tokenizer.vocab_size(), 5);
        }
    }
}

#[test]
fn every_character_there_is() {
    let all: String = ('\0'..=char::MAX).collect();
    let tokenizer = CharTokenizer::from_text(&all).unwrap();
    assert_eq!(tokenizer.vocab_size(), 0x11_0000 - 0x800);
    assert_eq!(tokenizer.decode(&tokenizer.encode(&all).unwrap()).unwrap(), all);
    assert_eq!(CharTokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);
}

/// The file is a promise to other programs (and to old checkpoints): it does not change.
#[test]
fn golden_file() {
    let expected = r#"{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [],
  "normalizer": null,
  "pre_tokenizer": {
    "type": "Split",
    "pattern": {
      "Regex": "[\\s\\S]"
    },
    "behavior": "Isolated",
    "invert": false
  },
  "post_processor": null,
  "decoder": {
    "type": "Fuse"
  },
  "model": {
    "type": "WordLevel",
    "vocab": {
      "\n": 0,
      "e": 1,
      "h": 2,
      "l": 3,
      "o": 4
    },
    "unk_token": "<unk>"
  }
}"#;
    assert_eq!(hello().to_json(), expected);
}

#[test]
fn files_may_list_ids_in_any_order() {
    let swapped = hello().to_json().replace("\"e\": 1", "\"e\": 2").replace("\"h\": 2", "\"h\": 1");
    let tokenizer = CharTokenizer::from_json(&swapped).unwrap();
    assert_eq!(tokenizer.encode("he").unwrap(), [1, 2]);
}

#[test]
fn foreign_files_are_errors() {
    let cases = [
        ("\"WordLevel\"", "\"BPE\"", "the model is of type \"BPE\""),
        ("\"version\": \"1.0\"", "\"version\": \"2.0\"", "version is \"2.0\", expected \"1.0\""),
        ("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", "normalizer is set"),
        ("\"post_processor\": null", "\"post_processor\": 1", "post_processor is set"),
        ("\"added_tokens\": []", "\"added_tokens\": [{}]", "missing field"),
        ("\"invert\": false", "\"invert\": true", "pre_tokenizer.invert is set"),
        ("\"Isolated\"", "\"Removed\"", "pre_tokenizer.behavior is \"Removed\", expected \"Isolated\""),
        ("[\\\\s\\\\S]", "\\\\w+", "pre_tokenizer.pattern.Regex is"),
        ("\"Fuse\"", "\"ByteLevel\"", "decoder.type is \"ByteLevel\""),
        ("\"unk_token\": \"<unk>\"", "\"unk_token\": \"e\"", "model.unk_token is \"e\""),
        ("\"unk_token\"", "\"unk\"", "unknown field `unk`"),
        ("\"e\": 1", "\"ee\": 1", "the token \"ee\" (id 1) is not one character"),
        ("\"e\": 1", "\"\": 1", "the token \"\" (id 1) is not one character"),
        ("\"e\": 1", "\"e\": 2", "the tokens 'e' and 'h' both have the id 2"),
        ("\"e\": 1", "\"e\": 5", "the token \"e\" has the id 5, but there are 5 tokens"),
        ("\"e\": 1", "\"h\": 1", "the token 'h' is there twice"),
        ("\"e\": 1", "\"e\": -1", "invalid value: integer `-1`"),
        ("\"e\": 1", "\"e\": 4294967296", "invalid value: integer `4294967296`"),
        ("\"e\": 1", "\"e\": \"1\"", "invalid type: string"),
        ("\"version\": \"1.0\"", "\"version\": \"1.0\", \"version\": \"1.0\"", "duplicate field `version`"),
        ("\"decoder\"", "\"encoder\"", "unknown field `encoder`"),
        ("}\n}", "}\n} x", "trailing characters"),
        ("}\n}", "}", "EOF while parsing"),
    ];
    let json = hello().to_json();
    for (from, to, expected) in cases {
        assert!(json.contains(from), "{from}");
        let message = CharTokenizer::from_json(&json.replace(from, to)).unwrap_err().to_string();
        assert!(
            message.starts_with("tokenizer.json: ") && message.contains(expected),
            "{message}\n{expected}"
        );
    }
}

#[test]
fn hostile_files_are_errors() {
    let one =
        hello().to_json().replace(",\n      \"e\": 1,\n      \"h\": 2,\n      \"l\": 3,\n      \"o\": 4", "");
    assert!(matches!(CharTokenizer::from_json(&one), Err(DataError::OneCharacterVocabulary { found: 1 })));
    let deep = "[".repeat(1 << 20);
    let too_large = " ".repeat((64 << 20) + 1);
    for json in ["", "{}", "null", "[1]", "{\"model\": {}}", "\u{FEFF}{}", &deep, &too_large] {
        assert!(matches!(CharTokenizer::from_json(json), Err(DataError::Tokenizer { .. })));
    }
    let deep_inside = hello().to_json().replace("\"normalizer\": null", &format!("\"normalizer\": {deep}"));
    assert!(CharTokenizer::from_json(&deep_inside).is_err());
}
