//! Properties of batches and samplers: nothing twice, nothing forgotten, exact resumption.

use data::{
    Batch, DataError, SamplerState, SamplingMode, WindowSampler, sequential_batches, sequential_windows,
};
use proptest::prelude::*;
use random::{Rng, Stream};

/// Tokens that are their own positions: a window shows where it comes from.
fn positions(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

fn sampler(n: usize, block: usize, batch: usize, mode: SamplingMode, seed: u64) -> WindowSampler {
    WindowSampler::new(n, block, batch, mode, Rng::new(seed, Stream::Data)).unwrap()
}

fn any_mode() -> impl Strategy<Value = SamplingMode> {
    prop_oneof![Just(SamplingMode::Crop), Just(SamplingMode::Epoch)]
}

/// The starts of the rows of a batch of `positions`, after checking that rows are windows.
fn starts(batch: &Batch) -> Vec<u32> {
    let t = batch.block_size;
    assert_eq!(batch.ids.len(), batch.batch_size * t);
    assert_eq!(batch.labels, batch.ids.iter().map(|id| id + 1).collect::<Vec<_>>());
    assert_eq!(batch.weights, vec![1.0; batch.ids.len()]);
    for row in batch.ids.chunks(t) {
        assert!(row.iter().copied().eq(row[0]..row[0] + t as u32));
    }
    batch.ids.chunks(t).map(|row| row[0]).collect()
}

proptest! {
    #[test]
    fn every_token_once_per_epoch(block in 1..9_usize, extra in 1..80_usize, seed: u64) {
        let n = block + extra;
        let tokens = positions(n);
        let mut sampler = sampler(n, block, 1, SamplingMode::Epoch, seed);
        for epoch in 0..4 {
            let mut used = vec![0; n];
            let mut windows = 0;
            while sampler.state().epoch == epoch {
                if sampler.epochs() == Some(epoch as f64 + 1.0) {
                    break;
                }
                for label in sampler.next_batch(&tokens).labels {
                    used[label as usize] += 1;
                }
                windows += 1;
            }
            // One unbroken stretch is used exactly once; less than a window rests at each end.
            let first = used.iter().position(|&u| u > 0).unwrap();
            let last = used.iter().rposition(|&u| u > 0).unwrap();
            prop_assert!(used[first..=last].iter().all(|&u| u == 1));
            prop_assert_eq!(last + 1 - first, windows * block);
            prop_assert!(first - 1 < block && n - 1 - last < block);
            // Step into the next epoch and back to its start.
            let mut next = sampler.clone();
            next.next_batch(&tokens);
            let state = SamplerState { cursor: 0, ..next.state() };
            sampler = WindowSampler::from_state(&state, n).unwrap();
        }
    }

    #[test]
    fn batches_continue_across_epochs(block in 1..6_usize, extra in 1..40_usize, batch in 1..20_usize, seed: u64) {
        // Batches of any size deliver the same windows as batches of one.
        let n = block + extra;
        let tokens = positions(n);
        let mut large = sampler(n, block, batch, SamplingMode::Epoch, seed);
        let mut single = sampler(n, block, 1, SamplingMode::Epoch, seed);
        for _ in 0..5 {
            for start in starts(&large.next_batch(&tokens)) {
                prop_assert_eq!(vec![start], starts(&single.next_batch(&tokens)));
            }
        }
    }

    #[test]
    fn resume_reproduces(
        mode in any_mode(),
        block in 1..9_usize,
        extra in 1..60_usize,
        batch in 1..8_usize,
        steps in 0..30_usize,
        seed: u64,
    ) {
        let n = block + extra;
        let tokens = positions(n);
        let mut sampler = sampler(n, block, batch, mode, seed);
        for _ in 0..steps {
            sampler.next_batch(&tokens);
        }
        let json = serde_json::to_string(&sampler.state()).unwrap();
        let state: SamplerState = serde_json::from_str(&json).unwrap();
        let mut resumed = WindowSampler::from_state(&state, n).unwrap();
        for _ in 0..30 {
            prop_assert_eq!(resumed.state(), sampler.state());
            prop_assert_eq!(resumed.next_batch(&tokens), sampler.next_batch(&tokens));
        }
    }

    #[test]
    fn windows_are_in_range(mode in any_mode(), block in 1..9_usize, extra in 1..20_usize, seed: u64) {
        let n = block + extra;
        let tokens = positions(n);
        let mut sampler = sampler(n, block, 7, mode, seed);
        for _ in 0..10 {
            let batch = sampler.next_batch(&tokens);
            prop_assert_eq!(batch.total_weight(), (7 * block) as f64);
            prop_assert!(starts(&batch).into_iter().all(|start| (start as usize) < n - block));
        }
    }

    #[test]
    fn sequential_windows_cover_each_target_once(n in 2..200_usize, block in 1..30_usize, batch in 1..6_usize) {
        let tokens = positions(n);
        let windows: Vec<_> = sequential_windows(&tokens, block).unwrap().collect();
        let targets: Vec<u32> = windows.iter().flat_map(|w| w.labels.clone()).collect();
        prop_assert_eq!(&targets, &tokens[1..]);
        prop_assert!(windows[..windows.len() - 1].iter().all(|w| w.ids.len() == block));

        let batches: Vec<_> = sequential_batches(&tokens, block, batch).unwrap().collect();
        let mut counted = Vec::new();
        for batch in &batches {
            prop_assert_eq!(batch.ids.len(), batch.batch_size * block);
            for ((&id, &label), &weight) in batch.ids.iter().zip(&batch.labels).zip(&batch.weights) {
                if weight > 0.0 {
                    prop_assert_eq!(id + 1, label);
                    counted.push(label);
                } else {
                    prop_assert_eq!((id, label), (0, 0));
                }
            }
        }
        prop_assert_eq!(counted, targets);
        let total: f64 = batches.iter().map(Batch::total_weight).sum();
        prop_assert_eq!(total, (n - 1) as f64);
    }

    #[test]
    fn shards_are_the_batch(batch in 1..9_usize, cut in 0..9_usize, seed: u64) {
        let tokens = positions(50);
        let whole = sampler(50, 4, batch, SamplingMode::Crop, seed).next_batch(&tokens);
        let cut = cut.min(batch);
        let (a, b) = (whole.shard(0..cut), whole.shard(cut..batch));
        prop_assert_eq!((a.batch_size, b.batch_size), (cut, batch - cut));
        prop_assert_eq!([a.ids.clone(), b.ids.clone()].concat(), whole.ids.clone());
        prop_assert_eq!([a.labels.clone(), b.labels.clone()].concat(), whole.labels.clone());
        prop_assert_eq!(a.total_weight() + b.total_weight(), whole.total_weight());
    }
}

#[test]
fn crops_reach_both_ends() {
    let tokens = positions(10);
    let mut sampler = sampler(10, 7, 100, SamplingMode::Crop, 1);
    let mut found = starts(&sampler.next_batch(&tokens));
    found.sort();
    found.dedup();
    assert_eq!(found, [0, 1, 2]); // 3 would need a label at position 10
}

#[test]
fn epochs_differ_in_offset_and_order() {
    let tokens = positions(1000);
    let mut sampler = sampler(1000, 16, 1, SamplingMode::Epoch, 1);
    let mut epochs = vec![Vec::new(); 50];
    while let Some(epoch) = epochs.get_mut(sampler.epochs().unwrap() as usize) {
        epoch.extend(starts(&sampler.next_batch(&tokens)));
    }
    let mut offsets: Vec<u32> = epochs.iter().map(|starts| starts[0] % 16).collect();
    offsets.sort();
    offsets.dedup();
    assert!(offsets.len() > 12, "of 16 possible offsets 50 epochs used only {offsets:?}");
    assert!(epochs.iter().all(|starts| !starts.is_sorted() && (61..=62).contains(&starts.len())));
    let windows = |i: usize| epochs[i].iter().map(|start| start / 16);
    assert!((1..50).all(|i| !windows(i).eq(windows(0))));
}

/// Data order is part of what a seed promises. The literals were computed independently, with the
/// generator of random/tests/reference.py.
#[test]
fn golden_starts() {
    let tokens = positions(100);
    let mut crop = sampler(100, 8, 8, SamplingMode::Crop, 1337);
    let mut epoch = sampler(100, 8, 8, SamplingMode::Epoch, 1337);
    assert_eq!(starts(&crop.next_batch(&tokens)), GOLDEN_CROP);
    assert_eq!(starts(&epoch.next_batch(&tokens)), GOLDEN_EPOCH);
}

const GOLDEN_CROP: [u32; 8] = [3, 28, 79, 49, 82, 11, 48, 22];
const GOLDEN_EPOCH: [u32; 8] = [32, 48, 56, 16, 80, 8, 88, 0];

#[test]
fn impossible_sizes_are_errors() {
    let new = |n, block, batch| {
        WindowSampler::new(n, block, batch, SamplingMode::Epoch, Rng::new(0, Stream::Data)).map(|_| ())
    };
    let message = new(12, 256, 1).unwrap_err().to_string();
    assert_eq!(
        message,
        "the text has 12 tokens, but a block_size of 256 needs at least 257 (one more, for the last label): \
         use a longer text or a smaller block_size"
    );
    assert!(new(256, 256, 1).is_err() && new(257, 256, 1).is_ok());
    assert_eq!(new(10, 0, 1).unwrap_err().to_string(), "block_size is 0: expected at least 1");
    assert!(matches!(new(10, 1, 0), Err(DataError::InvalidSetting { name: "batch_size", .. })));
    assert!(matches!(new(10, 2, usize::MAX), Err(DataError::InvalidSetting { name: "batch_size", .. })));
    assert!(new(10, usize::MAX, 1).unwrap_err().to_string().contains("the text has 10 tokens"));
    assert!(sequential_windows(&[1], 4).is_err() && sequential_windows(&[1, 2], 0).is_err());
    assert!(sequential_batches(&[1, 2], 4, 0).is_err());
    assert_eq!(sequential_windows(&[1, 2], usize::MAX).unwrap().count(), 1);
}

#[test]
fn states_that_do_not_fit_are_errors() {
    let state = sampler(100, 8, 4, SamplingMode::Epoch, 1).state();
    let message = WindowSampler::from_state(&state, 99).unwrap_err().to_string();
    assert!(message.contains("the text had 100 tokens then and has 99 now"), "{message}");
    for damaged in [
        SamplerState { cursor: 13, ..state.clone() },
        SamplerState { block_size: 0, ..state.clone() },
        SamplerState { block_size: 100, ..state.clone() },
        SamplerState { mode: SamplingMode::Crop, epoch: 1, ..state.clone() },
        SamplerState { mode: SamplingMode::Crop, cursor: 1, ..state.clone() },
    ] {
        assert!(WindowSampler::from_state(&damaged, 100).is_err(), "{damaged:?}");
    }
    // The last epoch that can be counted does not overflow.
    let state = SamplerState { epoch: u64::MAX, ..state };
    let mut sampler = WindowSampler::from_state(&state, 100).unwrap();
    for _ in 0..10 {
        sampler.next_batch(&positions(100));
    }
}

#[test]
#[should_panic(expected = "another text than the sampler was made for")]
fn another_text_panics() {
    sampler(100, 8, 4, SamplingMode::Crop, 1).next_batch(&positions(99));
}

#[test]
#[should_panic(expected = "rows 1..3 of a batch of 2")]
fn a_shard_out_of_range_panics() {
    sampler(100, 8, 2, SamplingMode::Crop, 1).next_batch(&positions(100)).shard(1..3);
}
