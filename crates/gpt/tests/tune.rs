//! Fine-tuning: what is learned, which weights are kept, and what does not matter.

use data::{CharTokenizer, Example, MaskSpec, Tokenizer};
use gpt::Gpt;
use gpt::config::{GptConfig, Position, Preset};
use gpt::peft::Method;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, Complete, Event, HeadConfig, LinearConfig, Metric, Outcome, Pool,
    Target, Targets, Task, TuneConfig, TuneError, fit, grown, mean_loss,
};
use random::{Rng, Stream};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Mutex;
use tensor::{Params, Tape, Var, Workspace};

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

    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize]) -> Var<'t> {
        self.0.loss(tape, examples)
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

    fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize]) -> Var<'t> {
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
