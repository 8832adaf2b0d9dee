//! A whole training: updates, evaluations, checkpoints, and a log of it all.

use super::{StepReport, TrainError, Trainer, evaluate_objective};
use crate::Gpt;
use crate::card::ModelCard;
use crate::checkpoint::{Checkpoint, History};
use crate::formats::{NEWLEAF, Parts};
use crate::run_dir::{Metrics, RunDir};
use data::dataset::TokenSource;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tensor::Params;

/// One evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Updates made before it.
    pub iter: u64,
    /// The mean loss on the validation part, in nats a token that is asked for; of a mixture, the mean of its objectives'
    /// losses by their shares.
    pub val_loss: f64,
    /// The loss of each objective.
    pub val_losses: Vec<(&'static str, f64)>,
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
    /// A signal of this number arrived; a checkpoint was written.
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
    pub val_losses: Vec<(&'static str, f64)>,
    /// Seconds of training, of earlier sessions too.
    pub elapsed_s: f64,
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
    /// The loss of the latest batch, for the model card.
    pub last_train_loss: Option<f64>,
    /// The losses of the latest evaluation.
    pub last_val_losses: Vec<(&'static str, f64)>,
}

impl Run<'_> {
    /// Trains to the end.
    ///
    /// A checkpoint is written before the evaluation of the same iteration, so a resumed run evaluates
    /// again and takes the same decisions as one that was not interrupted.
    ///
    /// # Errors
    /// If a loss is not finite, or something cannot be written. What was saved before is untouched.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let start = Instant::now();
        let first = self.trainer.iter;
        let mut saved_at = (first > 0).then_some(first);
        loop {
            let (iter, train) = (self.trainer.iter, self.trainer.config.train.clone());
            let elapsed_s = self.elapsed_before_s + start.elapsed().as_secs_f64();
            let every = |interval: usize| interval > 0 && iter.is_multiple_of(interval as u64);
            let finished = iter >= train.max_iters as u64;
            let signal = self.stop.load(Ordering::Relaxed);
            let due = finished || signal != 0 || (every(train.checkpoint_interval) && iter > first);
            if due && saved_at != Some(iter) {
                self.save(elapsed_s)?;
                saved_at = Some(iter);
                observer.saved(iter);
            }
            if signal != 0 {
                return Ok(self.outcome(Stopped::Signal(signal), elapsed_s));
            }
            if finished || every(train.eval_interval) {
                let val_loss =
                    self.evaluate(if finished { 0 } else { train.eval_iters }, elapsed_s, observer)?;
                let patience = train.patience.map(|p| p as u64);
                let exhausted = patience.is_some_and(|p| self.evals_without_improvement >= p);
                if finished || exhausted {
                    self.save_model(&self.dir.last(), Some(val_loss))?;
                    let why = if finished { Stopped::Finished } else { Stopped::NoImprovement };
                    return Ok(self.outcome(why, elapsed_s));
                }
            }
            if let Some(text) = observer.sample(iter, &self.trainer.model, self.trainer.averaged())? {
                self.dir.append_sample(iter, &text)?;
            }
            self.step(start, observer)?;
        }
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
            self.dir.append_metrics(&Metrics {
                iter: report.iter,
                tokens: report.tokens,
                elapsed_s: self.elapsed_before_s + start.elapsed().as_secs_f64(),
                lr: Some(f64::from(report.lr)),
                train_loss: Some(report.loss),
                grad_norm: Some(report.grad_norm),
                step_ms: Some(1e3 * seconds),
                tokens_per_s: Some(tokens_per_s),
                ..Metrics::default()
            })?;
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        batches: usize,
        elapsed_s: f64,
        observer: &mut dyn Observer,
    ) -> Result<f64, TrainError> {
        let trainer = &*self.trainer;
        let corruptor = trainer.corruptor();
        let mut val_losses = Vec::new();
        let mut val_loss = 0.0;
        for (part, (name, share)) in corruptor.objective().parts().enumerate() {
            let task = (corruptor, part, trainer.config.train.documents);
            let loss = evaluate_objective(&trainer.model, trainer.averaged(), task, self.val, batches)?;
            val_losses.push((name, loss));
            val_loss += share * loss;
        }
        let bits = self.bits(&val_losses);
        let (val_bits_per_char, val_bits_per_byte) = (bits.map(|bits| bits.0), bits.map(|bits| bits.1));
        let best = self.best_val_loss.is_none_or(|best| val_loss < best);
        let (iter, tokens) = (trainer.iter, trainer.tokens);
        self.dir.append_metrics(&Metrics {
            iter,
            tokens,
            elapsed_s,
            val_loss: Some(val_loss),
            val_bits_per_char,
            val_bits_per_byte,
            val_losses: val_losses.iter().map(|(name, loss)| (format!("val_loss_{name}"), *loss)).collect(),
            ..Metrics::default()
        })?;
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
            self.best_val_loss = Some(val_loss);
            self.evals_without_improvement = 0;
            if iter > 0 {
                self.save_model(&self.dir.best(), Some(val_loss))?;
            }
        } else {
            self.evals_without_improvement += 1;
        }
        Ok(val_loss)
    }

    /// The loss of going on with the text, in nats a token, as bits a character and bits a byte.
    fn bits(&self, val_losses: &[(&str, f64)]) -> Option<(f64, f64)> {
        let (_, loss) = val_losses.iter().find(|(name, _)| *name == "clm")?;
        let bits = loss / std::f64::consts::LN_2;
        Some((bits / self.chars_per_token, bits / self.bytes_per_token))
    }

    fn save(&mut self, elapsed_s: f64) -> Result<(), TrainError> {
        let checkpoint = Checkpoint {
            best_val_loss: self.best_val_loss,
            evals_without_improvement: self.evals_without_improvement,
            elapsed_s,
            ..self.trainer.checkpoint(self.tokenizer)
        };
        self.history.save(&checkpoint)?;
        Ok(())
    }

    /// Saves the model as it is now, with its tokenizer and a card, complete by itself.
    fn save_model(&self, path: &Path, val_loss: Option<f64>) -> Result<(), TrainError> {
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
        let (config, params) = (&self.trainer.config.model, self.trainer.averaged());
        Ok(NEWLEAF.save(path, Parts { config, params, tokenizer: self.tokenizer }, &card, &[])?)
    }

    fn outcome(&self, stopped: Stopped, elapsed_s: f64) -> Outcome {
        let (iter, val_losses) = (self.trainer.iter, self.last_val_losses.clone());
        Outcome { stopped, iter, best_val_loss: self.best_val_loss, val_losses, elapsed_s }
    }
}
