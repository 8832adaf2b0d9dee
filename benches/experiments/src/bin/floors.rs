//! How near one transformer comes to what can be known: the excess of its loss over the exact cost of the same answers, for
//! each objective of a mixture, on texts of a process that we wrote.
//!
//!   cargo run --release -p experiments --bin floors -- markov-k mix=clm:.5,mlm:.25,span:.25
//!   cargo run --release -p experiments --bin floors -- dyck clm max_iters=2000
//!   cargo run --release -p experiments --bin floors -- storygen clm block_size=256 batch_size=16
//!
//! Any setting of `newleaf train` may follow as NAME=VALUE, and seed=N. Progress on stderr, a table on stdout.

use data::Example;
use data::dataset::ObjectiveBatches;
use data::objective::Vocabulary;
use experiments::excess::{self, total_loss};
use gpt::config::{Config, Preset};
use gpt::train::Trainer;
use std::error::Error;
use std::time::Instant;
use synth::process::oracle::Oracle;
use synth::{Measure, find, sample};
use tensor::Workspace;

/// Tokens that are measured.
const MEASURED: u64 = 400_000;

/// 1.2 million parameters and 12 million tokens, unless the command line says otherwise.
const SETTINGS: &[(&str, &str)] = &[
    ("n_layer", "6"),
    ("n_head", "4"),
    ("n_embd", "128"),
    ("block_size", "64"),
    ("batch_size", "64"),
    ("activation", "relu2"),
    ("norm", "rms_norm"),
    ("position", "rope"),
    ("qk_norm", "true"),
    ("zero_init", "true"),
    ("learning_rate", "3e-3"),
    ("schedule", "linear"),
    ("warmup_iters", "50"),
    ("weight_decay", "0"),
    ("sampler", "epoch"),
    ("max_iters", "3000"),
    ("lr_decay_iters", "none"),
    ("mask_split", "1,0,0"),
    ("span_length", "3"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, objective, more @ ..] = &arguments[..] else {
        return Err("usage: floors GENERATOR OBJECTIVE [NAME=VALUE ...]".into());
    };
    let entry = find(name)?;
    let generator = (entry.build)(&entry.defaults())?;
    let (config, vocabulary) = settings(objective, more, generator.alphabet().len())?;
    let seed = config.train.seed;
    let updates = config.train.max_iters as u64;
    // Every token is new: nothing can be learned by heart.
    let tokens = updates * (config.train.batch_size * config.model.block_size) as u64;
    let text = sample(name, &[], seed, tokens + 2 * config.model.block_size as u64)?.symbols;
    let mut trainer = Trainer::with_vocabulary(&config, &vocabulary, &text[..])?;
    eprintln!("{name}, {objective}: {} parameters, {tokens} tokens", trainer.params.count());
    let start = Instant::now();
    for iter in 1..=updates {
        let report = trainer.step(&text[..])?;
        if iter % (updates / 10).max(1) == 0 {
            eprintln!("iter {iter}: loss {:.4}, {:.0} s", report.loss, start.elapsed().as_secs_f64());
        }
    }
    let (test, oracle) = (sample(name, &[], seed + 1_000_000, MEASURED)?, generator.oracle());
    println!("objective     loss    floor   excess  +- s.e.  ({} s of training)", start.elapsed().as_secs());
    for (part, (task, _)) in config.train.objective.parts().enumerate() {
        let (loss, excess) = match &oracle {
            Some(oracle) => excess_of_task(&trainer, part, oracle, &test.symbols, task)?,
            None if task == "clm" => excess::of_text(&trainer, &test.symbols, &test),
            None => return Err(format!("{name} has no exact costs for {task}").into()),
        };
        let (mean, error) = (excess.mean(), excess.standard_error().unwrap_or(f64::NAN));
        println!("{task:<11} {loss:7.4}  {:7.4}  {mean:7.4}  {error:7.4}", loss - mean);
        if mean < -3.0 * error {
            return Err(format!("{task} is below its floor: the model sees its answers").into());
        }
    }
    Ok(())
}

/// The settings, and the vocabulary of `symbols` symbols and the objective's special tokens.
fn settings(
    objective: &str,
    more: &[String],
    symbols: usize,
) -> Result<(Config, Vocabulary), Box<dyn Error>> {
    let mut config = Preset::NanoCpu.config(symbols);
    for (name, value) in SETTINGS {
        config.set(name, value)?;
    }
    config.set("objective", objective)?;
    for setting in more {
        let (name, value) = setting.split_once('=').ok_or("settings are NAME=VALUE")?;
        config.set(name, value)?;
    }
    let names = config.train.objective.specials(&config.train.objective_settings(), config.model.block_size);
    let specials = names.iter().map(String::as_str).zip(symbols as u32..);
    let vocabulary = Vocabulary::new(symbols + names.len(), specials)?;
    config.model.vocab_size = vocabulary.size();
    config.validate()?;
    Ok((config, vocabulary))
}

/// Loss and excess on one task of the mixture, each answer against its exact cost given the same row.
fn excess_of_task(
    trainer: &Trainer,
    part: usize,
    oracle: &Oracle,
    test: &[u32],
    task: &str,
) -> Result<(f64, Measure), Box<dyn Error>> {
    let corruptor = trainer.corruptor();
    let batches = ObjectiveBatches::new(test, corruptor, part, 32, false)?;
    let (workspace, mut measure, mut loss, mut weight) = (Workspace::new(), Measure::new(0.9), 0.0, 0.0);
    for i in 0..batches.len() {
        let batch = batches.get(i)?;
        let total = total_loss(trainer, &batch, &workspace);
        let cost = |example: &Example| -> Option<f64> {
            let shared = &*corruptor.tasks()[part];
            let nats = match task {
                "mlm-causal" => oracle.nats_from_left(shared, example)?,
                _ => oracle.nats(shared, example)?,
            };
            Some(nats.iter().sum())
        };
        let costs: Option<Vec<f64>> = batches.examples(i)?.iter().map(cost).collect();
        let floor: f64 = costs.ok_or("no exact cost")?.into_iter().sum();
        measure.add(total - floor, batch.total_weight());
        loss += total;
        weight += batch.total_weight();
    }
    Ok((loss / weight, measure))
}
