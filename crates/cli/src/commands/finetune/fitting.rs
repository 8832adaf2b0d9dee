//! The loop of a fine-tuning: its flags, its progress, and what a record says of it.

use super::tried::{self, TrialArgs};
use crate::commands::command_line;
use crate::screen::failure::Failure;
use crate::screen::progress::update_bar;
use crate::work::model::{self, Model};
use crate::work::output::check_directory;
use gpt::config::GptConfig;
use gpt::files::store;
use gpt::machine::Machine;
use gpt::peft::Method;
use gpt::tune::{Event, Keep, Metric, Outcome, Task, Trial, TuneConfig, TuneError, fit_keeping};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
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
    /// Times that the examples are read, at most [default: 10; 4 for thousands of texts with labels and --peft full]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Examples in an update [default: 32, or fewer where an epoch would have less than a dozen updates]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// Examples that are computed at a time, at most [default: about 2,048 tokens]
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    micro_batch: Option<u32>,
    /// Parts of a batch that may be computed side by side, on a thread each; more take more memory
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024))]
    lanes: u32,
    /// Compute activations again in the backward instead of keeping them: less memory, a third more time
    #[arg(long, hide_short_help = true)]
    recompute: bool,
    /// The largest learning rate [default: one that suits the method, the task and the model]
    #[arg(long, value_name = "X")]
    learning_rate: Option<f64>,
    /// Weight decay of matrices
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.01)]
    weight_decay: f64,
    /// The learning rate of each layer over that of the one above it
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 1.0)]
    layer_decay: f64,
    /// One more layer from the top is trained in each epoch
    #[arg(long, hide_short_help = true)]
    unfreeze: bool,
    /// Measurements in an epoch [default: 1; 2 for thousands of texts with labels and --peft full]
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    evaluations: Option<u32>,
    /// Epochs without improvement after which it stops, 0 for never
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 3)]
    patience: usize,
    /// An improvement of no more than this is none
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.0)]
    min_delta: f64,
    /// Measure and keep an average of the weights, of which each update leaves this much; 0 for none
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.0)]
    ema: f64,
    /// Leave batches out whose loss is more than so many standard deviations above the mean, 0 for never
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.0)]
    spike_guard: f64,
    #[command(flatten)]
    pub(super) trials: TrialArgs,
    /// Where all randomness starts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    pub(super) seed: u64,
    /// Go on with a fine-tuning that was interrupted, with the same flags
    #[arg(long)]
    resume: bool,
    /// Minutes after which the state is saved in OUT.unfinished again, to be resumed from
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 5.0)]
    checkpoint_minutes: f64,
    /// Write OUT/result.json to stdout, too
    #[arg(long)]
    pub(super) json: bool,
}

impl FitArgs {
    /// The settings for a model.
    pub(super) fn config(&self, model: &GptConfig) -> Result<TuneConfig, Failure> {
        command_line()?;
        let learning_rate = self.learning_rate.unwrap_or_else(|| self.peft.learning_rate(model.n_embd));
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
            ("--ema", self.ema, (0.0..1.0).contains(&self.ema), "from 0 to less than 1"),
            (
                "--spike-guard",
                self.spike_guard,
                self.spike_guard >= 0.0 && self.spike_guard.is_finite(),
                "0 or more",
            ),
            (
                "--checkpoint-minutes",
                self.checkpoint_minutes,
                (0.0..=1e6).contains(&self.checkpoint_minutes),
                "from 0 to 1000000",
            ),
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
            epochs: self.epochs.map_or(EPOCHS, |epochs| epochs as usize),
            batch_size: self.batch_size.map_or(BATCH_SIZE, |rows| rows as usize),
            micro_batch: self.micro_batch.map(|rows| rows as usize),
            lanes: self.lanes as usize,
            recompute: self.recompute,
            learning_rate,
            weight_decay: self.weight_decay,
            layer_decay: self.layer_decay,
            unfreeze: self.unfreeze,
            evaluations: self.evaluations.map_or(1, |evaluations| evaluations as usize),
            patience: Some(self.patience).filter(|patience| *patience > 0),
            min_delta: self.min_delta,
            ema: self.ema,
            spike_guard: self.spike_guard,
            seed: self.seed,
        })
    }
}

impl FitArgs {
    /// The model to begin with, which the result may not replace.
    pub(super) fn model(&self) -> Result<Model, Failure> {
        let unfinished = self.unfinished();
        let is_empty = std::fs::read_dir(&unfinished).is_ok_and(|mut entries| entries.next().is_none());
        let kept = store::resolve(&unfinished).exists() && !is_empty; // of one that was killed at once
        let place = unfinished.display();
        if kept && !self.resume {
            return Err(Failure::input(format!(
                "{place}: a fine-tuning that was interrupted: go on with it with --resume, or remove it to begin again"
            )));
        }
        if self.resume && !kept {
            return Err(Failure::input(format!(
                "--resume: there is no {place}: leave --resume out to begin a fine-tuning"
            )));
        }
        if kept && tried::is_of_several(&unfinished) != self.trials.are_several() {
            return Err(Failure::input(match self.trials.are_several() {
                true => format!("--resume: {place} is of one fine-tuning: leave --tune and --time out"),
                false => format!("--resume: {place} is of one with --tune or --time: give them again"),
            }));
        }
        let model = model::load(&self.model)?;
        check_directory(&self.out, &[&model.path])?;
        Ok(model)
    }

    /// Where the state is kept until the result is written.
    pub(super) fn unfinished(&self) -> PathBuf {
        let mut name = self.out.file_name().unwrap_or_default().to_os_string();
        name.push(".unfinished");
        self.out.with_file_name(name)
    }

    pub(super) fn keep<'a>(&self, dir: &'a Path, of: &'a str) -> Keep<'a> {
        let every = Duration::from_secs_f64(60.0 * self.checkpoint_minutes);
        Keep { dir, every, of, resume: self.resume, at_end: false }
    }

    /// When the result is written: the state is not needed any more, and a fine-tuning that ran into numbers that are not
    /// finite is reported as one.
    pub(super) fn finish(&self, fitted: &Fitted) -> Result<(), Failure> {
        let unfinished = self.unfinished();
        let removed = match self.trials.are_several() {
            true => tried::clear(&unfinished).map_err(|e| format!("{}: {e}", unfinished.display())),
            false => self.keep(&unfinished, "").remove().map_err(|e| e.to_string()),
        };
        if let Err(error) = removed {
            eprintln!("warning: {error}");
        }
        match &fitted.diverged {
            None => Ok(()),
            Some(why) => Err(Failure::other(format!(
                "{why}\n  the best weights before it, those of update {}, are in {}",
                fitted.outcome.best_update,
                self.out.display()
            ))),
        }
    }

    /// What a record says of any task.
    pub(super) fn record(&self, fitted: &Fitted, base_sha256: &str) -> Result<Value, Failure> {
        let outcome = &fitted.outcome;
        Ok(json!({
            "trainable_parameters": outcome.trainable_parameters,
            "optimizer_bytes": outcome.optimizer_bytes,
            "seconds": outcome.seconds,
            "updates": outcome.updates,
            "best_update": outcome.best_update,
            "stopped_early": outcome.stopped_early,
            "history": outcome.history,
            "diverged": fitted.diverged,
            "method": self.peft.to_string(),
            "settings": fitted.settings,
            "trials": fitted.trials,
            "base": { "path": self.model, "sha256": base_sha256 },
            "command": command_line()?,
            "version": env!("CARGO_PKG_VERSION"),
            "threads": rayon::current_num_threads(),
        }))
    }

    /// The end of what is said to people: `next` is the command to try, for `{}` the new model (or the adapter and its base).
    pub(super) fn summary(&self, outcome: &Outcome, next: &str) -> String {
        let out = self.out.display();
        format!(
            "{} parameters trained in {:.1} s, best after {} of {} updates\n{out}: written; try: {}\n\
             a page about it: newleaf report {out}\n",
            outcome.trainable_parameters,
            outcome.seconds,
            outcome.best_update,
            outcome.updates,
            next.replace("{}", &out.to_string())
        )
    }

    /// The settings for so many examples: few of them make smaller batches, unless the flag says how large they are. With ten
    /// epochs of three updates nothing is learnt.
    pub(super) fn suited(&self, settings: &TuneConfig, examples: usize) -> TuneConfig {
        let few = (examples / UPDATES_AN_EPOCH).next_power_of_two().clamp(SMALLEST_BATCH, BATCH_SIZE);
        let batch_size = if self.batch_size.is_some() { settings.batch_size } else { few };
        TuneConfig { batch_size, ..settings.clone() }
    }

    /// [`FitArgs::suited`] for answers in words, where the learning rate of full fine-tuning is up to `most` times that for labels: the
    /// more there is to learn from, the farther it is to go.
    pub(super) fn suited_to_answers(&self, settings: &TuneConfig, examples: usize, most: f64) -> TuneConfig {
        let mut settings = self.suited(settings, examples);
        if self.learning_rate.is_none() && self.peft == Method::Full {
            settings.learning_rate *= (examples as f64 / 3000.0).clamp(1.0, most);
        }
        settings
    }

    /// [`FitArgs::suited`] for texts with labels: a few readings of thousands of them are enough, and with all parameters more are
    /// learnt by heart. Where few parameters are trained, more readings go on helping.
    pub(super) fn suited_to_labels(&self, settings: &TuneConfig, examples: usize) -> TuneConfig {
        let mut settings = self.suited(settings, examples);
        if examples >= MANY && self.peft == Method::Full {
            settings.epochs = self.epochs.map_or(EPOCHS_OF_MANY, |_| settings.epochs);
            settings.evaluations = self.evaluations.map_or(2, |_| settings.evaluations);
        }
        settings
    }

    /// Warns of so few examples that a score says little.
    pub(super) fn warn_of_few(&self, examples: usize, what: &str) {
        if examples < FEW {
            eprintln!(
                "warning: only {examples} {what} to learn from: expect a model that repeats them; {FEW} or more are usual"
            );
        }
    }
}

/// Examples in an update, where there are many.
const BATCH_SIZE: usize = 32;
/// Where there are few, an epoch has about so many updates.
const UPDATES_AN_EPOCH: usize = 12;
/// Fewer examples in an update say little of the direction.
const SMALLEST_BATCH: usize = 4;

/// Readings of the examples.
const EPOCHS: usize = 10;
/// From so many texts with labels on, these are enough.
const MANY: usize = 4000;
const EPOCHS_OF_MANY: usize = 4;

/// Fewer examples get a warning.
const FEW: usize = 200;

/// What came out of the loop.
pub(super) struct Fitted {
    pub(super) settings: TuneConfig,
    pub(super) outcome: Outcome,
    /// Why it ended at an update that is not finite, if it did.
    pub(super) diverged: Option<String>,
    /// All settings that were tried, if those were several.
    pub(super) trials: Vec<Trial>,
}

impl Fitted {
    /// The score of the best weights; none if it came to no better ones than at the start before a number was not finite.
    pub(super) fn score(&self) -> Option<f64> {
        let Outcome { best_update, best_score, .. } = self.outcome;
        (self.diverged.is_none() || best_update > 0).then_some(best_score)
    }
}

/// Refuses a fine-tuning that the machine has no memory for, before it is begun.
fn check_memory(
    args: &FitArgs,
    params: &Params,
    task: &impl Task,
    settings: &TuneConfig,
) -> Result<(), Failure> {
    let Some(gpt) = task.gpt() else { return Ok(()) };
    let weights = 4 * params.count() as u64; // which are there already
    let of_trials = if args.trials.are_several() { 2 * weights } else { 0 }; // the first ones, and the best
    let needed = settings.bytes(&gpt.config, params, task).saturating_sub(weights) + of_trials;
    match Machine::available_bytes() {
        Some(free) if needed > free => Err(Failure::input(format!(
            "this fine-tuning needs about {} MB of memory, and {} MB are free\n  use --micro-batch 1, --recompute or --peft \
             lora, or a smaller model",
            needed.div_ceil(1_000_000),
            free / 1_000_000
        ))),
        _ => Ok(()),
    }
}

/// The loop, with a bar on a terminal and a line a measurement elsewhere, until a signal arrives.
pub(super) fn watched(
    args: &FitArgs,
    params: &mut Params,
    task: &impl Task,
    settings: &TuneConfig,
    keep: Keep<'_>,
    measure: Metric,
) -> Result<Fitted, Failure> {
    check_memory(args, params, task, settings)?;
    let signal = crate::work::signals::watch();
    let signal = signal.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let bar = update_bar(None);
    let line = |line: String| if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) };
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
                let score = match measure {
                    Metric::Accuracy => format!("validation accuracy {score:.4}"),
                    Metric::MacroF1 => format!("validation macro F1 {score:.4}"),
                    Metric::Loss => format!("validation loss {:.4}", -score),
                    Metric::Pearson => format!("validation correlation {score:.4}"),
                };
                line(format!("epoch {epoch:5.2}: {loss}{score}{best}"));
            }
            Event::NotKept(error) => line(format!("warning: the state is not saved: {error}")),
        }
        if signal.load(Ordering::Relaxed) == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let result = fit_keeping(params, task, settings, Some(&keep), tell);
    bar.finish_and_clear();
    let fitted =
        |outcome, diverged| Fitted { settings: settings.clone(), outcome, diverged, trials: Vec::new() };
    match result {
        Ok(outcome) => Ok(fitted(outcome, None)),
        Err(TuneError::NonFinite { update, what, reached }) => {
            let outcome = reached.clone();
            let why = TuneError::NonFinite { update, what, reached }.to_string();
            Ok(fitted(outcome, Some(why)))
        }
        Err(TuneError::Stopped) => {
            let written = match keep.exists() {
                true => format!("its state is in {}: go on with --resume", args.unfinished().display()),
                false => "nothing was written".into(),
            };
            Err(Failure::interrupted(signal.load(Ordering::Relaxed) as u8, &written))
        }
        Err(error) => Err(Failure::input(error.to_string())),
    }
}

/// The file of a directory that has the test part and what was predicted of it, a JSON object a line.
pub(crate) const PREDICTIONS: &str = "predictions.jsonl";

/// Its bytes.
pub(super) fn json_lines(predictions: &[Value]) -> Vec<u8> {
    predictions.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// sha256 of the tokens of examples, to know them again.
pub(super) fn sha256_of<'a>(tokens: impl Iterator<Item = &'a u32>) -> String {
    store::sha256(&tokens.flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>())
}
