//! Sampling and evaluation batches of all objectives: exact resumption, plain `clm` unchanged, documents apart.

use data::dataset::{
    ExampleSampler, ExampleSamplerState, ObjectiveBatches, SequentialBatches, TokenSource, WithDocuments,
};
use data::objective::{Corruptor, OBJECTIVES, Objective, ObjectiveSettings, Vocabulary};
use data::{Batch, SamplingMode, WindowSampler};
use proptest::prelude::*;
use random::{Rng, Stream};
use std::sync::Arc;

const ORDINARY: usize = 2000;

fn corruptor(objective: &str, block_size: usize) -> Arc<Corruptor> {
    let (objective, settings): (Objective, _) = (objective.parse().unwrap(), ObjectiveSettings::default());
    let names = objective.specials(&settings, block_size);
    let named = names.iter().map(String::as_str).zip(ORDINARY as u32..);
    let vocabulary = Vocabulary::new(ORDINARY + names.len(), named).unwrap();
    Arc::new(objective.resolve(&settings, &vocabulary, block_size).unwrap())
}

/// Tokens that are their own positions.
fn positions(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

fn any_mode() -> impl Strategy<Value = SamplingMode> {
    prop_oneof![Just(SamplingMode::Crop), Just(SamplingMode::Epoch)]
}

fn any_objective() -> impl Strategy<Value = String> {
    let mixtures = ["mix=clm:.5,mlm:.25,span:.25", "mix=glm:1,fim:3"];
    let names: Vec<&str> = OBJECTIVES.iter().map(|entry| entry.name).chain(mixtures).collect();
    proptest::sample::select(names).prop_map(String::from)
}

proptest! {
    #[test]
    fn plain_clm_is_the_window_sampler(
        mode in any_mode(), block in 1..9_usize, extra in 1..60_usize, batch in 1..5_usize, seed: u64,
    ) {
        let tokens = positions(block + extra);
        let rng = Rng::new(seed, Stream::Data);
        let mut windows = WindowSampler::new(tokens.len(), block, batch, mode, rng).unwrap();
        let corruptor = corruptor("clm", block);
        let mut sampler = ExampleSampler::new(tokens.len(), corruptor, batch, mode, false, seed).unwrap();
        for _ in 0..10 {
            prop_assert_eq!(sampler.read_batch(&tokens).unwrap(), windows.next_batch(&tokens));
            prop_assert_eq!(sampler.state().windows, windows.state());
        }
    }

    #[test]
    fn resume_reproduces(
        objective in any_objective(),
        mode in any_mode(),
        block in 20..40_usize,
        extra in 1..200_usize,
        documents: bool,
        steps in 0..20_usize,
        seed: u64,
    ) {
        let n = block + extra;
        let source = WithDocuments::new(positions(n), (0..n).step_by(17).collect()).unwrap();
        let corruptor = corruptor(&objective, block);
        let mut sampler = ExampleSampler::new(n, corruptor.clone(), 3, mode, documents, seed).unwrap();
        for _ in 0..steps {
            sampler.read_batch(&source).unwrap();
        }
        let json = serde_json::to_string(&sampler.state()).unwrap();
        let state: ExampleSamplerState = serde_json::from_str(&json).unwrap();
        let mut resumed = ExampleSampler::from_state(&state, n, corruptor).unwrap();
        for _ in 0..8 {
            prop_assert_eq!(resumed.state(), sampler.state());
            prop_assert_eq!(resumed.read_batch(&source).unwrap(), sampler.read_batch(&source).unwrap());
        }
    }

    /// No position sees a token of another document, and none is asked for one.
    #[test]
    fn documents_are_apart(objective in any_objective(), every in 3..40_usize, block in 20..50_usize, seed: u64) {
        let n = 500;
        let source = WithDocuments::new(positions(n), (0..n).step_by(every).collect()).unwrap();
        // Random replacements would look like tokens of other documents.
        let pure = data::objective::MaskSplit::PURE;
        let settings = ObjectiveSettings { mask_split: pure, ..ObjectiveSettings::default() };
        let parsed: Objective = objective.parse().unwrap();
        let names = parsed.specials(&settings, block);
        let named = names.iter().map(String::as_str).zip(ORDINARY as u32..);
        let vocabulary = Vocabulary::new(ORDINARY + names.len(), named).unwrap();
        let corruptor = Arc::new(parsed.resolve(&settings, &vocabulary, block).unwrap());
        let mut sampler = ExampleSampler::new(n, corruptor, 4, SamplingMode::Crop, true, seed).unwrap();
        let batch = sampler.read_batch(&source).unwrap();
        let document = |id: u32| (!vocabulary.is_special(id)).then_some(id as usize / every);
        for row in 0..4 {
            let at = row * block..(row + 1) * block;
            let (ids, labels) = (&batch.ids[at.clone()], &batch.labels[at.clone()]);
            let weights = &batch.weights[at.clone()];
            let end = weights.iter().rposition(|&w| w > 0.0).map_or(0, |last| last + 1);
            let causal: Vec<(u32, u32)> = (0..block as u32).map(|i| (0, i + 1)).collect();
            let intervals = batch.intervals.as_ref().map_or(&causal[..], |all| &all[at]);
            for i in 0..end {
                let seen = ids[intervals[i].0 as usize..intervals[i].1 as usize].iter().chain([&ids[i]]);
                let asked = labels[i..=i].iter().filter(|_| weights[i] > 0.0);
                let mut documents: Vec<usize> = seen.chain(asked).filter_map(|&id| document(id)).collect();
                documents.dedup();
                prop_assert!(documents.len() <= 1, "position {} of {:?} sees {:?}", i, ids, documents);
            }
        }
    }

    #[test]
    fn evaluations_of_clm_are_the_sequential_batches(n in 2..200_usize, block in 1..30_usize, batch in 1..5_usize) {
        let tokens = positions(n);
        let corruptor = corruptor("clm", block);
        let ours = ObjectiveBatches::new(&tokens, &corruptor, 0, batch, false).unwrap();
        let plain = SequentialBatches::new(&tokens, block, batch).unwrap();
        prop_assert_eq!(ours.len(), plain.len());
        for i in 0..ours.len() {
            prop_assert_eq!(ours.get(i).unwrap(), plain.get(i).unwrap());
        }
    }

    #[test]
    fn evaluations_are_the_same_every_time(objective in any_objective(), n in 40..400_usize, documents: bool) {
        let source = WithDocuments::new(positions(n), (0..n).step_by(13).collect()).unwrap();
        let corruptor = corruptor(&objective, 32);
        for part in 0..corruptor.tasks().len() {
            let all = |batch_size| -> Vec<Batch> {
                let batches = ObjectiveBatches::new(&source, &corruptor, part, batch_size, documents).unwrap();
                // From the last to the first: a batch does not depend on those before it.
                (0..batches.len()).rev().map(|i| batches.get(i).unwrap()).collect()
            };
            prop_assert_eq!(all(3), all(3));
            let one_by_one: Vec<u32> = all(1).into_iter().rev().flat_map(|batch| batch.ids).collect();
            let together: Vec<u32> = all(4).into_iter().rev().flat_map(|batch| batch.ids).collect();
            prop_assert_eq!(one_by_one, together);
            prop_assert!(all(3).iter().map(Batch::total_weight).sum::<f64>() > 0.0);
        }
    }
}

#[test]
fn every_token_is_evaluated_once() {
    let tokens = positions(1000);
    let corruptor = corruptor("span", 64);
    let batches = ObjectiveBatches::new(&tokens, &corruptor, 0, 4, false).unwrap();
    let mut seen = Vec::<u32>::new();
    for batch in (0..batches.len()).map(|i| batches.get(i).unwrap()) {
        for (ids, weights) in batch.ids.chunks(64).zip(batch.weights.chunks(64)) {
            let end = weights.iter().rposition(|&w| w > 0.0).unwrap() + 1;
            seen.extend(ids[..end].iter().filter(|&&id| (id as usize) < ORDINARY));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, tokens);
}

#[test]
fn the_seed_and_only_the_seed_decides() {
    let tokens = positions(500);
    let batch = |objective, seed| {
        let corruptor = corruptor(objective, 32);
        let mut sampler = ExampleSampler::new(500, corruptor, 4, SamplingMode::Epoch, false, seed).unwrap();
        sampler.read_batch(&tokens).unwrap()
    };
    assert_eq!(batch("mlm", 1), batch("mlm", 1));
    assert_ne!(batch("mlm", 1), batch("mlm", 2));
    // The windows are those of the plain language model: what is hidden comes from another stream.
    let (plain, prefix) = (batch("clm", 1), batch("prefix", 1));
    assert_eq!(plain.ids, prefix.ids);
    assert!(plain.intervals.is_none() && prefix.intervals.is_some());
}

#[test]
fn another_objective_is_an_error() {
    let (mlm, n) = (corruptor("mlm", 32), 100);
    let state = ExampleSampler::new(n, mlm, 4, SamplingMode::Epoch, false, 1).unwrap().state();
    let message = |objective, block| {
        ExampleSampler::from_state(&state, n, corruptor(objective, block)).unwrap_err().to_string()
    };
    assert!(message("span", 32).contains("the objective was mlm then and is span now"));
    assert!(message("mlm", 16).contains("block size"));
    let vocabulary = Vocabulary::new(ORDINARY + 1, [("[MASK]", ORDINARY as u32)]).unwrap();
    let settings = ObjectiveSettings { mask_rate: 0.3, ..ObjectiveSettings::default() };
    let other = state.objective.resolve(&settings, &vocabulary, 32).unwrap();
    let message = ExampleSampler::from_state(&state, n, Arc::new(other)).unwrap_err().to_string();
    assert!(message.contains("settings"), "{message}");
}

#[test]
fn a_text_too_short_is_an_error() {
    let clm = corruptor("clm", 8);
    assert!(ObjectiveBatches::new(&positions(1), &clm, 0, 4, false).is_err());
    assert!(ObjectiveBatches::new(&positions(2), &clm, 0, 0, false).is_err());
    assert_eq!(positions(9).document_starts(1..9).unwrap(), [0_usize; 0]);
    assert!(ExampleSampler::new(8, clm, 4, SamplingMode::Epoch, false, 1).is_err());
}
