//! Batches of examples with masks of all kinds.

use data::dataset::{SourcePart, TokenSource, WithDocuments};
use data::{Batch, Example, MaskSpec};
use proptest::prelude::*;

fn any_mask() -> impl Strategy<Value = MaskSpec> {
    let simple = prop_oneof![
        Just(MaskSpec::Causal),
        (1..9_u32).prop_map(|len| MaskSpec::Bidirectional { len }),
        (1..9_u32).prop_map(|len| MaskSpec::Prefix { len }),
        (1..4_u32).prop_map(|window| MaskSpec::SlidingWindow { window }),
    ];
    let packed = proptest::collection::vec((1..5_u32, simple.clone()), 0..4).prop_map(MaskSpec::Packed);
    prop_oneof![simple, packed]
}

fn example(len: usize, mask: MaskSpec) -> Example {
    Example { mask, ..Example::next_token(&(0..=len as u32).collect::<Vec<_>>()) }
}

proptest! {
    #[test]
    fn a_batch_keeps_every_mask(
        rows in proptest::collection::vec((1..9_usize, any_mask()), 1..6),
        padding in 0..4_usize,
        cut in 0..6_usize,
    ) {
        let block = 8 + padding;
        let examples: Vec<Example> = rows.into_iter().map(|(len, mask)| example(len, mask)).collect();
        let batch = Batch::from_examples(&examples, block);
        let all_causal = examples.iter().all(|example| example.mask == MaskSpec::Causal);
        prop_assert_eq!(batch.intervals.is_none(), all_causal);
        if let Some(intervals) = &batch.intervals {
            prop_assert_eq!(intervals.len(), batch.ids.len());
            for (row, example) in intervals.chunks(block).zip(&examples) {
                let len = example.ids.len();
                prop_assert_eq!(&row[..len], example.mask.intervals(len));
                // No real token sees padding, and padding sees nothing.
                prop_assert!(row[..len].iter().all(|&(_, hi)| hi as usize <= len));
                prop_assert!((len..block).all(|i| row[i] == (0, 0)));
            }
        }
        let cut = cut.min(examples.len());
        let (a, b) = (batch.shard(0..cut), batch.shard(cut..examples.len()));
        prop_assert_eq!(a.intervals.is_none(), all_causal);
        let joined = [a.intervals.unwrap_or_default(), b.intervals.unwrap_or_default()].concat();
        prop_assert_eq!(joined, batch.intervals.unwrap_or_default());
    }

    #[test]
    fn packed_examples_do_not_see_each_other(lens in proptest::collection::vec(2..7_usize, 1..5)) {
        let mut first = 0;
        let documents: Vec<Vec<u32>> = lens.iter().map(|&len| {
            first += len as u32;
            (first - len as u32..first).collect()
        }).collect();
        let row = Example::packed(documents.iter().map(|d| Example::next_token(d)).collect());
        let t = row.ids.len();
        prop_assert_eq!(t, lens.iter().sum::<usize>() - lens.len());
        let owner = |token: u32| documents.iter().position(|d| d.contains(&token));
        for (i, (lo, hi)) in row.mask.intervals(t).into_iter().enumerate() {
            // Everything before it in its own document, and nothing else.
            let seen: Vec<u32> = row.ids[lo as usize..hi as usize].to_vec();
            let own = &documents[owner(row.ids[i]).unwrap()];
            prop_assert_eq!(&seen[..], &own[..seen.len()]);
            prop_assert_eq!(seen.last(), Some(&row.ids[i]));
            prop_assert_eq!(owner(row.labels[i]), owner(row.ids[i]));
        }
    }
}

#[test]
fn one_example_alone_is_not_packed() {
    let alone = Example::next_token(&[1, 2, 3]);
    assert_eq!(Example::packed(vec![alone.clone()]), alone);
    let none = Example::packed(Vec::new());
    assert!(none.ids.is_empty() && none.mask.intervals(0).is_empty());
}

#[test]
fn parts_know_their_documents() {
    let source = WithDocuments::new((0..10).collect::<Vec<u32>>(), vec![0, 3, 4, 8]).unwrap();
    assert_eq!(source.document_starts(0..10).unwrap(), [0, 3, 4, 8]);
    assert_eq!(SourcePart::new(&source, 2..8).document_starts(0..6).unwrap(), [1, 2]);
    let tokens: Vec<u32> = (0..10).collect();
    assert_eq!(tokens.document_starts(0..10).unwrap(), [0]);
    for starts in [vec![0, 0], vec![3, 1], vec![0, 10]] {
        assert!(WithDocuments::new(tokens.clone(), starts).is_err());
    }
}

#[test]
#[should_panic(expected = "labels and weights of the 3 ids of example 0")]
fn an_example_with_a_label_missing_panics() {
    let mut broken = example(3, MaskSpec::Causal);
    broken.labels.pop();
    Batch::from_examples(&[broken], 4);
}
