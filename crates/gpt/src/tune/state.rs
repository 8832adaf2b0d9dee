//! A fine-tuning that goes on after an interruption, to the same bits.
//!
//! | file | contents |
//! |---|---|
//! | `state.json` | how far it is, with which settings, and of what |
//! | `weights.safetensors` | the parameters that are trained, as they are now |
//! | `best.safetensors` | the best ones so far |
//! | `optimizer.safetensors` | what the optimizer remembers |
//! | `ema.safetensors` | the average of the weights, if one is kept |
//!
//! The order of the examples is not among them: it is a function of the seed, and the epochs before are drawn again.

use super::fit::{Best, Fitting, Progress};
use super::keep::Keep;
use super::{Task, TuneConfig, TuneError};
use crate::files::json;
use crate::files::store::Contents;
use crate::files::tensors::{self, Encoded, Tensor, Tensors};
use crate::files::{CheckpointError, Disk, store};
use crate::train::LossStatistics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tensor::{ParamId, Params};

const STATE: &str = "state.json";
const WEIGHTS: &str = "weights.safetensors";
const BEST: &str = "best.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const EMA: &str = "ema.safetensors";

/// The version of `state.json`; another one is refused.
const VERSION: u32 = 1;

/// `state.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    of: String,
    config: TuneConfig,
    /// sha256 of the numbers of tokens of all examples.
    examples: String,
    progress: Progress,
    best_update: usize,
    best_score: f64,
    optimizer_steps: u64,
    losses: LossStatistics,
}

impl Fitting<'_> {
    /// Writes the state, from where the numbers are.
    pub(super) fn save(
        &self,
        keep: &Keep<'_>,
        params: &Params,
        task: &impl Task,
    ) -> Result<(), CheckpointError> {
        if !self.best.score.is_finite() {
            return Err(malformed(keep.dir, format!("a score of {} cannot be saved", self.best.score)));
        }
        let state = State {
            version: VERSION,
            of: keep.of.to_string(),
            config: self.config.clone(),
            examples: digest(task),
            progress: self.progress.clone(),
            best_update: self.best.update,
            best_score: self.best.score,
            optimizer_steps: self.engine.optimizer.step_count(),
            losses: self.engine.losses,
        };
        let state = json::to_bytes(&state).map_err(|error| malformed(keep.dir, error.to_string()))?;
        let weights = self.trained.iter().map(|&id| (id, params.data(id)));
        let best = self.best.data.iter().map(|(id, data)| (*id, &data[..]));
        let remembered = self.engine.optimizer.state().into_iter();
        let remembered = remembered.map(|(name, data)| (name, Tensor { shape: vec![data.len()], data }));
        let mut tensors = vec![
            encoded(keep.dir, WEIGHTS, &named(params, weights))?,
            encoded(keep.dir, BEST, &named(params, best))?,
            encoded(keep.dir, OPTIMIZER, &remembered.collect())?,
        ];
        if let Some(ema) = &self.engine.ema {
            let average = self.trained.iter().map(|&id| (id, ema.params().data(id)));
            tensors.push(encoded(keep.dir, EMA, &named(params, average))?);
        }
        let mut files: Vec<(&str, &dyn Contents)> = vec![(STATE, &state)];
        files.extend(tensors.iter().map(|(name, file)| (*name, file as &dyn Contents)));
        store::write_contents(&Disk, keep.dir, &files)
    }

    /// Goes on from the state in a directory.
    pub(super) fn load(
        &mut self,
        keep: &Keep<'_>,
        params: &mut Params,
        task: &impl Task,
    ) -> Result<(), TuneError> {
        let files = store::read_dir(&store::resolve(keep.dir)).map_err(resume)?;
        let state: State = json::parse(file(keep.dir, &files, STATE)?)
            .map_err(|error| resume(malformed(keep.dir, error.to_string())))?;
        let same = [
            ("another version of newleaf", state.version == VERSION),
            ("another model, method or file", state.of == keep.of),
            ("other settings", state.config == *self.config),
            ("other examples", state.examples == digest(task)),
            ("a longer fine-tuning", state.progress.update <= self.updates_in_all()),
        ];
        if let Some((other, _)) = same.iter().find(|(_, same)| !same) {
            return Err(TuneError::Resume(format!(
                "{}: the state is that of {other}: give the same flags and files as before, or remove the directory to begin again",
                keep.dir.display()
            )));
        }
        let shapes: Vec<_> =
            self.trained.iter().map(|&id| (params.name(id).to_string(), params.shape(id).to_vec())).collect();
        let decode = |name| {
            let tensors = tensors::decode_expected(file(keep.dir, &files, name)?, &shapes);
            tensors.map_err(|source| resume(in_file(keep.dir, name, source)))
        };
        let put = |tensors: &Tensors, params: &mut Params| {
            for &id in &self.trained {
                let data = &tensors[params.name(id)].data;
                params.data_mut(id).copy_from_slice(data);
            }
        };
        put(&decode(WEIGHTS)?, params);
        let mut best = decode(BEST)?;
        let optimizer = tensors::decode(file(keep.dir, &files, OPTIMIZER)?)
            .map_err(|source| resume(in_file(keep.dir, OPTIMIZER, source)))?;
        let optimizer: Vec<_> = optimizer.iter().map(|(name, t)| (name.clone(), &t.data[..])).collect();
        let loaded = self.engine.optimizer.load_state(state.optimizer_steps, &optimizer);
        loaded.map_err(|error| TuneError::Resume(format!("{}: {error}", keep.dir.display())))?;
        if let Some(ema) = &mut self.engine.ema {
            put(&decode(EMA)?, ema.params_mut());
        }
        let data = |&id: &ParamId| (id, best.remove(params.name(id)).expect("as decoded").data);
        self.best = Best {
            score: state.best_score,
            update: state.best_update,
            data: self.trained.iter().map(data).collect(),
        };
        self.engine.losses = state.losses;
        self.progress = state.progress;
        Ok(())
    }
}

/// The numbers of tokens of all examples, as one number.
fn digest(task: &impl Task) -> String {
    let lengths = (0..task.len()).flat_map(|i| (task.tokens(i) as u64).to_le_bytes());
    store::sha256(&lengths.collect::<Vec<u8>>())
}

/// Numbers of parameters, with names and shapes.
fn named<'d>(params: &Params, data: impl Iterator<Item = (ParamId, &'d [f32])>) -> Tensors<&'d [f32]> {
    let tensor =
        |(id, data)| (params.name(id).to_string(), Tensor { shape: params.shape(id).to_vec(), data });
    data.map(tensor).collect()
}

fn encoded<'d>(
    dir: &Path,
    name: &'static str,
    tensors: &Tensors<&'d [f32]>,
) -> Result<(&'static str, Encoded<'d>), CheckpointError> {
    let file = Encoded::of_views(tensors).map_err(|source| in_file(dir, name, source))?;
    Ok((name, file))
}

fn file<'f>(
    dir: &Path,
    files: &'f BTreeMap<String, Vec<u8>>,
    name: &'static str,
) -> Result<&'f [u8], TuneError> {
    let remedy = "the directory is not the state of a fine-tuning";
    let missing = || resume(CheckpointError::Missing { path: dir.join(name), remedy });
    files.get(name).map(|bytes| &bytes[..]).ok_or_else(missing)
}

fn resume(error: CheckpointError) -> TuneError {
    TuneError::Resume(error.to_string())
}

fn malformed(dir: &Path, problem: String) -> CheckpointError {
    let remedy = "remove the directory to begin again";
    CheckpointError::Format { path: dir.join(STATE), problem, remedy }
}

fn in_file(dir: &Path, name: &str, source: tensors::TensorsError) -> CheckpointError {
    CheckpointError::Tensors { path: dir.join(name), source }
}
