use super::*;
use crate::CharTokenizer;
use crate::tokenizer::{BpeTrainer, PieceCounts, WordTokenizer};
use proptest::prelude::*;

/// The BPE with added tokens that begin within words, in white space, and within each other.
fn with_added(bpe: &Tokenizer) -> Tokenizer {
    let the = (0..).find(|&id| bpe.token_bytes(id).as_deref() == Some(b"the")).unwrap(); // BPE's, too
    let words = [("the  ", true), (" 中", false), ("'ll  see", true), ("\n", true), ("🙂", false)];
    let added: Vec<_> = words
        .into_iter()
        .zip(bpe.vocab_size() as u32..)
        .chain([(("the", true), the)])
        .map(|((content, normalized), id)| {
            serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                               "normalized": normalized, "special": false})
        })
        .collect();
    let mut file: serde_json::Value = serde_json::from_str(&bpe.to_json()).unwrap();
    file["added_tokens"] = added.into();
    Tokenizer::from_json(&file.to_string()).unwrap()
}

fn tokenizers() -> [Tokenizer; 2] {
    let mut counts = PieceCounts::new(None);
    counts.add(&"it's the 中文 cat's 🙂 hat and they'll  see\n\n it 22 ".repeat(4));
    let bpe = BpeTrainer { vocab_size: 330, ..BpeTrainer::default() }.train(&counts).unwrap();
    [Tokenizer::Bpe(bpe), Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None).unwrap())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Wherever a text is cut, the ids are those of the whole.
    #[test]
    fn parts_give_the_ids_of_the_whole(parts in prop::collection::vec(crate::tokenizer::split::tests::awkward(), 0..6)) {
        let [bpe, words] = tokenizers();
        for tokenizer in [with_added(&bpe), bpe, words] {
            let mut encoder = tokenizer.encoder();
            for _ in 0..2 { // the second time with words remembered
                let mut ids = Vec::new();
                parts.iter().for_each(|part| encoder.push(part, &mut ids).unwrap());
                encoder.finish(&mut ids).unwrap();
                prop_assert_eq!(ids, tokenizer.encode(&parts.concat()).unwrap());
            }
        }
    }

    /// One id at a time, whole characters only, and together the whole text; of any ids at all.
    #[test]
    fn decoding_is_that_of_the_whole(ids in prop::collection::vec(0..256_u32, 0..30)) {
        let [bpe, _] = tokenizers();
        let mut decoder = bpe.decoder();
        let mut text = String::new();
        for &id in &ids {
            text += &decoder.push(id).unwrap();
        }
        text += &decoder.finish();
        prop_assert_eq!(text, bpe.decode(&ids).unwrap());
    }
}

#[test]
fn characters_are_not_cut() {
    let [bpe, _] = tokenizers();
    let mut decoder = bpe.decoder();
    let byte = |byte: u8| (0..256).find(|&id| bpe.token_bytes(id).as_deref() == Some(&[byte])).unwrap();
    let texts: Vec<String> = "é🙂".bytes().map(|b| decoder.push(byte(b)).unwrap()).collect();
    assert_eq!(texts, ["", "é", "", "", "", "🙂"]);
    assert_eq!(decoder.push(byte(0xE4)).unwrap(), "");
    assert_eq!(decoder.clone().finish(), "\u{FFFD}");
    assert_eq!(decoder.push(byte(b'a')).unwrap(), "\u{FFFD}a");
    assert!(decoder.push(1_000_000).unwrap_err().to_string().contains("at position 8"));
}

#[test]
fn unknown_characters_have_their_place_in_the_whole() {
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text("ab\n").unwrap());
    let text = "ab\nabab\nbx";
    let whole = tokenizer.encode(text).unwrap_err().to_string();
    for cut in 0..text.len() {
        let mut encoder = tokenizer.encoder();
        let mut ids = Vec::new();
        let error = encoder.push(&text[..cut], &mut ids).and_then(|()| encoder.push(&text[cut..], &mut ids));
        assert_eq!(error.unwrap_err().to_string(), whole, "cut at {cut}");
    }
}

/// A long word in small parts is not looked at again for each part.
#[test]
fn a_long_word_in_parts() {
    let [bpe, _] = tokenizers();
    let mut encoder = bpe.encoder();
    let mut ids = Vec::new();
    for _ in 0..100_000 {
        encoder.push("thethe", &mut ids).unwrap();
    }
    encoder.finish(&mut ids).unwrap();
    assert_eq!(bpe.decode(&ids).unwrap(), "the".repeat(200_000));
}
