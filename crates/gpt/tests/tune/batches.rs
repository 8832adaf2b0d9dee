//! What a batch is made of does not matter: its parts add up, and each has masks of its own.

use super::*;

/// What a part contributes to the loss of a batch, over whose weight it is taken, adds up to the loss of the batch, and so do
/// the gradients: for labels of unequal weights, numbers, words in a pattern, and answers of unequal lengths. A mean of
/// means would be something else.
#[test]
fn parts_add_up_to_the_whole_batch() {
    let (classes, class_params) = classifier("full", Pool::Mean, false, yes_or_no());
    let target = Target::Number { mean: 0.0, deviation: 1.0 };
    let (numbers, number_params) = classifier("full", Pool::Last, true, target);
    let (texts, Targets::Labels(labels, _)) = texts(12, 1) else { unreachable!() };
    let labels = Targets::labels(labels, &[0.3, 2.0]);
    let heights = Targets::Numbers((0..12).map(|i| 0.3 * i as f32).collect());
    let examples: Vec<Example> = (0..12).map(|i| answer(i, 1 + i % 5)).collect();
    let complete = Complete { gpt: &classes.gpt, examples: &examples, dev: &examples, label_smoothing: 0.1 };
    assert_parts_add_up(&on_itself(&classes, &texts, &labels), &class_params);
    assert_parts_add_up(&on_itself(&numbers, &texts, &heights), &number_params);
    assert_parts_add_up(&complete, &class_params);
}

/// An example of which the last tokens count, each as much as its place says.
fn answer(i: usize, counts: usize) -> Example {
    let ids: Vec<u32> = (0..6 + i % 4).map(|j| ((i * 5 + j * 3) % VOCAB) as u32).collect();
    let weight = |j: usize| if j + counts >= ids.len() { 1.0 + (j % 3) as f32 } else { 0.0 };
    Example {
        labels: ids.iter().map(|id| (id + 1) % VOCAB as u32).collect(),
        weights: (0..ids.len()).map(weight).collect(),
        mask: MaskSpec::Causal,
        ids,
    }
}

fn assert_parts_add_up(task: &impl Task, params: &Params) {
    let all: Vec<usize> = (0..task.len()).rev().collect();
    let total = task.total_weight(&all);
    let gradient = |cuts: &[usize]| -> (f64, Vec<f32>) {
        let (workspace, mut grads, mut loss) = (Workspace::poisoned(), Grads::new(params), 0.0);
        for part in cuts.windows(2) {
            let tape = Tape::new(params, &workspace);
            let part = task.loss(&tape, &all[part[0]..part[1]], total);
            part.backward(&mut grads);
            loss += f64::from(part.item());
        }
        (loss, params.ids().flat_map(|id| grads.get(id).unwrap_or(&[]).to_vec()).collect())
    };
    let (loss, whole) = gradient(&[0, all.len()]);
    let largest = whole.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    assert!(loss > 0.0 && largest > 0.0);
    for cuts in [&[0, 1, 12][..], &[0, 5, 6, 12], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]] {
        let (parts_loss, parts) = gradient(cuts);
        assert!((parts_loss - loss).abs() <= 2e-6 * loss, "{cuts:?}: {parts_loss} {loss}");
        let error = parts.iter().zip(&whole).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= 2e-6 * largest, "{cuts:?}: {error:e} of {largest:e}");
    }
}

/// The parameters after a fine-tuning, as bits.
fn bits_after(settings: &TuneConfig) -> Vec<u32> {
    let (_, params, _) = trained("full", Pool::Mean, false, settings);
    params.ids().flat_map(|id| params.data(id).to_vec()).map(f32::to_bits).collect()
}

/// However many examples are computed at a time, the updates are those of the whole batch but for rounding; with or
/// without recomputing and on any number of threads they are the same to the bit.
#[test]
fn micro_batches_are_for_memory_only() {
    let settings = |micro_batch: Option<usize>| TuneConfig { epochs: 2, micro_batch, ..settings() };
    let weights = |bits: &[u32]| -> Vec<f32> { bits.iter().map(|&bits| f32::from_bits(bits)).collect() };
    let whole = bits_after(&settings(None));
    assert!(bits_after(&settings(Some(16))) == whole, "all of a batch at a time");
    for micro_batch in [8, 3, 1] {
        let parts = bits_after(&settings(Some(micro_batch)));
        assert!(parts != whole, "another order of additions");
        let off = weights(&parts).iter().zip(weights(&whole)).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(off < 2e-3, "{micro_batch}: {off}"); // of weights that move by 0.05
        let again = TuneConfig { recompute: true, ..settings(Some(micro_batch)) };
        assert!(bits_after(&again) == parts, "{micro_batch}: recomputed");
        for lanes in [2, 3] {
            let settings = TuneConfig { lanes, ..settings(Some(micro_batch)) };
            let bits = [1, 2, 3, 4].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| bits_after(&settings))
            });
            assert!(bits.iter().all(|other| *other == bits[0]), "{micro_batch}: threads");
            assert_eq!(bits[0] == parts, lanes == 2 || micro_batch == 8, "{micro_batch}: {lanes} lanes");
        }
    }
}

/// No two passes of a fine-tuning have the same masks, though some of its batches have more parts than others.
#[test]
fn every_part_has_masks_of_its_own() {
    /// Writes down the first seed of each pass.
    struct Listening(Mutex<Vec<u64>>);
    impl Task for Listening {
        fn len(&self) -> usize {
            40
        }
        fn gpt(&self) -> Option<&Gpt> {
            None
        }

        fn tokens(&self, example: usize) -> usize {
            if example < 20 { 1 } else { 1000 }
        }
        fn total_weight(&self, examples: &[usize]) -> f32 {
            examples.len() as f32
        }
        fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize], _: f32) -> Var<'t> {
            self.0.lock().unwrap().push(tape.next_dropout_seed().expect("seeds"));
            let w = tape.param(tape.params().ids().next().unwrap());
            (w * w).sum()
        }
        fn validate(&self, _: &Params) -> f64 {
            0.0
        }
    }
    let mut params = Params::new();
    params.add("w", [3], |w| w.fill(1.0));
    let task = Listening(Mutex::new(Vec::new()));
    let settings = TuneConfig { epochs: 30, batch_size: 10, patience: None, ..TuneConfig::default() };
    fit(&mut params, &task, &settings, quietly).unwrap();
    let mut seeds = task.0.into_inner().unwrap();
    assert_eq!(seeds.len(), 30 * (2 + 2 * 5)); // two batches of short ones, two of long ones, two of these at a time
    // One part has the masks that it had when there were no parts.
    assert!(seeds.contains(&DropoutSeeds::new(settings.seed, 0).next()));
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 360);
}
