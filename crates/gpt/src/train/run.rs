//! A whole training: updates, evaluations, checkpoints, and a log of it all.

use super::by_time::{Saves, TimeLimit};
use super::evaluate::losses_of_objective;
use super::{StepReport, TrainError, Trainer};
use crate::Gpt;
use crate::card::ModelCard;
use crate::files::CheckpointError;
use crate::formats::{NEWLEAF, Parts};
use crate::peft::Method;
use crate::run_dir::{Metrics, RunDir, RunDirError};
use crate::train::{Checkpoint, History};
use data::dataset::TokenSource;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tensor::Params;

/// The loss of each objective, by its name.
pub type Losses = Vec<(&'static str, f64)>;

/// One evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Updates made before it.
    pub iter: u64,
    /// The mean loss on the validation part, in nats a token that is asked for; of a mixture, the mean of its objectives'
    /// losses by their shares.
    pub val_loss: f64,
    /// The loss of each objective.
    pub val_losses: Losses,
    /// The loss of `clm`, if it is among them, in bits a character, which does not depend on the tokenizer.
    pub val_bits_per_char: Option<f64>,
    /// The same in bits a byte of UTF-8, which does not depend on the script either.
    pub val_bits_per_byte: Option<f64>,
    /// Whether it is the best so far.
    pub best: bool,
}

/// Who watches a training: a progress bar, a test.
pub trait Observer {
    /// After every update; `tokens_per_s` is that of this update.
    fn step(&mut self, report: &StepReport, tokens_per_s: f64);
    /// After every evaluation.
    fn evaluation(&mut self, evaluation: &Evaluation);
    /// A checkpoint was written.
    fn saved(&mut self, iter: u64);
    /// A file could not be written, and the training goes on.
    fn warning(&mut self, _message: &str) {}
    /// A text for `samples.txt`, if one is wanted now: asked before every update, after the evaluation that may come
    /// before it. Whatever it draws at random comes from a stream of its own, and the training goes on as without it.
    fn sample(&mut self, _iter: u64, _model: &Gpt, _params: &Params) -> Result<Option<String>, TrainError> {
        Ok(None)
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All updates were made.
    Finished,
    /// The validation loss did not improve for `patience` evaluations.
    NoImprovement,
    /// [`TimeLimit`]: the updates that were left would have taken longer.
    OutOfTime,
    /// A signal of this number arrived; a checkpoint was written, unless [`Outcome::unwritten`] says otherwise.
    Signal(usize),
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why.
    pub stopped: Stopped,
    /// Updates made.
    pub iter: u64,
    /// The best validation loss, if there was an evaluation.
    pub best_val_loss: Option<f64>,
    /// The losses of each objective at the last evaluation of this session.
    pub val_losses: Losses,
    /// Seconds of training, evaluations and checkpoints, of earlier sessions too.
    pub elapsed_s: f64,
    /// What is not on disk.
    pub unwritten: Unwritten,
}

/// What could not be written, and stopped nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwritten {
    /// Entries of `metrics.jsonl` and `samples.txt` that are lost.
    pub log_entries: u64,
    /// The checkpoint and the models (`best`, `last`) of which the latest could not be written, and why.
    pub files: BTreeMap<&'static str, String>,
}

/// Everything that a training needs.
pub struct Run<'a> {
    /// The model, at its first update or at a checkpoint's.
    pub trainer: &'a mut Trainer,
    /// The training part of the text.
    pub train: &'a dyn TokenSource,
    /// The validation part.
    pub val: &'a dyn TokenSource,
    /// Characters a token of the validation part, for bits a character.
    pub chars_per_token: f64,
    /// Bytes of UTF-8 a token of the validation part, for bits a byte.
    pub bytes_per_token: f64,
    /// Where everything is written.
    pub dir: &'a mut RunDir,
    /// Its checkpoints.
    pub history: History,
    /// `tokenizer.json`, which is saved with the weights.
    pub tokenizer: &'a str,
    /// What the model card says.
    pub card: ModelCard,
    /// Not 0: stop, as soon as a checkpoint is written. A signal handler sets it.
    pub stop: &'a AtomicUsize,
    /// The best validation loss so far.
    pub best_val_loss: Option<f64>,
    /// Evaluations since then.
    pub evals_without_improvement: u64,
    /// Seconds of training before this session.
    pub elapsed_before_s: f64,
    /// When it has to be over, with or without all updates.
    pub time_limit: Option<TimeLimit>,
    /// The loss of the latest batch, for the model card.
    pub last_train_loss: Option<f64>,
    /// The losses of the latest evaluation.
    pub last_val_losses: Losses,
    /// What could not be written so far.
    pub unwritten: Unwritten,
}

impl Run<'_> {
    /// Trains to the end.
    ///
    /// A checkpoint is written before the evaluation of the same iteration, so a resumed run evaluates
    /// again and takes the same decisions as one that was not interrupted. The first `best/` does not come before the
    /// first checkpoint. What cannot be written (a full disk) is a warning and is tried again with the next checkpoint,
    /// evaluation or line; [`Outcome::unwritten`] says what is missing at the end. When an update fails, the state before it is
    /// saved, if its validation loss is finite: weights that compute nothing are of no use, and would take the place of a
    /// checkpoint that is. A signal before the first `best/` leaves a `last/`, so that there is a model to sample from.
    ///
    /// # Errors
    /// As [`Trainer::step`]; if a text cannot be read; if weights are not finite.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let start = Instant::now();
        let iter = self.trainer.iter;
        let minutes = self.trainer.config.train.checkpoint_minutes;
        let mut saves = Saves::new((iter > 0).then_some(iter), minutes);
        let outcome = self.train(start, &mut saves, observer);
        // After a failed update the weights are those before it, unless they are damaged.
        let good = match &outcome {
            Ok(_) | Err(TrainError::Damaged { .. }) => false,
            Err(TrainError::NonFinite { .. }) => {
                matches!(self.measure(false, None), Ok(Some((loss, ..))) if loss.is_finite())
            }
            Err(_) => true,
        };
        if good && self.trainer.iter > 0 {
            let _ = self.save(&mut saves, start, observer); // the first error is the one to report
        }
        outcome
    }

    fn train(
        &mut self,
        start: Instant,
        saves: &mut Saves,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, TrainError> {
        let first = self.trainer.iter;
        let (mut longest_step, mut longest_evaluation) = (0.0_f64, 0.0_f64);
        loop {
            let (iter, train) = (self.trainer.iter, self.trainer.config.train.clone());
            let every = |interval: usize| interval > 0 && iter.is_multiple_of(interval as u64);
            let complete = iter >= train.max_iters as u64;
            let out_of_time = !complete
                && self.time_limit.is_some_and(|TimeLimit { seconds, end_s }| {
                    let evaluation = if every(train.eval_interval) { longest_evaluation } else { 0.0 };
                    let needed = evaluation + longest_step + longest_evaluation.max(end_s);
                    self.elapsed_s(start) + needed >= seconds
                });
            let finished = complete || out_of_time;
            let signal = self.stop.load(Ordering::Relaxed);
            let evaluates = finished || every(train.eval_interval);
            let by_updates = every(train.checkpoint_interval) && iter > first;
            let before_first_best = evaluates && self.is_worth_saving() && saves.at.is_none();
            let by_time = iter > first && saves.are_due();
            if finished || signal != 0 || by_updates || by_time || before_first_best {
                self.save(saves, start, observer)?;
            }
            if signal != 0 {
                if !self.dir.best().exists() {
                    let saved = self.save_model(&self.dir.last(), None);
                    self.written("last", saved, observer)?;
                }
                return Ok(self.outcome(Stopped::Signal(signal), start));
            }
            let begun = Instant::now();
            if evaluates {
                // A signal ends an evaluation, which comes again when the training goes on.
                let Some(val_loss) = self.evaluate(finished, start, observer)? else { continue };
                longest_evaluation = longest_evaluation.max(begun.elapsed().as_secs_f64());
                let patience = train.patience.map(|p| p as u64);
                let exhausted = patience.is_some_and(|p| self.evals_without_improvement >= p);
                if finished || exhausted {
                    let saved = self.save_model(&self.dir.last(), Some(val_loss));
                    self.written("last", saved, observer)?;
                    let why = match (complete, out_of_time) {
                        (true, _) => Stopped::Finished,
                        (_, true) => Stopped::OutOfTime,
                        _ => Stopped::NoImprovement,
                    };
                    return Ok(self.outcome(why, start));
                }
            }
            if let Some(text) = observer.sample(iter, &self.trainer.model, self.trainer.averaged())? {
                let appended = self.dir.append_sample(iter, &text);
                self.logged(appended, observer);
            }
            let begun = Instant::now();
            self.step(start, observer)?;
            longest_step = longest_step.max(begun.elapsed().as_secs_f64());
        }
    }

    /// Whether the model has learned anything, in this training or before it.
    fn is_worth_saving(&self) -> bool {
        self.trainer.iter > 0 || !self.card.from.is_empty()
    }

    /// Seconds of training until now.
    fn elapsed_s(&self, start: Instant) -> f64 {
        self.elapsed_before_s + start.elapsed().as_secs_f64()
    }

    fn step(&mut self, start: Instant, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let (begin, tokens) = (Instant::now(), self.trainer.tokens);
        let report = self.trainer.step(self.train)?;
        self.last_train_loss = Some(report.loss);
        let seconds = begin.elapsed().as_secs_f64();
        let tokens_per_s = (report.tokens - tokens) as f64 / seconds;
        observer.step(&report, tokens_per_s);
        let interval = self.trainer.config.train.log_interval.max(1) as u64;
        if report.iter.is_multiple_of(interval) {
            let elapsed_s = self.elapsed_s(start);
            let appended = self.dir.append_metrics(&Metrics {
                iter: report.iter,
                tokens: report.tokens,
                elapsed_s,
                lr: Some(f64::from(report.lr)),
                train_loss: Some(report.loss),
                grad_norm: Some(report.grad_norm),
                step_ms: Some(1e3 * seconds),
                tokens_per_s: Some(tokens_per_s),
                ..Metrics::default()
            });
            self.logged(appended, observer);
        }
        Ok(())
    }

    /// The validation loss. The best model is chosen by the same batches (`eval_iters`) every time; the evaluation at the
    /// end is over all of the validation part, and that is what is reported and logged.
    fn evaluate(
        &mut self,
        finished: bool,
        start: Instant,
        observer: &mut dyn Observer,
    ) -> Result<Option<f64>, TrainError> {
        let Some((compared, val_loss, val_losses)) = self.measure(finished, Some(self.stop))? else {
            return Ok(None);
        };
        let bits = self.bits(&val_losses);
        let (val_bits_per_char, val_bits_per_byte) = (bits.map(|bits| bits.0), bits.map(|bits| bits.1));
        let best = compared.is_finite() && self.best_val_loss.is_none_or(|best| compared < best);
        let (iter, tokens) = (self.trainer.iter, self.trainer.tokens);
        let elapsed_s = self.elapsed_s(start);
        let appended = self.dir.append_metrics(&Metrics {
            iter,
            tokens,
            elapsed_s,
            val_loss: Some(val_loss),
            val_bits_per_char,
            val_bits_per_byte,
            val_losses: val_losses.iter().map(|(name, loss)| (format!("val_loss_{name}"), *loss)).collect(),
            ..Metrics::default()
        });
        self.logged(appended, observer);
        self.last_val_losses.clone_from(&val_losses);
        observer.evaluation(&Evaluation {
            iter,
            val_loss,
            val_losses,
            val_bits_per_char,
            val_bits_per_byte,
            best,
        });
        if best {
            self.evals_without_improvement = 0;
            let saved = if self.is_worth_saving() {
                self.save_model(&self.dir.best(), Some(val_loss))
            } else {
                Ok(())
            };
            if self.written("best", saved, observer)? {
                self.best_val_loss = Some(compared); // that of the model in best/
            }
        } else {
            self.evals_without_improvement += 1;
        }
        Ok(Some(val_loss))
    }

    /// The validation loss over `eval_iters` batches; the same, or that over all batches if `whole`; and the latter of each
    /// objective. `None` if it was stopped.
    fn measure(
        &self,
        whole: bool,
        stop: Option<&AtomicUsize>,
    ) -> Result<Option<(f64, f64, Losses)>, TrainError> {
        let trainer = &*self.trainer;
        let (corruptor, train) = (trainer.corruptor(), &trainer.config.train);
        let (mut compared, mut val_loss, mut val_losses) = (0.0, 0.0, Vec::new());
        for (part, (name, share)) in corruptor.objective().parts().enumerate() {
            let (model, params) = (&trainer.model, trainer.averaged());
            let task = (corruptor, part, train.documents);
            let batches = (train.eval_iters, whole);
            let Some((some, loss)) = losses_of_objective(model, params, task, self.val, batches, stop)?
            else {
                return Ok(None);
            };
            compared += share * some;
            val_losses.push((name, loss));
            val_loss += share * loss;
        }
        Ok(Some((compared, val_loss, val_losses)))
    }

    /// The loss of going on with the text, in nats a token, as bits a character and bits a byte.
    fn bits(&self, val_losses: &[(&str, f64)]) -> Option<(f64, f64)> {
        let (_, loss) = val_losses.iter().find(|(name, _)| *name == "clm")?;
        let bits = loss / std::f64::consts::LN_2;
        Some((bits / self.chars_per_token, bits / self.bytes_per_token))
    }

    /// Writes a checkpoint, unless there is one of this iteration.
    fn save(
        &mut self,
        saves: &mut Saves,
        start: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let iter = self.trainer.iter;
        saves.next = Instant::now() + saves.interval;
        if saves.at == Some(iter) {
            return Ok(());
        }
        let synced = self.dir.sync_logs();
        self.logged(synced, observer);
        let checkpoint = Checkpoint {
            best_val_loss: self.best_val_loss,
            evals_without_improvement: self.evals_without_improvement,
            elapsed_s: self.elapsed_s(start),
            ..self.trainer.checkpoint(self.tokenizer)
        };
        let saved = self.history.save(&checkpoint).map(drop);
        if self.written("checkpoint", saved, observer)? {
            saves.at = Some(iter);
            observer.saved(iter);
        }
        Ok(())
    }

    /// Counts an entry of a log that could not be written, and warns of the first.
    fn logged(&mut self, appended: Result<(), RunDirError>, observer: &mut dyn Observer) {
        let Err(error) = appended else { return };
        if self.unwritten.log_entries == 0 {
            observer.warning(&format!("{error}; the training goes on without it"));
        }
        self.unwritten.log_entries += 1;
    }

    /// Whether a file or directory could be written. If not, its earlier version is still there, and the training goes on.
    ///
    /// # Errors
    /// If its contents are at fault and not the disk.
    fn written(
        &mut self,
        what: &'static str,
        saved: Result<(), CheckpointError>,
        observer: &mut dyn Observer,
    ) -> Result<bool, TrainError> {
        match saved {
            Ok(()) => {
                self.unwritten.files.remove(what);
                Ok(true)
            }
            Err(error @ CheckpointError::Tensors { .. }) => Err(error.into()), // a weight is not finite
            Err(error) => {
                observer.warning(&format!("{error}\n  the training goes on, and tries it again later"));
                self.unwritten.files.insert(what, error.to_string());
                Ok(false)
            }
        }
    }

    /// Saves the model as it is now, with its tokenizer and a card, complete by itself.
    fn save_model(&self, path: &Path, val_loss: Option<f64>) -> Result<(), CheckpointError> {
        let bits = val_loss.and_then(|_| self.bits(&self.last_val_losses));
        let card = ModelCard {
            iter: self.trainer.iter,
            tokens: self.trainer.tokens,
            train_loss: self.last_train_loss,
            val_loss,
            val_bits_per_char: bits.map(|(per_char, _)| per_char),
            val_bits_per_byte: bits.map(|(_, per_byte)| per_byte),
            ..self.card.clone()
        };
        let (trainer, averaged) = (&*self.trainer, self.trainer.averaged());
        // What was added to the model goes into its weights: the model is one like any other.
        let merged = (trainer.method != Method::Full).then(|| trainer.model.merged(averaged));
        let (config, params) = match &merged {
            Some((config, params)) => (config, params),
            None => (&trainer.config.model, averaged),
        };
        NEWLEAF.save(path, Parts { config, params, tokenizer: self.tokenizer }, &card, &[])
    }

    fn outcome(&self, stopped: Stopped, start: Instant) -> Outcome {
        Outcome {
            stopped,
            iter: self.trainer.iter,
            best_val_loss: self.best_val_loss,
            val_losses: self.last_val_losses.clone(),
            elapsed_s: self.elapsed_s(start),
            unwritten: self.unwritten.clone(),
        }
    }
}
