//! Fine-tuning: what is learned, which weights are kept, and what does not matter.

use data::{CharTokenizer, Example, MaskSpec, Tokenizer};
use gpt::Gpt;
use gpt::config::{GptConfig, Position, Preset};
use gpt::peft::Method;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, Complete, Event, HeadConfig, Keep, LinearConfig, Metric, Outcome,
    Pool, Target, Targets, Task, TuneConfig, TuneError, fit, fit_keeping, grown, mean_loss,
};
use random::{Rng, Stream};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;
use tensor::{DropoutSeeds, Grads, Params, Tape, Var, Workspace};

const VOCAB: usize = 12;

fn config() -> GptConfig {
    let base = Preset::NanoCpu.config(VOCAB).model;
    GptConfig {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        block_size: 12,
        position: Position::Rope,
        qk_norm: true,
        ..base
    }
}

/// Texts of different lengths; the label is 1 if token 3 stands in it, which half of them have.
fn texts(count: usize, seed: u64) -> (Vec<Vec<u32>>, Targets) {
    let mut rng = Rng::new(seed, Stream::Data);
    let text = |i: usize| {
        let len = 2 + rng.below(9) as usize;
        let mut text: Vec<u32> = (0..len).map(|_| 4 + rng.below(8) as u32).collect();
        if i % 2 == 1 {
            text[rng.below(len as u64) as usize] = 3;
        }
        text
    };
    let texts: Vec<Vec<u32>> = (0..count).map(text).collect();
    let labels = texts.iter().map(|text| usize::from(text.contains(&3))).collect();
    (texts, Targets::Labels(labels, vec![1.0; 2]))
}

fn classifier(method: &str, pool: Pool, both_sides: bool, target: Target) -> (Classifier, Params) {
    let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
    let mut gpt = Gpt::new(&config(), &mut params, &mut rng);
    gpt.tune(&method.parse::<Method>().unwrap(), &mut params, &mut rng).unwrap();
    let config = linear(target, pool, both_sides, 0.0);
    let classifier = Classifier::new(gpt, config, &tokenizer(), &mut params, &mut rng).unwrap();
    (classifier, params)
}

fn linear(target: Target, pool: Pool, both_sides: bool, dropout: f32) -> ClassifierConfig {
    ClassifierConfig { target, head: HeadConfig::Linear(LinearConfig { pool, both_sides, dropout }) }
}

/// One of as many characters as the models have tokens.
fn tokenizer() -> Tokenizer {
    Tokenizer::Char(CharTokenizer::from_text("abcdefghijkl").unwrap())
}

fn yes_or_no() -> Target {
    Target::Label { names: vec!["no".into(), "yes".into()] }
}

/// Learning some texts and measuring the loss on the same.
fn on_itself<'a>(classifier: &'a Classifier, texts: &'a [Vec<u32>], targets: &'a Targets) -> Classify<'a> {
    let (dev_texts, dev_targets) = (texts, targets);
    Classify { classifier, texts, targets, dev_texts, dev_targets, metric: Metric::Loss }
}

fn settings() -> TuneConfig {
    TuneConfig { epochs: 12, batch_size: 16, learning_rate: 5e-3, ..TuneConfig::default() }
}

fn quietly(_: Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn trained(
    method: &str,
    pool: Pool,
    both_sides: bool,
    settings: &TuneConfig,
) -> (Classifier, Params, Outcome) {
    let (classifier, mut params) = classifier(method, pool, both_sides, yes_or_no());
    let ((texts, targets), (dev_texts, dev_targets)) = (texts(240, 1), texts(100, 2));
    let task = Classify {
        classifier: &classifier,
        texts: &texts,
        targets: &targets,
        dev_texts: &dev_texts,
        dev_targets: &dev_targets,
        metric: Metric::Accuracy,
    };
    let outcome = fit(&mut params, &task, settings, |name| classifier.gpt.depth(name), quietly).unwrap();
    (classifier, params, outcome)
}

#[test]
fn a_label_is_learned() {
    for (pool, both_sides) in [(Pool::Mean, false), (Pool::Mean, true), (Pool::Last, false)] {
        let settings = TuneConfig { epochs: 25, patience: None, ..settings() };
        let (classifier, params, outcome) = trained("full", pool, both_sides, &settings);
        assert!(outcome.best_score >= 0.97, "{pool:?} {both_sides}: {outcome:?}");
        let (test, Targets::Labels(labels, _)) = texts(100, 3) else { unreachable!() };
        let p = classifier.probabilities(&params, &test);
        let right = p.iter().zip(&labels).filter(|(p, label)| usize::from(p[1] > 0.5) == **label).count();
        assert!(right >= 95, "{right}");
        assert!(p.iter().all(|p| (p[0] + p[1] - 1.0).abs() < 1e-12));
    }
}

/// From random weights each method learns something, with no more numbers than it says.
#[test]
fn every_method_learns() {
    for method in [
        "head",
        "lora:r=4,targets=all",
        "ia3",
        "bitfit",
        "adapter:width=8",
        "prefix:tokens=4",
        "prompt:tokens=2",
    ] {
        let settings = TuneConfig { learning_rate: 2e-2, epochs: 20, patience: None, ..settings() };
        let (_, _, outcome) = trained(method, Pool::Mean, false, &settings);
        assert!(outcome.best_score > 0.75 && outcome.best_update > 0, "{method}: {outcome:?}");
        assert_eq!(outcome.optimizer_bytes, 8 * outcome.trainable_parameters, "{method}");
    }
}

/// A model as the preset `shakespeare` has it: tables of n-grams, a head of its own.
#[test]
fn models_of_every_kind_are_tuned() {
    let base = config();
    for (config, dead) in [
        (GptConfig { tied: false, ..base.clone() }, "lm_head.weight"),
        (
            GptConfig { ngram: 2, ngram_rows: 5, value_residual: true, embedding_skip: true, ..base },
            "ngram.2.ngrams",
        ),
    ] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config, &mut params, &mut rng);
        gpt.ngram.set_ngrams(&mut params, &vec![vec![(4, 3), (5, 3)]; config.ngram.saturating_sub(1)]);
        let settings = linear(yes_or_no(), Pool::Mean, false, 0.1);
        let classifier = Classifier::new(gpt, settings, &tokenizer(), &mut params, &mut rng).unwrap();
        let before = params.clone();
        let (texts, targets) = texts(64, 1);
        let task = on_itself(&classifier, &texts, &targets);
        let settings = TuneConfig { epochs: 3, patience: None, ..self::settings() };
        let outcome = fit(&mut params, &task, &settings, |name| classifier.gpt.depth(name), quietly).unwrap();
        assert!(outcome.best_update > 0);
        let id = params.id(dead).unwrap();
        assert_eq!(params.data(id), before.data(id), "{dead} moved");
    }
}

#[test]
fn a_number_is_learned() {
    let target = Target::Number { mean: 0.0, deviation: 1.0 };
    let (classifier, mut params) = classifier("full", Pool::Mean, true, target);
    let share = |texts: &[Vec<u32>]| {
        let share = |text: &Vec<u32>| text.iter().filter(|&&id| id < 8).count() as f32 / text.len() as f32;
        Targets::Numbers(texts.iter().map(|text| 2.0 * share(text) - 1.0).collect())
    };
    let ((train, _), (dev, _)) = (texts(240, 1), texts(100, 2));
    let task = Classify {
        classifier: &classifier,
        texts: &train,
        targets: &share(&train),
        dev_texts: &dev,
        dev_targets: &share(&dev),
        metric: Metric::Pearson,
    };
    let outcome = fit(&mut params, &task, &settings(), |name| classifier.gpt.depth(name), quietly).unwrap();
    assert!(outcome.best_score > 0.97, "{outcome:?}");
}

/// Whatever else is in its batch, and however long, a text has its own scores; only its first tokens are read.
#[test]
fn neighbours_do_not_matter() {
    for (pool, both_sides) in [(Pool::Mean, true), (Pool::Last, false)] {
        for method in ["full", "prefix:tokens=3", "prompt:tokens=2"] {
            let (classifier, params) = classifier(method, pool, both_sides, yes_or_no());
            let (texts, _) = texts(40, 9);
            let together = classifier.scores_of(&params, &texts);
            for (text, scores) in texts.iter().zip(&together) {
                let alone = &classifier.scores_of(&params, std::slice::from_ref(text))[0];
                for (a, b) in alone.iter().zip(scores) {
                    assert!((a - b).abs() <= 1e-5, "{method}: {alone:?} {scores:?}");
                }
            }
            let most = classifier.max_tokens(&params);
            let long: Vec<u32> = (0..30).map(|i| 4 + i % 8).collect();
            assert_eq!(
                classifier.scores_of(&params, std::slice::from_ref(&long)),
                classifier.scores_of(&params, &[long[..most].to_vec()])
            );
        }
    }
}

/// A task of which every measurement is better than the one before, so that the last weights are kept.
struct Last<'a>(Classify<'a>, Mutex<f64>);

impl Task for Last<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn tokens(&self, i: usize) -> usize {
        self.0.tokens(i)
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        self.0.total_weight(examples)
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize], weight: f32) -> Var<'t> {
        self.0.loss(tape, examples, weight)
    }

    fn validate(&self, _: &Params) -> f64 {
        let mut score = self.1.lock().unwrap();
        *score += 1.0;
        *score
    }
}

/// Class weights move the answers: of texts that say nothing, the heavier label is told.
#[test]
fn class_weights_count() {
    let told = |weights: Vec<f32>| {
        let (classifier, mut params) = classifier("head", Pool::Mean, false, yes_or_no());
        let texts: Vec<Vec<u32>> = vec![vec![5, 6]; 20];
        let targets = Targets::Labels((0..20).map(|i| usize::from(i % 4 == 0)).collect(), weights);
        let task = on_itself(&classifier, &texts, &targets);
        let settings = TuneConfig { epochs: 300, learning_rate: 5e-2, patience: None, ..settings() };
        fit(&mut params, &Last(task, Mutex::new(0.0)), &settings, |name| classifier.gpt.depth(name), quietly)
            .unwrap();
        classifier.probabilities(&params, &texts[..1])[0][1]
    };
    let (equal, balanced) = (told(vec![1.0, 1.0]), told(vec![1.0, 3.0]));
    assert!((equal - 0.25).abs() < 0.05, "{equal}");
    assert!((balanced - 0.5).abs() < 0.07, "{balanced}");
}

/// A task whose scores are written down. Each update adds to its one weight.
struct Scripted {
    scores: Mutex<Vec<f64>>,
    bad_after: usize,
}

impl Task for Scripted {
    fn len(&self) -> usize {
        4
    }

    fn tokens(&self, _: usize) -> usize {
        1
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.len() as f32
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize], _: f32) -> Var<'t> {
        let w = tape.param(tape.params().ids().next().unwrap());
        let left = self.scores.lock().unwrap().len();
        let broken = if left < self.bad_after { f32::NAN } else { 1.0 };
        (w * w).sum() * broken
    }

    fn validate(&self, _: &Params) -> f64 {
        self.scores.lock().unwrap().remove(0)
    }
}

/// The weight after each measurement, the outcome, and the weight in the end.
fn scripted(
    scores: &[f64],
    patience: Option<usize>,
    min_delta: f64,
    bad_after: usize,
) -> (Vec<f32>, Result<Outcome, TuneError>, Vec<f32>) {
    let mut params = Params::new();
    let id = params.add("w", [3], |w| w.fill(1.0));
    let task = Scripted { scores: Mutex::new(scores.to_vec()), bad_after };
    let settings =
        TuneConfig { epochs: scores.len() - 1, batch_size: 4, patience, min_delta, ..TuneConfig::default() };
    let updates = RefCell::new(Vec::new());
    let result = fit(
        &mut params,
        &task,
        &settings,
        |_| 0,
        |event| {
            if let Event::Score { update, .. } = event {
                updates.borrow_mut().push(update as f32);
            }
            ControlFlow::Continue(())
        },
    );
    let weights = params.data(id).to_vec();
    (updates.into_inner(), result, weights)
}

#[test]
fn stopping_early_gives_back_the_best_weights() {
    let scores = [0.1, 0.5, 0.4, 0.7, 0.6, 0.65, 0.7, 0.9];
    let (measured, result, weights) = scripted(&scores, Some(3), 0.0, 0);
    let outcome = result.unwrap();
    assert_eq!(measured, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]); // the third without an improvement on 0.7
    assert_eq!((outcome.best_update, outcome.best_score, outcome.stopped_early), (3, 0.7, true));
    // The weights are those of a run that had only three updates of the same schedule.
    let mut until = scores;
    until[4..].fill(0.0);
    let (_, _, best) = scripted(&until, None, 0.0, 0);
    assert_eq!(weights, best);
    assert_ne!(weights, scripted(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], None, 0.0, 0).2);
    // An improvement of less than min_delta is none.
    let (measured, result, _) = scripted(&[0.5, 0.505, 0.509, 0.9], Some(2), 0.01, 0);
    assert!(measured.len() == 3 && result.unwrap().best_update == 0);
}

#[test]
fn what_is_not_finite_stops_it_with_the_best_weights() {
    let (_, result, weights) = scripted(&[0.5, 0.6, 0.1, 0.1], None, 0.0, 2);
    assert!(matches!(result, Err(TuneError::NonFinite { update: 2, .. })), "{result:?}");
    assert_eq!(weights, scripted(&[0.5, 0.6, 0.1, 0.1], None, 0.0, 0).2);
    assert!(weights.iter().all(|w| w.is_finite() && *w < 1.0));
}

/// Layers thaw from the top: in the first epoch only the new layer moves, then one more block each epoch.
#[test]
fn layers_thaw_from_the_top() {
    let moved = |epochs: usize, unfreeze: bool, layer_decay: f64| -> Vec<(String, f64)> {
        let settings =
            TuneConfig { epochs, unfreeze, layer_decay, patience: None, weight_decay: 0.0, ..settings() };
        let (classifier, before) = classifier("full", Pool::Mean, false, yes_or_no());
        let (texts, targets) = texts(64, 1);
        let task = on_itself(&classifier, &texts, &targets);
        let mut params = before.clone();
        fit(&mut params, &Last(task, Mutex::new(0.0)), &settings, |name| classifier.gpt.depth(name), quietly)
            .unwrap();
        let distance = |id| {
            let pairs = params.data(id).iter().zip(before.data(id));
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        params.ids().map(|id| (params.name(id).to_string(), distance(id))).collect()
    };
    for (epochs, first_depth) in [(1, 3), (2, 2), (3, 1), (4, 0)] {
        let (classifier, _) = classifier("full", Pool::Mean, false, yes_or_no());
        for (name, distance) in moved(epochs, true, 1.0) {
            let trains = classifier.gpt.depth(&name) >= first_depth;
            assert_eq!(distance > 0.0, trains, "{epochs} epochs: {name} moved by {distance}");
        }
    }
    // A lower rate in lower layers: the embedding moves less, the classifier as far as before.
    let (one, decayed) = (moved(2, false, 1.0), moved(2, false, 0.3));
    let of = |all: &[(String, f64)], wanted: &str| all.iter().find(|(name, _)| name == wanted).unwrap().1;
    assert!(of(&decayed, "wte.weight") < 0.2 * of(&one, "wte.weight"));
    assert!(of(&decayed, "classifier.weight") > 0.7 * of(&one, "classifier.weight"));
}

/// What a part contributes to the loss of a batch, over whose weight it is taken, adds up to the loss of the batch, and so do
/// the gradients: for labels of unequal weights, numbers, words in a pattern, and answers of unequal lengths. A mean of
/// means would be something else.
#[test]
fn parts_add_up_to_the_whole_batch() {
    let (classes, class_params) = classifier("full", Pool::Mean, false, yes_or_no());
    let target = Target::Number { mean: 0.0, deviation: 1.0 };
    let (numbers, number_params) = classifier("full", Pool::Last, true, target);
    let (texts, Targets::Labels(labels, _)) = texts(12, 1) else { unreachable!() };
    let labels = Targets::Labels(labels, vec![0.3, 2.0]);
    let heights = Targets::Numbers((0..12).map(|i| 0.3 * i as f32).collect());
    let examples: Vec<Example> = (0..12).map(|i| answer(i, 1 + i % 5)).collect();
    let complete = Complete { gpt: &classes.gpt, examples: &examples, dev: &examples };
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
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| bits_after(&settings(Some(micro_batch)))) == parts, "{threads} threads");
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
    fit(&mut params, &task, &settings, |_| 0, quietly).unwrap();
    let mut seeds = task.0.into_inner().unwrap();
    assert_eq!(seeds.len(), 30 * (2 + 2 * 5)); // two batches of short ones, two of long ones, two of these at a time
    // One part has the masks that it had when there were no parts.
    assert!(seeds.contains(&DropoutSeeds::new(settings.seed, 0).next()));
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 360);
}

/// With an average, that is what is measured and kept; without the guard a spike moves the weights, with it it does not.
#[test]
fn the_average_is_measured_and_spikes_are_left_out() {
    let measured = |ema: f64| {
        let mut params = Params::new();
        let id = params.add("w", [1], |w| w.fill(1.0));
        let task = Rising { seen: Mutex::new(Vec::new()), spike: usize::MAX, made: Mutex::new(0) };
        let settings = TuneConfig { epochs: 10, batch_size: 4, ema, patience: None, ..TuneConfig::default() };
        let outcome = fit(&mut params, &task, &settings, |_| 0, quietly).unwrap();
        (task.seen.into_inner().unwrap(), params.data(id)[0], outcome.best_update)
    };
    let ((plain, last, best), (averaged, last_average, best_average)) = (measured(0.0), measured(0.7));
    assert_eq!((best, best_average), (10, 10), "lower is better here");
    assert_eq!((plain[10], averaged[10]), (last, last_average));
    let (mut sum, mut weight) = (0.0, 0.0);
    for (update, (&w, &average)) in plain.iter().zip(&averaged).enumerate().skip(1) {
        (sum, weight) = (0.7 * sum + 0.3 * f64::from(w), 0.7 * weight + 0.3);
        assert!((sum / weight - f64::from(average)).abs() < 1e-6, "update {update}: {average}");
    }
    let moved = |spike_guard: f64| {
        let mut params = Params::new();
        params.add("w", [1], |w| w.fill(1.0));
        let task = Rising { seen: Mutex::new(Vec::new()), spike: 60, made: Mutex::new(0) };
        let settings = TuneConfig {
            epochs: 70,
            batch_size: 4,
            spike_guard,
            learning_rate: 1e-6,
            patience: None,
            ..TuneConfig::default()
        };
        fit(&mut params, &task, &settings, |_| 0, quietly).unwrap();
        let seen = task.seen.into_inner().unwrap();
        seen[61] != seen[60] // before and after the update of the odd batch
    };
    assert!(moved(0.0) && !moved(6.0));
}

/// One weight that is to be small; the score is the smaller the larger it is.
struct Rising {
    seen: Mutex<Vec<f32>>,
    /// The number of an update whose loss is far above the others.
    spike: usize,
    made: Mutex<usize>,
}

impl Task for Rising {
    fn len(&self) -> usize {
        4
    }
    fn tokens(&self, _: usize) -> usize {
        1
    }
    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.len() as f32
    }
    fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize], _: f32) -> Var<'t> {
        let mut made = self.made.lock().unwrap();
        let factor = if *made == self.spike { 1e3 } else { 1.0 };
        *made += 1;
        let w = tape.param(tape.params().ids().next().unwrap());
        (w * w).sum() * factor
    }
    fn validate(&self, params: &Params) -> f64 {
        let w = params.data(params.ids().next().unwrap())[0];
        self.seen.lock().unwrap().push(w);
        -f64::from(w)
    }
}

/// What is calculated against what is taken, of the tape of a batch in two parts.
#[test]
fn the_bytes_of_a_fine_tuning() {
    let (classifier, params) = classifier("full", Pool::Mean, false, yes_or_no());
    let (texts, targets) = texts(64, 1);
    let task = on_itself(&classifier, &texts, &targets);
    let bytes = |config: TuneConfig| config.bytes(&classifier.gpt.config, &params, &task);
    let usual = bytes(settings());
    let floats = 4 * params.count() as u64;
    // An average costs as much as the weights; a second lane a gradient more, and no more tokens at a time.
    assert_eq!(bytes(TuneConfig { ema: 0.9, ..settings() }), usual + floats);
    assert_eq!(bytes(TuneConfig { micro_batch: Some(8), ..settings() }), usual + floats);
    let small = bytes(TuneConfig { micro_batch: Some(1), ..settings() });
    assert!(small < usual, "{small} {usual}");
    assert!(bytes(TuneConfig { recompute: true, ..settings() }) < usual);
}

/// However a fine-tuning is interrupted, by whoever watches it or by the death of its process, and wherever, it goes on to
/// the same bits, and says the same on the way.
#[test]
fn an_interrupted_fine_tuning_goes_on_to_the_same_bits() {
    for (method, more) in [
        ("full", TuneConfig { unfreeze: true, evaluations: 2, ..settings() }),
        (
            "lora:r=2",
            TuneConfig { ema: 0.9, spike_guard: 6.0, micro_batch: Some(5), patience: None, ..settings() },
        ),
    ] {
        let settings = TuneConfig { epochs: 4, batch_size: 16, ..more };
        let early = settings.patience.is_some();
        let ((texts, targets), (dev, dev_targets)) = (texts(88, 1), texts(40, 2));
        // Stops before update `until`, if not at the end; a state is written after every update.
        let run = |dir: &std::path::Path, resume: bool, until: usize, kill: bool| {
            let (classifier, mut params) = classifier(method, Pool::Mean, false, yes_or_no());
            let task = Classify {
                classifier: &classifier,
                texts: &texts,
                targets: &targets,
                dev_texts: &dev,
                dev_targets: &dev_targets,
                metric: Metric::Loss,
            };
            let keep = Keep { dir, every: Duration::ZERO, of: "this", resume };
            let events = RefCell::new(Vec::new());
            let tell = |event: Event| {
                let Event::Update { update, .. } = event else {
                    events.borrow_mut().push(event);
                    return ControlFlow::Continue(());
                };
                events.borrow_mut().push(event);
                match update == until {
                    true if kill => panic!("killed"), // what was kept is that of the update before
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let depth = |name: &str| classifier.gpt.depth(name);
            let attempt = std::panic::AssertUnwindSafe(|| {
                fit_keeping(&mut params, &task, &settings, depth, Some(&keep), tell)
            });
            let result = std::panic::catch_unwind(attempt);
            let bits: Vec<u32> =
                params.ids().flat_map(|id| params.data(id).to_vec()).map(f32::to_bits).collect();
            (result, bits, events.into_inner())
        };
        let folder = tempfile::tempdir().unwrap();
        let (whole, bits, events) = run(&folder.path().join("whole"), false, 0, false);
        let whole = whole.unwrap().unwrap();
        assert_eq!((whole.updates, whole.stopped_early), (if early { 21 } else { 24 }, early), "{method}");
        for (i, at) in [1, 5, 6, 7, 13, 20, whole.updates].into_iter().enumerate() {
            let (kill, dir) = (i % 2 == 1, folder.path().join(format!("at-{at}")));
            let (result, ..) = run(&dir, false, at, kill);
            assert_eq!(result.is_err(), kill, "{method} {at}");
            assert!(kill || result.unwrap() == Err(TuneError::Stopped), "{method} {at}");
            let (result, resumed, after) = run(&dir, true, 0, false);
            let outcome = Outcome { seconds: whole.seconds, ..result.unwrap().unwrap() };
            assert_eq!(outcome, whole, "{method} {at}");
            assert!(resumed == bits, "{method}: other bits after an interruption at {at}");
            // The state is that after this update; what was said before is not said again.
            let last = at - usize::from(kill);
            let is_last = |event: &Event| matches!(event, Event::Update { update, .. } if *update == last);
            let said = 1 + events.iter().position(is_last).unwrap();
            assert_eq!(format!("{after:?}"), format!("{:?}", &events[said..]), "{method} {at}");
        }
    }
}

/// The state of something else is refused by name, and a damaged one.
#[test]
fn a_state_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let (texts, targets) = texts(64, 1);
    let run = |method: &str, settings: TuneConfig, count: usize, of: &str, resume: bool| {
        let (classifier, mut params) = classifier(method, Pool::Mean, false, yes_or_no());
        let task = on_itself(&classifier, &texts[..count], &targets);
        let keep = Keep { dir: &dir, every: Duration::ZERO, of, resume };
        let tell = |event: Event| match event {
            Event::Update { update: 3, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        fit_keeping(&mut params, &task, &settings, |name| classifier.gpt.depth(name), Some(&keep), tell)
    };
    let refused = |result: Result<Outcome, TuneError>, words: &[&str]| {
        let Err(TuneError::Resume(message)) = result else { panic!("{result:?}") };
        assert!(words.iter().all(|word| message.contains(word)), "{words:?}: {message}");
    };
    refused(run("full", settings(), 64, "this", true), &["state"]);
    assert_eq!(run("full", settings(), 64, "this", false), Err(TuneError::Stopped));
    refused(run("full", settings(), 64, "that", true), &["another model", "remove the directory"]);
    refused(run("full", settings(), 63, "this", true), &["other examples"]);
    refused(run("full", TuneConfig { seed: 2, ..settings() }, 64, "this", true), &["other settings"]);
    refused(
        run("lora", settings(), 64, "this", true),
        &["weights.safetensors", "lora_A.weight", "is missing"],
    );
    let file = dir.join("best.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    refused(run("full", settings(), 64, "this", true), &["best.safetensors", "sha256"]);
    // A state that cannot be written stops nothing.
    let file = folder.path().join("file");
    std::fs::write(&file, "of somebody").unwrap();
    let (classifier, mut params) = classifier("head", Pool::Mean, false, yes_or_no());
    let task = on_itself(&classifier, &texts, &targets);
    let keep = Keep { dir: &file.join("state"), every: Duration::ZERO, of: "this", resume: false };
    let told = RefCell::new(0);
    let settings = TuneConfig { epochs: 1, ..settings() };
    let tell = |event: Event| {
        *told.borrow_mut() += usize::from(matches!(&event, Event::NotKept(error) if error.contains("file")));
        ControlFlow::Continue(())
    };
    let depth = |name: &str| classifier.gpt.depth(name);
    fit_keeping(&mut params, &task, &settings, depth, Some(&keep), tell).unwrap();
    assert_eq!(told.into_inner(), 4);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let bits = |seed: u64| -> Vec<u32> {
        let settings = TuneConfig { epochs: 2, seed, ..settings() };
        let (_, params, _) = trained("lora", Pool::Mean, false, &settings);
        params.ids().flat_map(|id| params.data(id).to_vec()).map(f32::to_bits).collect()
    };
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

/// More tokens change nothing for the old ones, and each new one begins near the mean of them.
#[test]
fn a_vocabulary_grows() {
    let base = config();
    for config in [base.clone(), GptConfig { tied: false, ngram: 2, ngram_rows: 4, ..base }] {
        let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
        let gpt = Gpt::new(&config, &mut params, &mut rng);
        let (larger, larger_params) = grown(&gpt, &params, VOCAB + 3, &mut rng);
        assert_eq!(larger.config.vocab_size, VOCAB + 3);
        let logits = |gpt: &Gpt, params: &Params, ids: &[u32]| -> Vec<Vec<f32>> {
            let workspace = Workspace::new();
            let tape = Tape::no_grad(params, &workspace);
            let logits = gpt.logits(ids, &mut gpt.causal(&tape, [1, ids.len()])).value();
            logits
                .as_slice()
                .unwrap()
                .chunks(gpt.config.vocab_size)
                .map(|row| row[..VOCAB].to_vec())
                .collect()
        };
        let ids = [1, 7, 3, 11, 0];
        assert_eq!(logits(&larger, &larger_params, &ids), logits(&gpt, &params, &ids));
        assert!(
            logits(&larger, &larger_params, &[1, VOCAB as u32 + 2]).iter().flatten().all(|x| x.is_finite())
        );
    }
}

/// Answers that depend on the question are learned, and only they count.
#[test]
fn answers_are_learned() {
    let (mut params, mut rng) = (Params::new(), Rng::new(3, Stream::Init));
    let gpt = Gpt::new(&config(), &mut params, &mut rng);
    // The question is a token and noise; the answer is that token, then 2.
    let mut example = || {
        let asked = 3 + rng.below(9) as u32;
        let noise = (0..1 + rng.below(5)).map(|_| 3 + rng.below(9) as u32);
        let ids: Vec<u32> = [asked].into_iter().chain(noise).chain([1, asked]).collect();
        let labels = ids[1..].iter().copied().chain([2]).collect();
        let counts = |i: usize| if i + 2 >= ids.len() { 1.0 } else { 0.0 };
        Example { weights: (0..ids.len()).map(counts).collect(), labels, ids, mask: MaskSpec::Causal }
    };
    let (examples, dev): (Vec<_>, Vec<_>) =
        ((0..400).map(|_| example()).collect(), (0..60).map(|_| example()).collect());
    let before = mean_loss(&gpt, &params, &dev);
    let settings = TuneConfig { epochs: 40, learning_rate: 1e-2, patience: None, ..settings() };
    let task = Complete { gpt: &gpt, examples: &examples, dev: &dev };
    let outcome = fit(&mut params, &task, &settings, |name| gpt.depth(name), quietly).unwrap();
    assert!(before > 2.0 && -outcome.best_score < 0.1, "{before} {outcome:?}");
    assert!((mean_loss(&gpt, &params, &dev) + outcome.best_score).abs() < 1e-9);
}
