use super::*;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::pieces;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;

fn trained(text: &str, vocab_size: usize, min_count: u64) -> BpeTokenizer {
    let mut counts = PieceCounts::new(None);
    counts.add(text);
    BpeTrainer { vocab_size, min_count, special: Vec::new() }.train(&counts).unwrap()
}

/// The merges as "left right".
fn merges(tokenizer: &BpeTokenizer) -> Vec<String> {
    let text = |id| String::from_utf8_lossy(tokenizer.token_bytes(id).unwrap()).into_owned();
    tokenizer.merges().iter().map(|merge| format!("{} {}", text(merge.left), text(merge.right))).collect()
}

/// The example of <https://en.wikipedia.org/wiki/Byte-pair_encoding> and of minbpe.
#[test]
fn the_worked_example() {
    let tokenizer = trained("aaabdaaabac", 259, 1);
    assert_eq!(merges(&tokenizer), ["a a", "a b", "aa ab"]); // a a: 4; then a b: 2 (and aa a: 2, a larger pair)
    let ids = tokenizer.encode("aaabdaaabac");
    assert_eq!(ids, [258, 67, 258, 64, 66]); // the bytes are numbered from "!" on
    assert_eq!(tokenizer.decode(&ids).unwrap(), "aaabdaaabac");
}

#[test]
fn training_stops_when_no_pair_is_frequent() {
    let tokenizer = trained("ab ab cd", 1000, 2);
    assert_eq!(merges(&tokenizer), ["a b"]); // "ab" and " ab" are different pieces with the same pair
    assert_eq!(tokenizer.vocab_size(), 257);
    assert_eq!(trained("", 300, 1).vocab_size(), 256);
}

/// The counts that are kept up to date are those of counting again after every merge.
fn merges_by_counting_again(text: &str, vocab_size: usize, min_count: u64) -> Vec<String> {
    let order = byte_alphabet::in_order();
    let mut tokens: Vec<Vec<u8>> = order.iter().map(|&byte| vec![byte]).collect();
    let id = |byte: u8| order.iter().position(|&other| other == byte).unwrap();
    let mut words: Vec<Vec<usize>> = pieces(text).map(|piece| piece.bytes().map(id).collect()).collect();
    let mut found = Vec::new();
    while tokens.len() < vocab_size {
        let mut counts = HashMap::new();
        for pair in words.iter().flat_map(|word| word.windows(2)) {
            *counts.entry((pair[0], pair[1])).or_insert(0_u64) += 1;
        }
        let best = counts.into_iter().max_by_key(|&(pair, count)| (count, std::cmp::Reverse(pair)));
        let Some(((left, right), _)) = best.filter(|&(_, count)| count >= min_count) else { break };
        let bytes = [&tokens[left][..], &tokens[right][..]].concat();
        let text = |id: usize| String::from_utf8_lossy(&tokens[id]).into_owned();
        let line = format!("{} {}", text(left), text(right));
        if !found.contains(&line) {
            found.push(line);
        }
        let product = tokens.iter().position(|token| *token == bytes).unwrap_or_else(|| {
            tokens.push(bytes);
            tokens.len() - 1
        });
        for word in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if (word[at], word[at + 1]) == (left, right) {
                    word.splice(at..at + 2, [product]);
                }
                at += 1;
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn training_is_counting_again(text in "[ab c]{0,200}", size in 256..300_usize, min_count in 1..4_u64) {
        let expected = merges_by_counting_again(&text, size, min_count);
        prop_assert_eq!(merges(&trained(&text, size, min_count)), expected);
    }
}

/// Learned from some English, Chinese and code of our own.
static MIXED: LazyLock<BpeTokenizer> = LazyLock::new(|| {
    let text = "the cat sat on the mat and the dog sat on the log; let x = vec![0; 10]; \
                猫坐在垫子上，狗坐在木头上。猫和狗都很高兴。  fn main() {\n    println!(\"{}\", x);\n}\n🙂🙂 🙂 ";
    trained(&text.repeat(3), 420, 2)
});

/// How many random strings: some thousands, or as many as the variable CASES says.
fn cases() -> u32 {
    std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn decode_inverts_encode(text in crate::tokenizer::split::tests::awkward(), any: String) {
        for text in [text, any] {
            let ids = MIXED.encode(&text);
            prop_assert!(ids.iter().all(|&id| (id as usize) < MIXED.vocab_size()));
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| MIXED.token_bytes(id).unwrap()).copied().collect();
            prop_assert_eq!(bytes, text.as_bytes());
            prop_assert_eq!(MIXED.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn any_ids_decode(ids in prop::collection::vec(0..420_u32, 0..20)) {
        let ids: Vec<u32> = ids.into_iter().filter(|&id| (id as usize) < MIXED.vocab_size()).collect();
        MIXED.decode(&ids).unwrap();
    }
}

#[test]
fn ids_out_of_range_are_errors() {
    let error = MIXED.decode(&[0, 100_000]).unwrap_err().to_string();
    assert!(error.starts_with("token id 100000 at position 1 is out of range"), "{error}");
}

/// A text cannot say a special token.
#[test]
fn special_tokens_come_by_name_only() {
    let mut counts = PieceCounts::new(None);
    counts.add(&"<|endoftext|> <|endoftext|>".repeat(9));
    let special = vec!["<|endoftext|>".to_string(), "<pad>".to_string()];
    let mut tokenizer = BpeTrainer { vocab_size: 400, min_count: 1, special }.train(&counts).unwrap();
    assert_eq!((tokenizer.special("<|endoftext|>"), tokenizer.special("<pad>")), (Some(0), Some(1)));
    assert_eq!(tokenizer.special("endoftext"), None); // learned, but ordinary
    let ids = tokenizer.encode("<|endoftext|><pad>");
    assert!(ids.iter().all(|&id| id > 1), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids).unwrap(), "<|endoftext|><pad>");
    assert_eq!(tokenizer.decode(&[0, 1]).unwrap(), "<|endoftext|><pad>");

    let next = tokenizer.vocab_size() as u32;
    assert_eq!(tokenizer.add_special("<|user|>").unwrap(), next);
    assert_eq!(tokenizer.add_special("<|user|>").unwrap(), next);
    assert_eq!(
        tokenizer.specials().collect::<Vec<_>>(),
        [("<|endoftext|>", 0), ("<pad>", 1), ("<|user|>", next)]
    );
    for name in ["", "a", "endoftext"] {
        tokenizer.add_special(name).unwrap_err();
    }
}

/// Whatever is learned, no ordinary token has a special token's name.
#[test]
fn special_names_are_not_learned() {
    let mut counts = PieceCounts::new(None);
    counts.add(&"low lower ".repeat(9));
    let special = vec!["low".to_string(), "Ġlow".to_string()];
    let tokenizer = BpeTrainer { vocab_size: 300, min_count: 1, special }.train(&counts).unwrap();
    assert_eq!(BpeTokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);
    assert!(tokenizer.encode("low low").iter().all(|&id| id > 1));
}

#[test]
fn impossible_trainings_are_errors() {
    let train = |vocab_size, special: &[&str]| {
        let special = special.iter().map(|name| name.to_string()).collect();
        let error =
            BpeTrainer { vocab_size, special, min_count: 2 }.train(&PieceCounts::new(None)).unwrap_err();
        error.to_string()
    };
    assert!(train(255, &[]).starts_with("vocab_size is 255 with 0 special tokens: expected at least 256"));
    assert!(train(256, &["<pad>"]).starts_with("vocab_size is 256 with 1 special tokens"));
    assert!(train(usize::MAX, &[]).contains("at most 1048576"));
    assert!(train(300, &[""]).starts_with("special token is \"\""));
    assert!(train(300, &["<a>", "<a>"]).contains("given twice"));
}

/// The same piece over and over does not become one endless token.
#[test]
fn tokens_have_a_longest() {
    let tokenizer = trained(&"x".repeat(5000), 300, 1);
    let longest = (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.token_bytes(id).unwrap().len()).max();
    assert_eq!(longest, Some(1024));
}
