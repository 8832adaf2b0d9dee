//! `newleaf finetune classify`: labels for texts.

use super::super::print;
use crate::failure::Failure;
use crate::labelled::{LabelledArgs, Rows};
use crate::model::{self, Model};
use data::baseline::Labelled;
use data::metrics::{Calibration, Confusion};
use gpt::peft::{Method, fingerprint};
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, Event, Metric, Outcome, Pool, Target, Targets, TuneConfig,
    TuneError, fit, save_classifier,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use random::{Rng, Stream};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

pub(crate) const ABOUT: &str = "Teach a model the labels of texts

  newleaf finetune classify --model my --train reviews.csv --text-column review --out reviews
  newleaf finetune classify --model my --train a.csv --dev b.csv --test c.csv --peft lora:r=8,alpha=16 --out reviews
  echo 'the soup was cold' | newleaf classify --model reviews

The best weights are chosen on the --dev texts, which stop the training when they get no better; the --test texts are
looked at once, at the end. Without these files one text in ten of the training file is either, the same as for `newleaf
baseline`, which says what simple classifiers reach. OUT/result.json has the numbers and all settings.";

/// Which score chooses the weights.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum By {
    MacroF1,
    Accuracy,
    Loss,
}

/// What tells the label.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PoolName {
    /// The mean over the text
    Mean,
    /// The last token
    Last,
}

/// What a label's texts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Weights {
    /// Every text the same
    Equal,
    /// Every label the same: texts of rare ones more
    Balanced,
}

impl From<By> for Metric {
    fn from(by: By) -> Self {
        match by {
            By::MacroF1 => Self::MacroF1,
            By::Accuracy => Self::Accuracy,
            By::Loss => Self::Loss,
        }
    }
}

impl From<PoolName> for Pool {
    fn from(name: PoolName) -> Self {
        match name {
            PoolName::Mean => Self::Mean,
            PoolName::Last => Self::Last,
        }
    }
}

/// What `newleaf finetune classify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The pretrained model: a model directory, or the directory of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    #[command(flatten)]
    labelled: LabelledArgs,
    /// The directory for the classifier
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is trained: full, head, lora:r=8,alpha=16,targets=qv, ia3, prefix:tokens=16, prompt:tokens=16, adapter:width=16
    /// or bitfit
    #[arg(long, value_name = "METHOD", default_value = "full")]
    peft: Method,
    /// What of the model's outputs tells the label
    #[arg(long, value_name = "HOW", default_value = "mean")]
    pool: PoolName,
    /// Each position sees what comes after it, too (for models trained to fill in)
    #[arg(long)]
    both_sides: bool,
    /// What a text counts
    #[arg(long, value_name = "HOW", default_value = "equal")]
    class_weights: Weights,
    /// The score that chooses the weights
    #[arg(long, value_name = "SCORE", default_value = "macro-f1")]
    metric: By,
    /// Times that the examples are read, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Examples in an update
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// The largest learning rate [default: one that suits the method]
    #[arg(long, value_name = "X")]
    learning_rate: Option<f64>,
    /// Weight decay of matrices
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    weight_decay: f64,
    /// Dropout before the layer for labels
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    dropout: f32,
    /// The learning rate of each layer over that of the one above it
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    layer_decay: f64,
    /// One more layer from the top is trained in each epoch
    #[arg(long)]
    unfreeze: bool,
    /// Measurements in an epoch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    evaluations: u32,
    /// Measurements without improvement after which it stops, 0 for never
    #[arg(long, value_name = "N", default_value_t = 3)]
    patience: usize,
    /// An improvement of no more than this is none
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    min_delta: f64,
    /// Where all randomness starts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// Write OUT/result.json to stdout, too
    #[arg(long)]
    json: bool,
}

impl Args {
    fn config(&self) -> Result<TuneConfig, Failure> {
        let learning_rate = self.learning_rate.unwrap_or_else(|| self.peft.learning_rate());
        let in_range = [
            (
                "--learning-rate",
                learning_rate,
                learning_rate > 0.0 && learning_rate.is_finite(),
                "more than 0",
            ),
            ("--weight-decay", self.weight_decay, (0.0..=10.0).contains(&self.weight_decay), "from 0 to 10"),
            ("--dropout", self.dropout.into(), (0.0..1.0).contains(&self.dropout), "from 0 to less than 1"),
            (
                "--layer-decay",
                self.layer_decay,
                self.layer_decay > 0.0 && self.layer_decay <= 1.0,
                "more than 0, at most 1",
            ),
            ("--min-delta", self.min_delta, self.min_delta >= 0.0, "0 or more"),
        ];
        for (name, found, fits, expected) in in_range {
            if !fits {
                return Err(Failure::input(format!("{name} {found}: expected {expected}")));
            }
        }
        if self.unfreeze && self.peft != Method::Full {
            return Err(Failure::input(
                "--unfreeze is for --peft full: with other methods all layers stay frozen",
            ));
        }
        Ok(TuneConfig {
            epochs: self.epochs as usize,
            batch_size: self.batch_size as usize,
            learning_rate,
            weight_decay: self.weight_decay,
            layer_decay: self.layer_decay,
            unfreeze: self.unfreeze,
            evaluations: self.evaluations as usize,
            patience: Some(self.patience).filter(|patience| *patience > 0),
            min_delta: self.min_delta,
            seed: self.seed,
        })
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let settings = args.config()?;
    let model = model::load(&args.model)?;
    refuse_own_model(args, &model)?;
    let examples = Examples::read(args, &model)?;
    let base_sha256 = fingerprint(&model.gpt.config, &model.params);
    let Model { path, mut gpt, mut params, tokenizer } = model;
    let mut rng = Rng::new(args.seed, Stream::Init);
    gpt.tune(&args.peft, &mut params, &mut rng).map_err(|error| Failure::input(error.to_string()))?;
    let config = ClassifierConfig {
        target: Target::Label { names: examples.names.clone() },
        pool: args.pool.into(),
        both_sides: args.both_sides,
        dropout: args.dropout,
    };
    let classifier = Classifier::new(gpt, config, &mut params, &mut rng);
    let outcome = train(args, &settings, &classifier, &mut params, &examples)?;

    let (texts, labels) = &examples.test;
    let p = classifier.probabilities(&params, texts);
    let result = result(args, &settings, &examples, &outcome, &test_scores(&p, labels), &base_sha256);
    let bytes = serde_json::to_string_pretty(&result).expect("an object") + "\n";
    save_classifier(
        &args.out,
        (&classifier, &params),
        &args.peft,
        (&path.canonicalize().unwrap_or(path), &base_sha256),
        &tokenizer.to_json(),
        &[("result.json", bytes.as_bytes())],
    )?;
    print(&if args.json { format!("{result}\n") } else { for_people(args, &result) })
}

/// The classifier may not replace the model that it is made of.
fn refuse_own_model(args: &Args, model: &Model) -> Result<(), Failure> {
    let same =
        args.out.canonicalize().is_ok_and(|out| model.path.canonicalize().is_ok_and(|path| path == out));
    match same {
        false => Ok(()),
        true => Err(Failure::input(format!(
            "{}: the classifier would replace the model that it is made of: give another --out",
            args.out.display()
        ))),
    }
}

type Tokens = (Vec<Vec<u32>>, Vec<usize>);

/// The examples in tokens.
struct Examples {
    names: Vec<String>,
    train: Tokens,
    validation: Tokens,
    test: Tokens,
    dropped: usize,
    /// Characters that the model's tokenizer does not know; they are left out.
    unknown: usize,
    characters: usize,
    /// Texts longer than the model's context.
    cut: usize,
}

impl Examples {
    fn read(args: &Args, model: &Model) -> Result<Self, Failure> {
        let parts = args.labelled.parts()?;
        let names = Labelled::new(parts.train.clone())?.names().to_vec();
        if names.len() < 2 {
            return Err(Failure::input(format!(
                "{}: expected texts of at least two labels, found only {:?}: there is nothing to tell apart",
                args.labelled.train.display(),
                names[0]
            )));
        }
        let (mut unknown, mut characters, mut cut) = (0, 0, 0);
        let mut tokens = |rows: Rows, part: &str| -> Result<Tokens, Failure> {
            let about = |e: data::DataError| Failure::from(e).about(args.labelled.file(part).display());
            let labelled = Labelled::with_names(rows, &names).map_err(about)?;
            let mut texts = Vec::with_capacity(labelled.texts().len());
            for text in labelled.texts() {
                let (ids, left_out) = model::encode_known(&model.tokenizer, text).map_err(about)?;
                unknown += left_out;
                characters += text.chars().count();
                cut += usize::from(ids.len() > model.gpt.config.block_size);
                texts.push(ids);
            }
            Ok((texts, labelled.labels().to_vec()))
        };
        let train = tokens(parts.train, "training")?;
        let validation = tokens(parts.validation, "validation")?;
        let test = tokens(parts.test, "test")?;
        let examples =
            Self { names, train, validation, test, dropped: parts.dropped, unknown, characters, cut };
        examples.tell();
        Ok(examples)
    }

    fn tell(&self) {
        let [train, validation, test] = [&self.train, &self.validation, &self.test].map(|part| part.0.len());
        eprintln!(
            "{} labels; {train} texts to train, {validation} to validate, {test} to test",
            self.names.len()
        );
        if self.unknown > 0 {
            let share = 100.0 * self.unknown as f64 / self.characters.max(1) as f64;
            eprintln!("{share:.2} % of the characters are not in the model's vocabulary and are left out");
        }
        if self.cut > 0 {
            eprintln!("{} texts are longer than the model's context: only their beginning is read", self.cut);
        }
    }

    /// The weight of each label.
    fn weights(&self, how: Weights) -> Vec<f32> {
        let labels = &self.train.1;
        let count = |name: usize| labels.iter().filter(|&&label| label == name).count().max(1);
        let balanced = |name| labels.len() as f32 / (self.names.len() * count(name)) as f32;
        (0..self.names.len())
            .map(|name| if how == Weights::Balanced { balanced(name) } else { 1.0 })
            .collect()
    }
}

fn train(
    args: &Args,
    settings: &TuneConfig,
    classifier: &Classifier,
    params: &mut tensor::Params,
    examples: &Examples,
) -> Result<Outcome, Failure> {
    let weights = examples.weights(args.class_weights);
    let targets = Targets::Labels(examples.train.1.clone(), weights.clone());
    let dev_targets = Targets::Labels(examples.validation.1.clone(), weights);
    let task = Classify {
        classifier,
        texts: &examples.train.0,
        targets: &targets,
        dev_texts: &examples.validation.0,
        dev_targets: &dev_targets,
        metric: args.metric.into(),
        most: classifier.most_tokens(params),
    };
    let signal =
        crate::signals::watch().map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let bar = bar();
    let tell = |event: Event| {
        match event {
            Event::Update { update, of, loss } => {
                bar.set_length(of as u64);
                bar.set_position(update as u64);
                bar.set_message(format!("loss {loss:.3}"));
            }
            Event::Score { epoch, loss, score, best, .. } => {
                let best = if best { " (best)" } else { "" };
                let loss = if loss.is_finite() { format!("train loss {loss:.4}, ") } else { String::new() };
                let line = format!("epoch {epoch:5.2}: {loss}validation score {score:.4}{best}");
                if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) }
            }
        }
        if signal.load(Ordering::Relaxed) == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let outcome = fit(params, &task, settings, |name| classifier.gpt.depth(name), tell);
    bar.finish_and_clear();
    outcome.map_err(|error| match error {
        TuneError::Stopped => Failure::stopped(signal.load(Ordering::Relaxed) as u8),
        TuneError::NothingToTrain | TuneError::MissingGradient(_) => Failure::input(error.to_string()),
        TuneError::NonFinite { .. } => Failure::other(error.to_string()),
    })
}

fn bar() -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = "{bar:24} {pos}/{len} {msg} | {elapsed} elapsed, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    bar
}

/// The numbers of the test part.
fn test_scores(p: &[Vec<f64>], labels: &[usize]) -> Value {
    let likeliest = |p: &Vec<f64>| (0..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
    let told: Vec<usize> = p.iter().map(likeliest).collect();
    let confusion = Confusion::new(p.first().map_or(0, Vec::len), &told, labels);
    let calibration = Calibration::of(p, labels);
    json!({
        "accuracy": confusion.accuracy(), "macro_f1": confusion.macro_f1(), "texts": labels.len(),
        "expected_calibration_error": calibration.map(|c| c.expected_error), "brier": calibration.map(|c| c.brier),
        "confusion": confusion,
    })
}

fn result(
    args: &Args,
    settings: &TuneConfig,
    examples: &Examples,
    outcome: &Outcome,
    test: &Value,
    base_sha256: &str,
) -> Value {
    json!({
        "test": test,
        "validation": { "score": outcome.best_score, "texts": examples.validation.0.len() },
        "trainable_parameters": outcome.trainable_parameters,
        "optimizer_bytes": outcome.optimizer_bytes,
        "seconds": outcome.seconds,
        "updates": outcome.updates,
        "best_update": outcome.best_update,
        "stopped_early": outcome.stopped_early,
        "labels": examples.names,
        "train_texts": examples.train.0.len(),
        "dropped": examples.dropped,
        "unknown_characters": examples.unknown,
        "method": args.peft.to_string(),
        "settings": settings,
        "classifier": {
            "pool": Pool::from(args.pool), "both_sides": args.both_sides, "dropout": args.dropout,
            "class_weights": format!("{:?}", args.class_weights).to_lowercase(),
            "metric": Metric::from(args.metric),
        },
        "data": {
            "train": args.labelled.train, "dev": args.labelled.dev, "test": args.labelled.test,
        },
        "base": { "path": args.model, "sha256": base_sha256 },
        "command": std::env::args().collect::<Vec<_>>(),
        "version": env!("CARGO_PKG_VERSION"),
        "threads": rayon::current_num_threads(),
    })
}

fn for_people(args: &Args, result: &Value) -> String {
    let float = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let test = &result["test"];
    format!(
        "test: accuracy {:.4}, macro F1 {:.4}, calibration error {:.3}, on {} texts\n{} parameters trained in {:.1} s, \
         best after {} of {} updates\n{}\n",
        float(&test["accuracy"]),
        float(&test["macro_f1"]),
        float(&test["expected_calibration_error"]),
        test["texts"],
        result["trainable_parameters"],
        float(&result["seconds"]),
        result["best_update"],
        result["updates"],
        args.out.display()
    )
}
