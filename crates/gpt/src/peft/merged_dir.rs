//! A model with an adapter in its weights, and the way back.
//!
//! A merged model is a model like any other: a directory that every command reads. Beside it lie, in `unmerged.safetensors`,
//! the weights that were changed, as they were. Taking B A off again, or dividing by l, would give back numbers that
//! differ in their last bits, and where l is 0 none at all.

use super::SavedAdapter;
use crate::Gpt;
use crate::checkpoint::store;
use crate::checkpoint::tensors::{self, Tensor, Tensors};
use crate::checkpoint::{CheckpointError, TensorsError};
use crate::config::GptConfig;
use crate::model_dir::{self, LoadedModel, TOKENIZER, load_model_dir};
use random::{Rng, Stream};
use std::path::Path;
use tensor::Params;

const UNMERGED: &str = "unmerged.safetensors";
const MAX_BYTES: u64 = 16 << 30;

/// Puts an adapter into the weights of its base and writes the model. Answers how many numbers were changed.
///
/// # Errors
/// If the adapter is for another base or cannot be merged, or the disk fails.
pub fn save_merged(
    path: &Path,
    base: &LoadedModel,
    adapter: &SavedAdapter,
) -> Result<usize, CheckpointError> {
    let mut params = Params::new();
    let mut model = Gpt::new(&base.config, &mut params, &mut Rng::new(0, Stream::Init));
    tensors::into_params(&base.tensors, &mut params).map_err(|source| in_weights(path, source))?;
    adapter.put_on(&mut model, &mut params)?;
    if !model.is_mergeable() {
        return Err(CheckpointError::Format {
            path: adapter.path.clone(),
            problem: format!("{} is no change of weights and cannot be merged", adapter.method),
            remedy: "keep the adapter beside its base",
        });
    }
    model.merge(&mut params);
    let (config, merged) = plain(&base.config, &params);
    let is_changed = |(name, tensor): &(&String, &Tensor)| merged.get(*name) != Some(*tensor);
    let changed = base.tensors.iter().filter(is_changed);
    let changed: Tensors = changed.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    let unmerged = tensors::encode(&changed).map_err(|source| in_weights(path, source))?;
    let files = model_dir::files(path, &config, &merged)?;
    let files = files.iter().map(|(name, bytes)| (*name, &bytes[..]));
    let others = [(TOKENIZER, base.tokenizer.as_bytes()), (UNMERGED, &unmerged[..])];
    store::write_dir(path, &files.chain(others).collect::<Vec<_>>())?;
    Ok(changed.values().map(|tensor| tensor.data.len()).sum())
}

/// The configuration and tensors of parameters that may have more biases than the base's configuration says.
fn plain(config: &GptConfig, params: &Params) -> (GptConfig, Tensors) {
    let mut all = tensors::from_params(params);
    let bias = config.bias || all.keys().any(|name| name.starts_with("h.") && name.ends_with(".bias"));
    let config = GptConfig { bias, ..config.clone() };
    let shapes = config.parameter_shapes().into_iter();
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let zeros = || Tensor { data: vec![0.0; shape.iter().product()], shape: shape.clone() };
        let tensor = all.remove(&name).unwrap_or_else(zeros);
        (name, tensor)
    };
    let tensors = shapes.map(tensor).collect();
    (config, tensors)
}

/// The model that [`save_merged`] changed, with the weights that it had. (Biases that were added are 0.)
///
/// # Errors
/// If the directory is not such a model's, or damaged.
pub fn load_unmerged(path: &Path) -> Result<LoadedModel, CheckpointError> {
    if !path.join(UNMERGED).is_file() {
        let remedy = "only a model that newleaf peft merge wrote has its old weights beside it";
        return Err(CheckpointError::Missing { path: path.join(UNMERGED), remedy });
    }
    let mut model = load_model_dir(path)?;
    let unmerged = store::read_file(&path.join(UNMERGED), MAX_BYTES)?;
    let unmerged = tensors::decode(&unmerged).map_err(|source| in_unmerged(path, source))?;
    for (name, tensor) in unmerged {
        match model.tensors.get_mut(&name).filter(|old| old.shape == tensor.shape) {
            Some(old) => *old = tensor,
            None => {
                let problem = format!("{name} {:?} is not in the model", tensor.shape);
                return Err(in_unmerged(path, TensorsError::Mismatch(problem)));
            }
        }
    }
    Ok(model)
}

fn in_weights(path: &Path, source: TensorsError) -> CheckpointError {
    CheckpointError::Tensors { path: path.to_path_buf(), source }
}

fn in_unmerged(path: &Path, source: TensorsError) -> CheckpointError {
    CheckpointError::Tensors { path: path.join(UNMERGED), source }
}
