//! A model with an adapter in its weights, and the way back.
//!
//! A merged model is a model like any other: a directory that every command reads. Beside it lie, in `unmerged.safetensors`,
//! the weights that were changed, as they were. Taking B A off again, or dividing by l, would give back numbers that
//! differ in their last bits, and where l is 0 none at all.

use super::SavedAdapter;
use crate::Model;
use crate::files::store;
use crate::files::tensors;
use crate::files::{CheckpointError, TensorsError};
use crate::formats::{Parts, newleaf, write};
use std::path::Path;

const UNMERGED: &str = "unmerged.safetensors";
const MAX_BYTES: u64 = 16 << 30;

/// Puts an adapter into the weights of its base and writes the model. Answers how many numbers were changed.
///
/// # Errors
/// If the adapter is for another base or cannot be merged, or the disk fails.
pub fn save_merged(path: &Path, base: &Model, adapter: &SavedAdapter) -> Result<usize, CheckpointError> {
    let (mut model, mut params) = (base.gpt.clone(), base.params.clone());
    adapter.put_on(&mut model, &mut params)?;
    if !model.is_mergeable() {
        return Err(CheckpointError::Format {
            path: adapter.path.clone(),
            problem: format!("{} is no change of weights and cannot be merged", adapter.method),
            remedy: "keep the adapter beside its base",
        });
    }
    let (config, merged) = model.merged(&params);
    let mut changed = tensors::from_params(&base.params);
    let same_bits = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    changed.retain(|name, tensor| merged.id(name).is_none_or(|id| !same_bits(merged.data(id), &tensor.data)));
    let unmerged = tensors::encode(&changed)
        .map_err(|source| CheckpointError::Tensors { path: path.to_path_buf(), source })?;
    let tokenizer = base.tokenizer.to_json();
    let files = newleaf::files(path, Parts { config: &config, params: &merged, tokenizer: &tokenizer })?;
    write(path, &files, &[(UNMERGED, &unmerged)])?;
    Ok(changed.values().map(|tensor| tensor.data.len()).sum())
}

/// The model that [`save_merged`] changed, with the weights that it had. (Biases that were added are 0.)
///
/// # Errors
/// If the directory is not such a model's, or damaged.
pub fn load_unmerged(path: &Path) -> Result<Model, CheckpointError> {
    if !path.join(UNMERGED).is_file() {
        let remedy = "only a model that newleaf peft merge wrote has its old weights beside it";
        return Err(CheckpointError::Missing { path: path.join(UNMERGED), remedy });
    }
    let mut model = Model::load(path)?;
    let unmerged = store::read_file(&path.join(UNMERGED), MAX_BYTES)?;
    let unmerged = tensors::decode(&unmerged).map_err(|source| in_unmerged(path, source))?;
    for (name, tensor) in unmerged {
        match model.params.id(&name).filter(|&id| model.params.shape(id)[..] == tensor.shape) {
            Some(id) => model.params.data_mut(id).copy_from_slice(&tensor.data),
            None => {
                let problem = format!("{name} {:?} is not in the model", tensor.shape);
                return Err(in_unmerged(path, TensorsError::Mismatch(problem)));
            }
        }
    }
    Ok(model)
}

fn in_unmerged(path: &Path, source: TensorsError) -> CheckpointError {
    CheckpointError::Tensors { path: path.join(UNMERGED), source }
}
