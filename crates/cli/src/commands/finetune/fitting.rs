//! The loop of a fine-tuning: its flags, its progress, and what a record says of it.

use crate::commands::command_line;
use crate::screen::failure::Failure;
use crate::screen::progress::update_bar;
use crate::work::model::{self, Model};
use gpt::Gpt;
use gpt::peft::Method;
use gpt::tune::{Event, Outcome, Task, TuneConfig, TuneError, fit};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use tensor::Params;

/// The flags of every task.
#[derive(Debug, clap::Args)]
pub(super) struct FitArgs {
    /// The pretrained model: a model directory, or the directory of a run
    #[arg(long, value_name = "DIR")]
    pub(super) model: PathBuf,
    /// The directory for the tuned model
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// What is trained: full, head, lora:r=8,alpha=16,targets=qv, ia3, prefix:tokens=16, prompt:tokens=16, adapter:width=16
    /// or bitfit
    #[arg(long, value_name = "METHOD", default_value = "full")]
    pub(super) peft: Method,
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
    pub(super) seed: u64,
    /// Write OUT/result.json to stdout, too
    #[arg(long)]
    pub(super) json: bool,
}

impl FitArgs {
    pub(super) fn config(&self) -> Result<TuneConfig, Failure> {
        command_line()?;
        let learning_rate = self.learning_rate.unwrap_or_else(|| self.peft.learning_rate());
        let in_range = [
            (
                "--learning-rate",
                learning_rate,
                learning_rate > 0.0 && learning_rate.is_finite(),
                "more than 0",
            ),
            ("--weight-decay", self.weight_decay, (0.0..=10.0).contains(&self.weight_decay), "from 0 to 10"),
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

impl FitArgs {
    /// The model to begin with, which the result may not replace.
    pub(super) fn model(&self) -> Result<Model, Failure> {
        let model = model::load(&self.model)?;
        Failure::if_same(&self.out, &model.path)?;
        Ok(model)
    }

    /// What a record says of any task.
    pub(super) fn record(
        &self,
        settings: &TuneConfig,
        outcome: &Outcome,
        base_sha256: &str,
    ) -> Result<Value, Failure> {
        Ok(json!({
            "trainable_parameters": outcome.trainable_parameters,
            "optimizer_bytes": outcome.optimizer_bytes,
            "seconds": outcome.seconds,
            "updates": outcome.updates,
            "best_update": outcome.best_update,
            "stopped_early": outcome.stopped_early,
            "method": self.peft.to_string(),
            "settings": settings,
            "base": { "path": self.model, "sha256": base_sha256 },
            "command": command_line()?,
            "version": env!("CARGO_PKG_VERSION"),
            "threads": rayon::current_num_threads(),
        }))
    }

    /// The end of what is said to people.
    pub(super) fn summary(&self, outcome: &Outcome) -> String {
        format!(
            "{} parameters trained in {:.1} s, best after {} of {} updates\n{}\n",
            outcome.trainable_parameters,
            outcome.seconds,
            outcome.best_update,
            outcome.updates,
            self.out.display()
        )
    }
}

/// The loop, with a bar on a terminal and a line a measurement elsewhere, until a signal arrives.
pub(super) fn watched(
    params: &mut Params,
    task: &impl Task,
    settings: &TuneConfig,
    gpt: &Gpt,
) -> Result<Outcome, Failure> {
    let signal = crate::work::signals::watch();
    let signal = signal.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let bar = update_bar(None);
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
    let outcome = fit(params, task, settings, |name| gpt.depth(name), tell);
    bar.finish_and_clear();
    outcome.map_err(|error| match error {
        TuneError::Stopped => Failure::stopped(signal.load(Ordering::Relaxed) as u8),
        TuneError::NothingToTrain | TuneError::MissingGradient(_) => Failure::input(error.to_string()),
        TuneError::NonFinite { .. } => Failure::other(error.to_string()),
    })
}
