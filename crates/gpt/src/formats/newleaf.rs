//! Our own format, in Hugging Face's layout and complete by itself: weights, config, tokenizer, and a card that says what
//! the model was trained on.
//!
//! | File | Contents |
//! |---|---|
//! | `config.json` | [`GptConfig`], `model_type` and `architectures` |
//! | `model.safetensors` | the weights, f32, in nanoGPT's names |
//! | `tokenizer.json` | the tokenizer |
//! | `generation_config.json` | how to sample, unless told otherwise |
//! | `README.md` | the model card |
//! | `manifest.json` | sizes and sha256 of the others |

use super::directory::{CONFIG, Directory, Format, Loaded, Parts, TOKENIZER, WEIGHTS, malformed, weights};
use crate::card::{self, ModelCard};
use crate::config::GptConfig;
use crate::files::CheckpointError;
use crate::files::json;
use crate::files::store::Files;
use crate::files::tensors::{self, Encoded, MAX_HEADER_BYTES};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

const MODEL_TYPE: &str = "newleaf-gpt";
const ARCHITECTURE: &str = "NewleafGpt";

/// The format.
pub const FORMAT: Format = Format {
    name: "newleaf",
    title: "newleaf model",
    model_type: MODEL_TYPE,
    recognises: |directory| directory.model_type() == Some(MODEL_TYPE),
    load,
    obstacles: |_| Vec::new(),
    remedy: "",
    files: all_files,
};

/// `config.json`.
#[derive(Serialize)]
struct ConfigFile<'a> {
    architectures: [&'static str; 1],
    model_type: &'static str,
    #[serde(flatten)]
    config: &'a GptConfig,
}

fn load(directory: &Directory) -> Result<Loaded, CheckpointError> {
    directory.expect(&[CONFIG, WEIGHTS, TOKENIZER])?;
    let mut fields = directory.config.clone();
    fields.remove("model_type");
    fields.remove("architectures");
    let config: GptConfig = serde_json::from_value(Value::Object(fields))
        .map_err(|error| directory.invalid_config(error.to_string()))?;
    let bytes = directory.admit(&config)?;
    let weights = directory.read(WEIGHTS, bytes.saturating_add(8 + MAX_HEADER_BYTES))?;
    let tensors = tensors::decode_expected(&weights, &config.parameter_shapes());
    let tensors = tensors.map_err(|source| directory.in_weights(source))?;
    drop(weights);
    Ok(Loaded { config, tensors, tokenizer: directory.tokenizer()?, notes: Vec::new() })
}

fn all_files<'a>(path: &Path, model: Parts<'a>, card: &ModelCard) -> Result<Files<'a>, CheckpointError> {
    let generation = json!({ "do_sample": true, "temperature": 1.0 });
    let generation =
        json::to_bytes(&generation).map_err(|error| malformed(path, CONFIG, error.to_string()))?;
    let mut files = files(path, model)?;
    files.push(("generation_config.json", Box::new(generation)));
    files.push(("README.md", Box::new(card::render(model.config, card).into_bytes())));
    Ok(files)
}

/// The files of configuration, weights and tokenizer.
pub(crate) fn files<'a>(path: &Path, model: Parts<'a>) -> Result<Files<'a>, CheckpointError> {
    let file = ConfigFile { architectures: [ARCHITECTURE], model_type: MODEL_TYPE, config: model.config };
    let config = json::to_bytes(&file).map_err(|error| malformed(path, CONFIG, error.to_string()))?;
    let weights = weights(path, model, Encoded::of_views)?;
    Ok(vec![
        (CONFIG, Box::new(config)),
        (WEIGHTS, Box::new(weights)),
        (TOKENIZER, Box::new(model.tokenizer.as_bytes())),
    ])
}
