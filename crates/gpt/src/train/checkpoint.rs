//! Everything that training needs to go on as if it had never stopped, as five files, or six.

use super::LossStatistics;
use crate::config::Config;
use crate::files::json;
use crate::files::store::{Contents, Files, read_dir, write_contents};
use crate::files::tensors::{self, Encoded, Tensors};
use crate::files::{CheckpointError, Disk, Fs, TensorsError};
use crate::peft::{Method, tuned_shapes};
use random::RngState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const EMA: &str = "ema.safetensors";
const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";

/// The version of `state.json`; another one is refused.
const VERSION: u32 = 1;

/// The state of a training run between two iterations. With `D = &[f32]` the numbers are still the training's: that is how
/// one is written, without a copy of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<D = Vec<f32>> {
    /// Iterations done. The next one has this number, counting from 0.
    pub iter: u64,
    /// The weights, by the parameters' names.
    pub model: Tensors<D>,
    /// The optimizer's moments, by names that the optimizer chooses.
    pub optimizer: Tensors<D>,
    /// The average of the weights, by the parameters' names; empty where none is kept, and then without a file.
    pub ema: Tensors<D>,
    /// Updates the optimizer has made: Adam's bias correction depends on it.
    pub optimizer_steps: u64,
    /// Where each random stream stands, by purpose.
    pub rng: BTreeMap<String, RngState>,
    /// Where the data sampler stands (`data::dataset::ExampleSamplerState` as JSON).
    pub sampler: serde_json::Value,
    /// The lowest validation loss so far, if there has been an evaluation.
    pub best_val_loss: Option<f64>,
    /// Evaluations since then, for `patience`.
    pub evals_without_improvement: u64,
    /// Mean and variance of the training loss, for `spike_guard`.
    pub losses: LossStatistics,
    /// Model and training.
    pub config: Config,
    /// What of the model is trained: the parameters that it adds are among [`Checkpoint::model`].
    pub method: Method,
    /// The contents of the tokenizer's `tokenizer.json`.
    pub tokenizer: String,
    /// Seconds trained, over all sessions.
    pub elapsed_s: f64,
    /// Tokens trained on.
    pub tokens: u64,
}

/// `state.json`: what is neither tensors nor config.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    iter: u64,
    optimizer_steps: u64,
    rng: BTreeMap<String, RngState>,
    sampler: serde_json::Value,
    best_val_loss: Option<f64>,
    evals_without_improvement: u64,
    elapsed_s: f64,
    tokens: u64,
    #[serde(default)] // newer than the first checkpoints
    losses: LossStatistics,
    #[serde(default, skip_serializing_if = "Option::is_none")] // none: everything is trained
    method: Option<String>,
}

impl<D: Deref<Target = [f32]>> Checkpoint<D> {
    /// Writes a checkpoint directory durably ([`crate::files::store::write_dir`]).
    ///
    /// # Errors
    /// If a weight or moment is not finite (nothing is written then), or the disk fails.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        self.write_on(&Disk, path)
    }

    pub(crate) fn write_on(&self, fs: &dyn Fs, path: &Path) -> Result<(), CheckpointError> {
        let files = self.to_files(path)?;
        let files: Vec<(&str, &dyn Contents)> = files.iter().map(|(name, file)| (*name, &**file)).collect();
        write_contents(fs, path, &files)
    }

    fn to_files(&self, path: &Path) -> Result<Files<'_>, CheckpointError> {
        let state = State {
            version: VERSION,
            iter: self.iter,
            optimizer_steps: self.optimizer_steps,
            rng: self.rng.clone(),
            sampler: self.sampler.clone(),
            best_val_loss: self.best_val_loss,
            evals_without_improvement: self.evals_without_improvement,
            elapsed_s: self.elapsed_s,
            tokens: self.tokens,
            losses: self.losses,
            method: (self.method != Method::Full).then(|| self.method.to_string()),
        };
        // JSON has no NaN: it would become null and the checkpoint unreadable.
        if !self.elapsed_s.is_finite() || !self.best_val_loss.is_none_or(f64::is_finite) {
            let (loss, elapsed) = (self.best_val_loss, self.elapsed_s);
            let problem = format!("cannot save best_val_loss {loss:?}, elapsed_s {elapsed}: not finite");
            return Err(malformed(path, STATE, problem));
        }
        let in_file = |name| move |source| CheckpointError::Tensors { path: path.join(name), source };
        let json = |name: &str, error: serde_json::Error| malformed(path, name, error.to_string());
        let mut files: Files<'_> = vec![
            (MODEL, Box::new(Encoded::new(&self.model).map_err(in_file(MODEL))?)),
            (OPTIMIZER, Box::new(Encoded::new(&self.optimizer).map_err(in_file(OPTIMIZER))?)),
            (STATE, Box::new(json::to_bytes(&state).map_err(|error| json(STATE, error))?)),
            (CONFIG, Box::new(json::to_bytes(&self.config).map_err(|error| json(CONFIG, error))?)),
            (TOKENIZER, Box::new(self.tokenizer.as_bytes())),
        ];
        if !self.ema.is_empty() {
            files.push((EMA, Box::new(Encoded::new(&self.ema).map_err(in_file(EMA))?)));
        }
        Ok(files)
    }

    /// The same with numbers of its own.
    #[must_use]
    pub fn copied(&self) -> Checkpoint {
        Checkpoint {
            iter: self.iter,
            model: tensors::copied(&self.model),
            optimizer: tensors::copied(&self.optimizer),
            ema: tensors::copied(&self.ema),
            optimizer_steps: self.optimizer_steps,
            rng: self.rng.clone(),
            sampler: self.sampler.clone(),
            best_val_loss: self.best_val_loss,
            evals_without_improvement: self.evals_without_improvement,
            losses: self.losses,
            config: self.config.clone(),
            method: self.method.clone(),
            tokenizer: self.tokenizer.clone(),
            elapsed_s: self.elapsed_s,
            tokens: self.tokens,
        }
    }
}

impl Checkpoint {
    /// Reads a checkpoint directory, every byte of it checked against its manifest.
    ///
    /// # Errors
    /// A [`CheckpointError`] that names the damaged file.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        Self::from_files(path, read_dir(path)?)
    }

    fn from_files(path: &Path, mut files: BTreeMap<String, Vec<u8>>) -> Result<Self, CheckpointError> {
        let mut take = |name: &'static str| {
            let remedy = "the directory is not a checkpoint";
            files.remove(name).ok_or_else(|| CheckpointError::Missing { path: path.join(name), remedy })
        };
        let config: Config = parse(path, CONFIG, &take(CONFIG)?)?;
        config.validate().map_err(|error| malformed(path, CONFIG, error.to_string()))?;
        let state: State = parse(path, STATE, &take(STATE)?)?;
        if state.version != VERSION {
            let problem =
                format!("expected version {VERSION}, found {}: written by another newleaf", state.version);
            return Err(malformed(path, STATE, problem));
        }
        let in_file =
            |name| move |source: TensorsError| CheckpointError::Tensors { path: path.join(name), source };
        let method: Result<Method, _> = state.method.as_deref().unwrap_or("full").parse();
        let method = method.map_err(|error| malformed(path, STATE, error.to_string()))?;
        let expected = tuned_shapes(&config.model, &method);
        let model = tensors::decode_expected(&take(MODEL)?, &expected).map_err(in_file(MODEL))?;
        let optimizer = tensors::decode(&take(OPTIMIZER)?).map_err(in_file(OPTIMIZER))?;
        let ema = match config.train.ema {
            0.0 => Tensors::new(),
            _ => tensors::decode_expected(&take(EMA)?, &expected).map_err(in_file(EMA))?,
        };
        let tokenizer = String::from_utf8(take(TOKENIZER)?)
            .map_err(|error| malformed(path, TOKENIZER, format!("not UTF-8: {error}")))?;
        if let Some(name) = files.into_keys().next() {
            return Err(CheckpointError::Extra { path: path.join(name) });
        }
        Ok(Self {
            iter: state.iter,
            model,
            optimizer,
            ema,
            optimizer_steps: state.optimizer_steps,
            rng: state.rng,
            sampler: state.sampler,
            best_val_loss: state.best_val_loss,
            evals_without_improvement: state.evals_without_improvement,
            losses: state.losses,
            config,
            method,
            tokenizer,
            elapsed_s: state.elapsed_s,
            tokens: state.tokens,
        })
    }
}

fn parse<T: DeserializeOwned>(path: &Path, name: &str, bytes: &[u8]) -> Result<T, CheckpointError> {
    json::parse(bytes).map_err(|error| malformed(path, name, error.to_string()))
}

fn malformed(path: &Path, name: &str, problem: String) -> CheckpointError {
    CheckpointError::Format { path: path.join(name), problem, remedy: "use another checkpoint" }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
#[cfg(test)]
pub(crate) use tests::small_checkpoint;
