//! What tasks of texts with an answer each have in common: flags, tokens, the loop, and the record.

use crate::failure::Failure;
use crate::labelled::{LabelledArgs, Rows};
use crate::model::{self, Model};
use data::dataset::k_shot as k_shot_of;
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
use std::sync::atomic::Ordering;
use tensor::Params;

/// What tells the answer.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PoolName {
    /// The mean over the text
    Mean,
    /// The last token
    Last,
}

impl From<PoolName> for Pool {
    fn from(name: PoolName) -> Self {
        match name {
            PoolName::Mean => Self::Mean,
            PoolName::Last => Self::Last,
        }
    }
}

/// The flags.
#[derive(Debug, clap::Args)]
pub(super) struct TuneArgs {
    /// The pretrained model: a model directory, or the directory of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    #[command(flatten)]
    pub(super) labelled: LabelledArgs,
    /// The directory for the tuned model
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is trained: full, head, lora:r=8,alpha=16,targets=qv, ia3, prefix:tokens=16, prompt:tokens=16, adapter:width=16
    /// or bitfit
    #[arg(long, value_name = "METHOD", default_value = "full")]
    peft: Method,
    /// What of the model's outputs tells the answer
    #[arg(long, value_name = "HOW", default_value = "mean")]
    pool: PoolName,
    /// Each position sees what comes after it, too (for models trained to fill in)
    #[arg(long)]
    both_sides: bool,
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
    /// Dropout before the last layer
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
    pub(super) json: bool,
}

impl TuneArgs {
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

/// Texts in tokens, and the answers as they stand in the file.
pub(super) struct Part {
    pub(super) texts: Vec<Vec<u32>>,
    pub(super) answers: Vec<String>,
}

/// The model and the examples, before anything is trained.
pub(super) struct Tuning<'a> {
    args: &'a TuneArgs,
    settings: TuneConfig,
    model: Model,
    base_sha256: String,
    pub(super) train: Part,
    pub(super) validation: Part,
    pub(super) test: Part,
    dropped: usize,
    /// Characters that the model's tokenizer does not know; they are left out.
    unknown: usize,
}

/// The answers of the training and the validation part, and what chooses the weights.
pub(super) struct Goal {
    pub(super) target: Target,
    pub(super) train: Targets,
    pub(super) validation: Targets,
    pub(super) metric: Metric,
}

/// What came out.
pub(super) struct Tuned {
    pub(super) classifier: Classifier,
    pub(super) params: Params,
    outcome: Outcome,
}

impl<'a> Tuning<'a> {
    /// Checks the flags and reads all files. Of each label, `k_shot` texts of the training part are to learn from and as
    /// many others to choose by, if it is given.
    pub(super) fn new(args: &'a TuneArgs, k_shot: Option<usize>) -> Result<Self, Failure> {
        let settings = args.config()?;
        let model = model::load(&args.model)?;
        let real = |path: &PathBuf| path.canonicalize().ok();
        if real(&args.out).is_some_and(|out| real(&model.path) == Some(out)) {
            let out = args.out.display();
            return Err(Failure::input(format!(
                "{out}: the tuned model would replace the model that it is made of: give another --out"
            )));
        }
        let mut parts = args.labelled.parts()?;
        if let Some(k) = k_shot {
            let mut rng = Rng::new(args.seed, Stream::Data);
            let mut chosen = || -> Result<Rows, Failure> {
                let labels: Vec<&str> = parts.train.iter().map(|(_, label)| label.as_str()).collect();
                let places = k_shot_of(&labels, k, &mut rng)
                    .map_err(|e| Failure::from(e).about(args.labelled.train.display()))?;
                // From the back, so that the places before stay where they are.
                Ok(places.into_iter().rev().map(|i| parts.train.swap_remove(i)).collect())
            };
            let (train, validation) = (chosen()?, chosen()?);
            (parts.train, parts.validation) = (train, validation);
        }
        let (mut unknown, mut characters, mut cut) = (0, 0, 0);
        let mut tokens = |rows: Rows, part: &str| -> Result<Part, Failure> {
            let about = |e: data::DataError| Failure::from(e).about(args.labelled.file(part).display());
            let (mut texts, mut answers) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for (text, answer) in rows {
                let (ids, left_out) = model::encode_known(&model.tokenizer, &text).map_err(about)?;
                unknown += left_out;
                characters += text.chars().count();
                cut += usize::from(ids.len() > model.gpt.config.block_size);
                texts.push(ids);
                answers.push(answer);
            }
            Ok(Part { texts, answers })
        };
        let train = tokens(parts.train, "training")?;
        let validation = tokens(parts.validation, "validation")?;
        let test = tokens(parts.test, "test")?;
        let counts = [&train, &validation, &test].map(|part| part.texts.len());
        eprintln!("{} texts to train, {} to validate, {} to test", counts[0], counts[1], counts[2]);
        if unknown > 0 {
            let share = 100.0 * unknown as f64 / characters.max(1) as f64;
            eprintln!("{share:.2} % of the characters are not in the model's vocabulary and are left out");
        }
        if cut > 0 {
            eprintln!("{cut} texts are longer than the model's context: only their beginning is read");
        }
        let base_sha256 = fingerprint(&model.gpt.config, &model.params);
        Ok(Self {
            args,
            settings,
            model,
            base_sha256,
            train,
            validation,
            test,
            dropped: parts.dropped,
            unknown,
        })
    }

    /// Trains, and gives back the best weights.
    pub(super) fn train(&self, goal: &Goal) -> Result<Tuned, Failure> {
        let (mut gpt, mut params) = (self.model.gpt.clone(), self.model.params.clone());
        let mut rng = Rng::new(self.args.seed, Stream::Init);
        gpt.tune(&self.args.peft, &mut params, &mut rng)
            .map_err(|error| Failure::input(error.to_string()))?;
        let config = ClassifierConfig {
            target: goal.target.clone(),
            pool: self.args.pool.into(),
            both_sides: self.args.both_sides,
            dropout: self.args.dropout,
        };
        let classifier = Classifier::new(gpt, config, &mut params, &mut rng);
        let task = Classify {
            classifier: &classifier,
            texts: &self.train.texts,
            targets: &goal.train,
            dev_texts: &self.validation.texts,
            dev_targets: &goal.validation,
            metric: goal.metric,
            most: classifier.most_tokens(&params),
        };
        let outcome = self.watched(&mut params, &task)?;
        Ok(Tuned { classifier, params, outcome })
    }

    /// The loop, with a bar on a terminal and a line a measurement elsewhere, until a signal arrives.
    fn watched(&self, params: &mut Params, task: &Classify<'_>) -> Result<Outcome, Failure> {
        let signal = crate::signals::watch();
        let signal = signal.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
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
                    let loss =
                        if loss.is_finite() { format!("train loss {loss:.4}, ") } else { String::new() };
                    let line = format!("epoch {epoch:5.2}: {loss}validation score {score:.4}{best}");
                    if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) }
                }
            }
            if signal.load(Ordering::Relaxed) == 0 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let depth = |name: &str| task.classifier.gpt.depth(name);
        let outcome = fit(params, task, &self.settings, depth, tell);
        bar.finish_and_clear();
        outcome.map_err(|error| match error {
            TuneError::Stopped => Failure::stopped(signal.load(Ordering::Relaxed) as u8),
            TuneError::NothingToTrain | TuneError::MissingGradient(_) => Failure::input(error.to_string()),
            TuneError::NonFinite { .. } => Failure::other(error.to_string()),
        })
    }

    /// Writes the directory, `test` being the numbers of the test part and `more` what the task says of itself. Answers the
    /// record.
    pub(super) fn save(&self, tuned: &Tuned, test: &Value, more: Value) -> Result<Value, Failure> {
        let (args, outcome) = (self.args, &tuned.outcome);
        let mut result = json!({
            "test": test,
            "validation": { "score": outcome.best_score, "texts": self.validation.texts.len() },
            "trainable_parameters": outcome.trainable_parameters,
            "optimizer_bytes": outcome.optimizer_bytes,
            "seconds": outcome.seconds,
            "updates": outcome.updates,
            "best_update": outcome.best_update,
            "stopped_early": outcome.stopped_early,
            "train_texts": self.train.texts.len(),
            "dropped": self.dropped,
            "unknown_characters": self.unknown,
            "method": args.peft.to_string(),
            "settings": self.settings,
            "classifier": tuned.classifier.config,
            "data": { "train": args.labelled.train, "dev": args.labelled.dev, "test": args.labelled.test },
            "base": { "path": args.model, "sha256": self.base_sha256 },
            "command": std::env::args().collect::<Vec<_>>(),
            "version": env!("CARGO_PKG_VERSION"),
            "threads": rayon::current_num_threads(),
        });
        if let (Some(result), Value::Object(more)) = (result.as_object_mut(), more) {
            result.extend(more);
        }
        let bytes = serde_json::to_string_pretty(&result).expect("an object") + "\n";
        let path = &self.model.path;
        save_classifier(
            &args.out,
            (&tuned.classifier, &tuned.params),
            &args.peft,
            (&path.canonicalize().unwrap_or_else(|_| path.clone()), &self.base_sha256),
            &self.model.tokenizer.to_json(),
            &[("result.json", bytes.as_bytes())],
        )?;
        Ok(result)
    }

    /// The end of what is said to people.
    pub(super) fn summary(&self, tuned: &Tuned) -> String {
        let outcome = &tuned.outcome;
        format!(
            "{} parameters trained in {:.1} s, best after {} of {} updates\n{}\n",
            outcome.trainable_parameters,
            outcome.seconds,
            outcome.best_update,
            outcome.updates,
            self.args.out.display()
        )
    }
}

fn bar() -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = "{bar:24} {pos}/{len} {msg} | {elapsed} elapsed, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    bar
}
