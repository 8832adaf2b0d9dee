use super::*;
use crate::tokenizer::PieceCounts;
use crate::tokenizer::bpe::BpeTrainer;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The definition: the pair of lowest rank, of several the leftmost, until there is none.
fn merge_naively(bpe: &BpeTokenizer, bytes: &[u8]) -> Vec<u32> {
    let mut tokens: Vec<u32> = bytes.iter().map(|&byte| bpe.byte_ids[usize::from(byte)]).collect();
    loop {
        let ranked = tokens.windows(2).enumerate().map(|(at, pair)| (bpe.rank(pair[0], pair[1]), at));
        let Some((rank, at)) = ranked.min().filter(|&(rank, _)| rank != NONE) else { return tokens };
        tokens.splice(at..at + 2, [bpe.merges[rank as usize].product]);
    }
}

fn merged(bpe: &BpeTokenizer, bytes: &[u8], merge: impl Fn(&BpeTokenizer, &mut Vec<u32>)) -> Vec<u32> {
    let mut tokens = bytes.iter().map(|&byte| bpe.byte_ids[usize::from(byte)]).collect();
    merge(bpe, &mut tokens);
    tokens
}

/// Learned from few letters, so that almost everything is merged, in runs too.
static LEARNED: LazyLock<BpeTokenizer> = LazyLock::new(|| {
    let mut counts = PieceCounts::new(None);
    let mut letters = random::Rng::new(7, random::Stream::Data);
    for _ in 0..3000 {
        let length = 1 + letters.below(12);
        let word: String = (0..length).map(|_| ['a', 'a', 'b', 'c'][letters.below(4) as usize]).collect();
        counts.add(&word);
    }
    BpeTrainer { vocab_size: 500, ..BpeTrainer::default() }.train(&counts).unwrap()
});

/// Not learned by anyone: the same tokens in several ways and in an order that no training gives, so that merges
/// make pairs of lower ranks than their own.
static PERVERSE: LazyLock<BpeTokenizer> = LazyLock::new(|| {
    let merges = [
        "b aa", "aaaa a", "aa a", "aaa b", "a aa", "a a", "aa aa", "b a", "a b", "ba b", "b ab", "aaa aa",
        "c a",
    ];
    let products: Vec<String> = merges.iter().map(|merge| merge.replace(' ', "")).collect();
    let bytes = crate::tokenizer::byte_alphabet::in_order().map(|byte| vec![byte]);
    let mut tokens: Vec<Vec<u8>> = bytes.into();
    for product in products {
        if !tokens.contains(&product.clone().into_bytes()) {
            tokens.push(product.into_bytes());
        }
    }
    let id = |token: &str| tokens.iter().position(|other| other == token.as_bytes()).unwrap() as u32;
    let merge = |line: &&str| {
        let (left, right) = line.split_once(' ').unwrap();
        crate::tokenizer::bpe::Merge {
            left: id(left),
            right: id(right),
            product: id(&[left, right].concat()),
        }
    };
    let merges = merges.iter().map(merge).collect();
    BpeTokenizer::new(
        tokens.iter().collect(),
        merges,
        Vec::new(),
        crate::tokenizer::added::AddedTokens::NONE.clone(),
    )
    .unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn all_ways_are_the_definition(text in "[a-c]{0,48}", perverse: bool) {
        let bpe: &BpeTokenizer = if perverse { &PERVERSE } else { &LEARNED };
        let expected = merge_naively(bpe, text.as_bytes());
        let short = merged(bpe, text.as_bytes(), |bpe, tokens| merge_short(bpe, tokens, &mut Vec::new()));
        prop_assert_eq!(&short, &expected, "merge_short");
        prop_assert_eq!(&merged(bpe, text.as_bytes(), merge_long), &expected, "merge_long");
    }
}

#[test]
fn long_pieces_are_those_of_the_definition() {
    let mut letters = random::Rng::new(8, random::Stream::Data);
    for bpe in [&*LEARNED, &*PERVERSE] {
        let random: String = (0..3000).map(|_| ['a', 'b', 'c'][letters.below(3) as usize]).collect();
        for text in ["a".repeat(3001), "ab".repeat(1500), "aab".repeat(1000), random] {
            let expected = merge_naively(bpe, text.as_bytes());
            assert_eq!(merged(bpe, text.as_bytes(), merge_long), expected, "{}", &text[..20]);
        }
    }
}

/// A merge that makes a pair of lower rank than its own does occur in the perverse vocabulary: with "b aa" before
/// "a a", "baa" is b, aa → baa although aa came later.
#[test]
fn lower_ranks_are_merged_at_once() {
    let text = |ids: Vec<u32>| {
        ids.iter()
            .map(|&id| String::from_utf8(PERVERSE.token_bytes(id).unwrap().into()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(text(merged(&PERVERSE, b"baab", merge_long)), ["baa", "b"]);
    assert_eq!(text(merge_naively(&PERVERSE, b"baab")), ["baa", "b"]);
}
