//! Praise or blame, in English and Chinese: a model that learned to fill in words of reviews learns their labels.
//!
//! ```text
//! cargo run --release -p examples --example 09_sentiment               # about half a minute on two cores
//! ```
//!
//! The reviews come from a grammar (`synth::kinds::sentiment`): one opinion or three, "not slow" is praise, and the majority
//! counts. One label in twenty is wrong, so nothing can be right more often than 95 times in 100 but by luck.

use data::baseline::{Labelled, NaiveBayes};
use data::metrics::LabelScores;
use data::objective::Vocabulary;
use data::tokenizer::{PieceCounts, WordTokenizer};
use data::{CharTokenizer, Tokenizer};
use gpt::config::{Config, Preset};
use gpt::peft::Method;
use gpt::plan::set_updates;
use gpt::train::Trainer;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, HeadConfig, LinearConfig, Metric, Noise, Pool, Target, Targets,
    TuneConfig, fit,
};
use random::{Rng, Stream};
use std::collections::HashSet;
use std::error::Error;
use std::ops::ControlFlow;
use synth::{Field, documents, kinds::sentiment::true_label};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let steps: Option<usize> =
        std::env::var("NEWLEAF_EXAMPLE_STEPS").ok().map(|steps| steps.parse()).transpose()?;
    let [unlabelled, train, dev, test] =
        if steps.is_some() { [500, 100, 50, 50] } else { [20_000, 5000, 500, 2000] };
    println!(
        "{:<9} {:>12} {:>12} {:>12} {:>16}",
        "", "naive Bayes", "GPT, full", "GPT, LoRA", "right labels"
    );
    for language in ["en", "zh"] {
        // What is pretrained on has no labels; no labelled review is in two parts.
        let text: String = reviews(language, 1, unlabelled, &mut HashSet::new())?
            .into_iter()
            .map(|(review, _)| review + "\n")
            .collect();
        let mut seen = HashSet::new();
        let mut part = |seed, count| reviews(language, seed, count, &mut seen);
        let train = Labelled::new(part(2, train)?)?;
        let dev = Labelled::with_names(part(3, dev)?, train.names())?;
        let test = Labelled::with_names(part(4, test)?, train.names())?;

        let simple = LabelScores::of(&NaiveBayes::fit(&train, 2, 2), &test).accuracy;
        let trainer = pretrain(language, &text, steps.unwrap_or(300))?;
        let full = tune(&trainer, "full", &train, &dev, &test, steps)?;
        let lora = tune(&trainer, "lora:r=8", &train, &dev, &test, steps)?;
        let is_right = |(text, &label): (&String, &usize)| {
            true_label(text).is_some_and(|truth| test.names()[label] == truth.to_string())
        };
        let right = test.texts().iter().zip(test.labels()).filter(|row| is_right(*row)).count();
        let right = right as f64 / test.texts().len() as f64;
        println!("{language:<9} {simple:>12.4} {full:>12.4} {lora:>12.4} {right:>16.4}");
    }
    Ok(())
}

/// A model that fills in hidden words, and its tokenizer.
struct Base {
    trainer: Trainer,
    tokenizer: Tokenizer,
}

/// English words are tokens here, and Chinese characters.
fn pretrain(language: &str, text: &str, steps: usize) -> Result<Base> {
    let tokenizer = if language == "en" {
        let mut counts = PieceCounts::new(None);
        text.split_inclusive('\n').for_each(|line| counts.add(line));
        Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None)?)
    } else {
        Tokenizer::Char(CharTokenizer::from_text(text)?)
    };
    let mut config: Config = Preset::Shakespeare.config(tokenizer.vocab_size());
    for setting in
        "n_layer=2 n_head=2 n_embd=64 block_size=32 batch_size=32 ngram=2 dropout=0 objective=mlm".split(' ')
    {
        let (name, value) = setting.split_once('=').expect("NAME=VALUE");
        config.set(name, value)?;
    }
    config.train.max_iters = steps;
    set_updates(&mut config, steps);
    // [MASK] is a token of its own.
    let specials =
        config.train.objective.specials(&config.train.objective_settings(), config.model.block_size);
    let tokenizer = tokenizer.with_specials(&specials)?;
    config.model.vocab_size = tokenizer.vocab_size();
    let ids = tokenizer.encode(text)?;
    let mut trainer = Trainer::with_vocabulary(&config, &Vocabulary::of(&tokenizer), &ids[..])?;
    for _ in 0..steps {
        trainer.step(&ids[..])?;
    }
    Ok(Base { trainer, tokenizer })
}

/// The accuracy on the test part of a classifier that was trained by this method.
fn tune(
    base: &Base,
    method: &str,
    train: &Labelled,
    dev: &Labelled,
    test: &Labelled,
    steps: Option<usize>,
) -> Result<f64> {
    let (mut gpt, mut params) = (base.trainer.model.clone(), base.trainer.params.clone());
    let (method, mut rng): (Method, Rng) = (method.parse()?, Rng::new(1, Stream::Init));
    gpt.tune(&method, &mut params, &mut rng)?;
    // The mean of what all positions say, each of which sees the whole review.
    let target = Target::Label { names: train.names().to_vec() };
    let config = ClassifierConfig {
        target,
        head: HeadConfig::Linear(LinearConfig {
            pool: Pool::Mean,
            both_sides: true,
            dropout: 0.0,
            pieces: 1,
        }),
    };
    let classifier = Classifier::new(gpt, config, &base.tokenizer, &mut params, &mut rng)?;
    let texts = |part: &Labelled| -> Result<Vec<Vec<u32>>> {
        part.texts().iter().map(|text| Ok(base.tokenizer.encode(text)?)).collect()
    };
    let targets = |part: &Labelled| Targets::labels(part.labels().to_vec(), &vec![1.0; part.names().len()]);
    let task = Classify {
        classifier: &classifier,
        texts: &texts(train)?,
        targets: &targets(train),
        dev_texts: &texts(dev)?,
        dev_targets: &targets(dev),
        metric: Metric::Accuracy,
        noise: Noise::default(),
    };
    let epochs = if steps.is_some() { 1 } else { 5 };
    let learning_rate = 2.0 * method.learning_rate(classifier.gpt.config.n_embd);
    let settings = TuneConfig { epochs, learning_rate, ..TuneConfig::default() };
    fit(&mut params, &task, &settings, |_| ControlFlow::Continue(()))?;
    let p = classifier.probabilities(&params, &texts(test)?);
    Ok(LabelScores::of_probabilities(&p, test.labels()).accuracy)
}

/// Reviews that were not seen before, with their labels.
fn reviews(
    language: &str,
    seed: u64,
    count: usize,
    seen: &mut HashSet<String>,
) -> Result<Vec<(String, String)>> {
    let pair = |fields: Vec<(Field, String)>| {
        let [(_, review), (_, label)] = <[_; 2]>::try_from(fields).expect("a review and its label");
        (review, label)
    };
    let all = documents("sentiment", &[("language", language)], seed)?.map(pair);
    Ok(all.filter(|(review, _)| seen.insert(review.clone())).take(count).collect())
}
