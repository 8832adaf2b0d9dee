//! Fine-tuning: what is learned, which weights are kept, and what does not matter.

use data::{CharTokenizer, Example, MaskSpec, Tokenizer};
use gpt::Gpt;
use gpt::config::{GptConfig, Position, Preset};
use gpt::peft::Method;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, Complete, Event, HeadConfig, Keep, LinearConfig, Metric, Noise,
    Outcome, Pool, Target, Targets, Task, TuneConfig, TuneError, fit, fit_keeping, grown, mean_loss,
};
use random::{Rng, Stream};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;
use tensor::{DropoutSeeds, Grads, Params, Tape, Var, Workspace};

mod batches;
mod going_on;
mod learning;
mod stopping;

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
    (texts, Targets::labels(labels, &[1.0; 2]))
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
    ClassifierConfig {
        target,
        head: HeadConfig::Linear(LinearConfig { pool, both_sides, dropout, pieces: 1 }),
    }
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
    Classify {
        classifier,
        texts,
        targets,
        dev_texts,
        dev_targets,
        metric: Metric::Loss,
        noise: Noise::default(),
    }
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
        noise: Noise::default(),
    };
    let outcome = fit(&mut params, &task, settings, quietly).unwrap();
    (classifier, params, outcome)
}

/// A task of which every measurement is better than the one before, so that the last weights are kept.
struct Last<'a>(Classify<'a>, Mutex<f64>);

impl Task for Last<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn gpt(&self) -> Option<&Gpt> {
        self.0.gpt()
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
