//! Chinese to English with one decoder: a prefix language model, and a beam that looks for the likeliest translation.
//!
//! ```text
//! cargo run --release -p examples --example 12_translation             # about two minutes on two cores
//! ```
//!
//! The sentences come from a grammar with two sides (`synth::kinds::translation`): time and place move to the other end, a
//! relative clause from before its noun to behind it, and plurals follow from numbers. The translation follows from the
//! source, so every sentence can be right. The test sentences are combinations that were never seen.

use data::metrics::{Bleu, TextMetric, Tokenization};
use data::seq2seq::PairTemplate;
use data::{CharTokenizer, Example, Tokenizer};
use gpt::Gpt;
use gpt::config::{Activation, Norm, Position, Preset};
use gpt::generate::Beam;
use gpt::tune::{Answerer, Complete, Event, Room, TuneConfig, fit};
use random::{Rng, Stream};
use std::collections::HashSet;
use std::error::Error;
use std::ops::ControlFlow;
use synth::sample;
use tensor::Params;

type Pairs = Vec<(String, String)>;

fn main() -> Result<(), Box<dyn Error>> {
    let steps: Option<usize> =
        std::env::var("NEWLEAF_EXAMPLE_STEPS").ok().map(|steps| steps.parse()).transpose()?;
    let train = pairs(1, if steps.is_some() { 20_000 } else { 500_000 })?;
    let known: HashSet<&str> = train.iter().map(|(source, _)| source.as_str()).collect();
    let mut test = pairs(2, 40_000)?;
    test.retain(|(source, _)| !known.contains(source.as_str()));
    test.truncate(if steps.is_some() { 2 } else { 200 });

    let text: String = train.iter().map(|(source, target)| format!("{source}{target}")).collect();
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text(&text)?);
    let tokenizer = tokenizer.with_specials(&PairTemplate::specials())?;
    let template = PairTemplate::new(&tokenizer)?;

    let mut config = Preset::NanoCpu.config(tokenizer.vocab_size()).model;
    (config.n_layer, config.n_embd, config.n_head, config.block_size, config.dropout) = (3, 96, 3, 160, 0.0);
    (config.position, config.norm, config.activation) = (Position::Rope, Norm::RmsNorm, Activation::Relu2);
    (config.qk_norm, config.zero_init) = (true, true);
    let mut params = Params::new();
    let model = Gpt::new(&config, &mut params, &mut Rng::new(1, Stream::Init));

    // The source sees itself from both sides, the target what stands before it; only the target is learned.
    let example = |(source, target): &(String, String)| -> Result<Option<Example>, data::DataError> {
        let (source, target) = (tokenizer.encode(source)?, tokenizer.encode(target)?);
        Ok(template.example(&source, &target, config.block_size))
    };
    let examples: Result<Vec<Option<Example>>, data::DataError> = train.iter().map(example).collect();
    let mut examples: Vec<Example> = examples?.into_iter().flatten().collect();
    let dev = examples.split_off(examples.len() - 100.min(examples.len() / 10));
    println!("{} pairs, {} parameters", examples.len(), params.count());
    let epochs = if steps.is_some() { 1 } else { 7 };
    let settings =
        TuneConfig { epochs, batch_size: 16, learning_rate: 3e-3, patience: None, ..TuneConfig::default() };
    let tell = |event| {
        if let Event::Score { epoch, score, .. } = event {
            println!("epoch {epoch:4.1}: loss {:.4} nats a character of the translation", -score);
        }
        ControlFlow::Continue(())
    };
    let task = Complete { gpt: &model, examples: &examples, dev: &dev, label_smoothing: 0.0 };
    fit(&mut params, &task, &settings, tell)?;

    let room = Room { reserved: config.block_size / 2, max: config.block_size };
    let answerer = Answerer::new((&model, &params), &tokenizer, template, room);
    let answer = |(source, _): &(String, String)| {
        tokenizer.decode(&answerer.best(&tokenizer.encode(source)?, &Beam::default()))
    };
    let answers: Vec<String> = test.iter().map(answer).collect::<Result<_, data::DataError>>()?;
    println!();
    for ((source, target), answer) in test.iter().zip(&answers).take(3) {
        println!("{source}\n{answer}{}\n", if answer == target { "" } else { "   (wrong)" });
    }
    let exact = test.iter().zip(&answers).filter(|((_, target), answer)| target == *answer).count();
    let bleu = Bleu { tokenization: Tokenization::default(), references: 1 };
    let of = |answers: Vec<&str>| {
        let targets = test.iter().map(|(_, target)| vec![target.as_str()]);
        bleu.corpus(&answers.into_iter().zip(targets).collect::<Vec<_>>())
    };
    println!("{} new sentences        exact    BLEU", test.len());
    let share = 100.0 * exact as f64 / test.len() as f64;
    println!("the model               {share:6.1} {:7.2}", of(answers.iter().map(String::as_str).collect()));
    println!(
        "copying the source      {:6.1} {:7.2}",
        0.0,
        of(test.iter().map(|(s, _)| s.as_str()).collect())
    );
    println!("what is possible        {:6.1} {:7.2}", 100.0, 100.0);
    Ok(())
}

/// Sentence pairs of the grammar, each once.
fn pairs(seed: u64, characters: u64) -> Result<Pairs, data::DataError> {
    let mut seen = HashSet::new();
    let text = sample("scfg-zh-en", &[], seed, characters)?.text();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let new = lines.filter(|(source, _)| seen.insert(source.to_string()));
    Ok(new.map(|(source, target)| (source.to_string(), target.to_string())).collect())
}
