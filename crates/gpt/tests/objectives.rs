//! Objectives in training: a mixture resumes exactly, a model learns each of its tasks, and none of them leaks its
//! answers.

use data::dataset::ObjectiveBatches;
use data::generate::{Measure, find};
use data::objective::{Corruptor, Vocabulary};
use gpt::Gpt;
use gpt::config::{Config, Preset};
use gpt::train::Checkpoint;
use gpt::train::{Trainer, evaluate_objective};
use nn::DropoutSeeds;
use tensor::{Params, Tape, Workspace};

/// The symbols of the chain of `newleaf generate markov-k`.
const SYMBOLS: usize = 3;
const MIXTURE: &str = "mix=clm:.5,mlm:.25,span:.25";

/// A small model and a short training for an objective, and the vocabulary with its special tokens.
fn settings(objective: &str, more: &[(&str, &str)]) -> (Config, Vocabulary) {
    let mut config = Preset::NanoCpu.config(SYMBOLS);
    let small = [
        ("n_layer", "2"),
        ("n_head", "2"),
        ("n_embd", "32"),
        ("block_size", "32"),
        ("batch_size", "16"),
        ("position", "rope"),
        ("learning_rate", "3e-3"),
        ("warmup_iters", "10"),
        ("mask_split", "1,0,0"),
        ("span_length", "3"),
        ("objective", objective),
    ];
    small.iter().chain(more).for_each(|(name, value)| config.set(name, value).expect("a setting"));
    let names = config.train.objective.specials(&config.train.objective_settings(), config.model.block_size);
    let specials = names.iter().map(String::as_str).zip(SYMBOLS as u32..);
    let vocabulary = Vocabulary::new(SYMBOLS + names.len(), specials).unwrap();
    config.model.vocab_size = vocabulary.size();
    config.validate().expect("settings that go together");
    (config, vocabulary)
}

fn chain(seed: u64, tokens: u64) -> Vec<u32> {
    data::generate::sample("markov-k", &[], seed, tokens).unwrap().symbols
}

fn advance(trainer: &mut Trainer, text: &[u32], updates: u64) {
    for _ in 0..updates {
        trainer.step(text).expect("a finite step");
    }
}

fn numbers(trainer: &Trainer) -> Vec<u32> {
    let params = &trainer.params;
    params.ids().flat_map(|id| params.data(id).iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect()
}

#[test]
fn every_objective_resumes_to_the_same_bits() {
    let text = chain(1, 3000);
    let objectives = ["mlm", "span", "span-mask", "glm", "fim", "prefix", "ul2", MIXTURE];
    for objective in objectives {
        for documents in ["false", "true"] {
            let (config, vocabulary) = settings(objective, &[("documents", documents), ("block_size", "64")]);
            // The tokenizer of the checkpoint has the special tokens.
            let names = config.train.objective.specials(&config.train.objective_settings(), 64);
            let tokenizer = data::Tokenizer::Char(data::CharTokenizer::from_text("abc").unwrap());
            let tokenizer = tokenizer.with_specials(&names).unwrap().to_json();
            let mut whole = Trainer::with_vocabulary(&config, &vocabulary, &text[..]).unwrap();
            advance(&mut whole, &text, 3);
            let folder = tempfile::tempdir().unwrap();
            whole.checkpoint(&tokenizer).write(&folder.path().join("checkpoint")).unwrap();
            let checkpoint = Checkpoint::read(&folder.path().join("checkpoint")).unwrap();
            let mut resumed = Trainer::from_checkpoint(&checkpoint, text.len()).unwrap();
            for trainer in [&mut whole, &mut resumed] {
                advance(trainer, &text, 3);
            }
            assert_eq!(numbers(&whole), numbers(&resumed), "{objective}, documents {documents}");
        }
    }
}

/// The costs of what one task asks, under the model less under the process that wrote the text: the excess, which no
/// model without a leak brings below 0.
fn excess(model: &Gpt, params: &Params, corruptor: &Corruptor, part: usize, text: &[u32]) -> Measure {
    let entry = find("markov-k").unwrap();
    let oracle = (entry.build)(&entry.defaults()).unwrap().oracle().unwrap();
    let batches = ObjectiveBatches::new(text, corruptor, part, 64, false).unwrap();
    let (workspace, mut measure) = (Workspace::new(), Measure::new(0.9));
    for i in 0..batches.len() {
        let batch = batches.get(i).unwrap();
        let tape = Tape::no_grad(params, &workspace);
        let total = model.loss(&tape, &batch, &DropoutSeeds::off()).item();
        let examples = batches.examples(i).unwrap();
        let exact = |example| oracle.nats(&*corruptor.tasks()[part], example).expect("an exact answer");
        let nats: f64 = examples.iter().map(|example| exact(example).iter().sum::<f64>()).sum();
        measure.add(f64::from(total) * batch.total_weight() - nats, batch.total_weight());
    }
    measure
}

/// One transformer, three tasks: each approaches its exact floor, and none falls below it. (For how near a larger model
/// comes in a long training: `cargo run --release -p benches --bin floors`.)
#[test]
fn no_task_of_a_mixture_falls_below_its_floor() {
    let (train, val) = (chain(1, 200_000), chain(2, 60_000));
    let (config, vocabulary) = settings(MIXTURE, &[("max_iters", "500"), ("schedule", "linear")]);
    let mut trainer = Trainer::with_vocabulary(&config, &vocabulary, &train[..]).unwrap();
    let before: Vec<f64> = losses(&trainer, &val);
    advance(&mut trainer, &train, 500);
    for (part, (before, after)) in before.into_iter().zip(losses(&trainer, &val)).enumerate() {
        let (name, _) = config.train.objective.parts().nth(part).unwrap();
        assert!(after < before - 0.3, "{name} is learned: {before} to {after}");
        let excess = excess(&trainer.model, &trainer.params, trainer.corruptor(), part, &val);
        let (mean, error) = (excess.mean(), excess.standard_error().unwrap());
        assert!(mean > -3.0 * error, "{name} is below its floor, so it sees its answers: {mean} +- {error}");
        assert!(mean < 0.25, "{name} is far from its floor: {mean} +- {error}");
    }
}

fn losses(trainer: &Trainer, val: &[u32]) -> Vec<f64> {
    let parts = trainer.corruptor().tasks().len();
    let loss = |part| {
        evaluate_objective(&trainer.model, &trainer.params, (trainer.corruptor(), part, false), val, 20)
            .unwrap()
    };
    (0..parts).map(loss).collect()
}

/// What a mask hides cannot reach an answer: a text that differs there alone has the same loss at the other places.
#[test]
fn documents_that_share_a_row_do_not_see_each_other() {
    let (config, vocabulary) = settings("clm", &[("ngram", "3"), ("window", "20")]);
    let trainer = Trainer::with_vocabulary(&config, &vocabulary, &[0; 1000][..]).unwrap();
    let text = chain(3, 32);
    let second = data::Example::next_token(&text[16..]);
    let logits = |first: &[u32]| {
        let example = data::Example::packed(vec![data::Example::next_token(first), second.clone()]);
        let batch = data::Batch::from_examples(&[example], 32);
        let workspace = Workspace::new();
        let tape = Tape::no_grad(&trainer.params, &workspace);
        let weights: Vec<f32> = (0..32).map(|t| if (15..30).contains(&t) { 1.0 } else { 0.0 }).collect();
        let batch = data::Batch { weights, ..batch };
        trainer.model.loss(&tape, &batch, &DropoutSeeds::off()).item()
    };
    let other: Vec<u32> = text[..16].iter().map(|symbol| (symbol + 1) % SYMBOLS as u32).collect();
    assert_eq!(logits(&text[..16]).to_bits(), logits(&other).to_bits());
}
