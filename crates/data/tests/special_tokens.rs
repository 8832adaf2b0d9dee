//! Special tokens of all tokenizers: reserved, never found in a text, kept in the file.

use data::objective::Vocabulary;
use data::tokenizer::{BpeTrainer, PieceCounts, WordTokenizer};
use data::{CharTokenizer, Tokenizer};
use proptest::prelude::*;

const TEXT: &str = "the [MASK] of the cat <extra_id_0> and the <|endoftext|> of the dog\n";
const NAMES: [&str; 4] = ["[MASK]", "<extra_id_0>", "<|endoftext|>", "中文"];

fn all() -> [Tokenizer; 3] {
    let mut counts = PieceCounts::new(None);
    counts.add(TEXT);
    let bpe = BpeTrainer { vocab_size: 270, ..BpeTrainer::default() }.train(&counts).unwrap();
    [
        Tokenizer::Char(CharTokenizer::from_text(TEXT).unwrap()),
        Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None).unwrap()),
        Tokenizer::Bpe(bpe),
    ]
}

#[test]
fn they_come_after_the_vocabulary_and_survive_the_file() {
    for plain in all() {
        let size = plain.vocab_size();
        let tokenizer = plain.clone().with_specials(&NAMES).unwrap();
        assert_eq!(tokenizer.vocab_size(), size + NAMES.len());
        let expected: Vec<(&str, u32)> = NAMES.into_iter().zip(size as u32..).collect();
        assert_eq!(tokenizer.specials(), expected);
        for (name, id) in expected {
            assert_eq!(tokenizer.special(name), Some(id));
            assert_eq!(tokenizer.decode(&[id]).unwrap(), name);
            assert_eq!(tokenizer.token_bytes(id).unwrap(), name.as_bytes());
            let mut decoder = tokenizer.decoder();
            assert_eq!(decoder.push(id).unwrap(), name);
        }
        assert_eq!(tokenizer.special("[sop]"), None);
        assert!(tokenizer.decode(&[(size + NAMES.len()) as u32]).is_err());
        let read = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(read, tokenizer);
        assert_eq!(read.specials(), tokenizer.specials());
        // Those that are there keep their ids.
        let more = read.with_specials(&["[sop]", "[MASK]"]).unwrap();
        assert_eq!(more.special("[MASK]"), Some(size as u32));
        assert_eq!(more.special("[sop]"), Some((size + NAMES.len()) as u32));
        assert_eq!(plain.clone().with_specials(&NAMES[..0]).unwrap().to_json(), plain.to_json());
    }
}

#[test]
fn they_are_what_other_libraries_expect() {
    for tokenizer in all().map(|plain| plain.with_specials(&NAMES).unwrap()) {
        let file: serde_json::Value = serde_json::from_str(&tokenizer.to_json()).unwrap();
        let added = file["added_tokens"].as_array().unwrap();
        assert_eq!(added.len(), NAMES.len());
        for (token, (name, id)) in added.iter().zip(tokenizer.specials()) {
            assert_eq!(
                (&token["content"], &token["id"], &token["special"]),
                (&name.into(), &id.into(), &true.into())
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_encoded_as_one(pieces in prop::collection::vec(prop::sample::select(vec![
        "[MASK]", "<extra_id_0>", "<|endoftext|>", " ", "the", "[", "]", "\n",
    ]), 0..20)) {
        let text = pieces.concat();
        for plain in all() {
            let tokenizer = plain.clone().with_specials(&NAMES).unwrap();
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(&ids, &plain.encode(&text).unwrap());
            let vocabulary = Vocabulary::of(&tokenizer);
            prop_assert_eq!(vocabulary.ordinary(), plain.vocab_size());
            prop_assert!(!ids.iter().any(|&id| vocabulary.is_special(id)));
            let mut encoder = tokenizer.encoder();
            let mut streamed = Vec::new();
            pieces.iter().for_each(|piece| encoder.push(piece, &mut streamed).unwrap());
            encoder.finish(&mut streamed).unwrap();
            prop_assert_eq!(streamed, ids);
        }
    }
}

#[test]
fn names_that_could_be_confused_are_errors() {
    for plain in all() {
        for name in ["", "x"] {
            let message = plain.clone().with_specials(&[name]).unwrap_err().to_string();
            assert!(message.contains("a name of at least 2 characters"), "{message}");
        }
    }
    let [_, words, bpe] = all();
    assert!(words.clone().with_specials(&[" the"]).unwrap_err().to_string().contains("the ordinary token"));
    assert!(words.with_specials(&["<unk>"]).unwrap_err().to_string().contains("the ordinary token 0"));
    assert!(bpe.with_specials(&["the"]).unwrap_err().to_string().contains("the ordinary token"));
}

#[test]
fn damaged_files_are_errors() {
    for plain in all() {
        let size = plain.vocab_size();
        let json = plain.with_specials(&NAMES[..2]).unwrap().to_json();
        for (found, replacement) in [
            (format!("\"id\": {}", size + 1), format!("\"id\": {}", size + 2)),
            (format!("\"id\": {}", size + 1), format!("\"id\": {size}")),
            ("\"lstrip\": false".into(), "\"lstrip\": true".into()),
            ("\"content\": \"[MASK]\"".into(), "\"content\": \"x\"".into()),
            ("\"content\": \"[MASK]\"".into(), "\"content\": \"<extra_id_0>\"".into()),
        ] {
            assert!(json.contains(&found), "{found}");
            let broken = json.replacen(&found, &replacement, 1);
            assert!(Tokenizer::from_json(&broken).is_err(), "{found} -> {replacement}");
        }
    }
}
