//! A classifier in a directory.
//!
//! | file | contents |
//! |---|---|
//! | `classifier.json` | labels, what tells them, and which method trained it |
//! | `classifier.safetensors` | the layer for labels, if that tells them |
//! | `wide.json`, `wide.safetensors` | what the words say beside the model ([`Wide`]), if it is asked |
//! | `config.json`, `model.safetensors` | the model, where all of it was trained, or none |
//! | `adapter_config.json`, `adapter_model.safetensors` | else what was trained ([`crate::peft`]); the model stays where it is |
//! | `tokenizer.json`, `manifest.json` | as in a model's directory |
//!
//! What else is given is written with them: `result.json`, a card.

use super::{Classifier, ClassifierConfig, Head, HeadConfig, Wide};
use crate::Model;
use crate::files::json;
use crate::files::store::{self, Files};
use crate::files::tensors::{self, Tensor, Tensors};
use crate::files::{CheckpointError, TensorsError};
use crate::formats::{Parts, TOKENIZER, newleaf, write};
use crate::parameters::parameters_of;
use crate::peft::{Method, adapter_files, is_adapter, load_adapter};
use data::Tokenizer;
use random::{Rng, Stream};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tensor::Params;

const CONFIG: &str = "classifier.json";
const WEIGHTS: &str = "classifier.safetensors";
const HEAD: [&str; 2] = ["classifier.weight", "classifier.bias"];
const MAX_WEIGHTS_BYTES: u64 = 1 << 30;

/// `classifier.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    classifier: ClassifierConfig,
    method: String,
}

/// A classifier read from its directory.
pub struct SavedClassifier {
    /// It.
    pub classifier: Classifier,
    /// Its numbers and the model's.
    pub params: Params,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// How it was trained.
    pub method: Method,
    /// What the words of a text say beside the model, if they are asked.
    pub wide: Option<Wide>,
}

/// Writes a classifier. `base` is the model that it was made of: where it lies, and its [`crate::peft::fingerprint`].
///
/// # Errors
/// If a number is not finite or the disk fails.
pub fn save_classifier(
    path: &Path,
    (classifier, params): (&Classifier, &Params),
    method: &Method,
    base: (&Path, &str),
    tokenizer: &Tokenizer,
    more: &[(&str, &[u8])],
) -> Result<(), CheckpointError> {
    let tokenizer = tokenizer.to_json();
    let gpt_config = &classifier.gpt.config;
    let whole = is_whole(method).then(|| parameters_of(gpt_config, params));
    let mut files: Files<'_> = match &whole {
        Some(whole) => {
            newleaf::files(path, Parts { config: gpt_config, params: whole, tokenizer: &tokenizer })?
        }
        None => {
            let adapter = adapter_files(path, &classifier.gpt, params, method, base)?.into_iter();
            let tokenizer = (TOKENIZER, tokenizer.into_bytes());
            adapter.chain([tokenizer]).map(|(name, bytes)| (name, Box::new(bytes) as _)).collect()
        }
    };
    let config = ConfigFile { classifier: classifier.config.clone(), method: method.to_string() };
    let config = json::to_bytes(&config).map_err(|error| malformed(path, error.to_string()))?;
    files.push((CONFIG, Box::new(config)));
    let head = head_bytes(classifier, params).map_err(|source| in_weights(path, source))?;
    files.extend(head.map(|head| (WEIGHTS, Box::new(head) as _)));
    write(path, &files, more)
}

/// The layer for labels, if there is one.
fn head_bytes(classifier: &Classifier, params: &Params) -> Result<Option<Vec<u8>>, TensorsError> {
    if matches!(classifier.head, Head::Words(_)) {
        return Ok(None);
    }
    let head = HEAD.into_iter().map(|name| {
        let id = params.id(name).expect("a linear head has them");
        (name.to_string(), Tensor { shape: params.shape(id).to_vec(), data: params.data(id).to_vec() })
    });
    tensors::encode(&head.collect()).map(Some)
}

/// Whether the directory has a model of its own: nothing of the base would be saved by leaving it out, or it is no larger.
fn is_whole(method: &Method) -> bool {
    matches!(method, Method::Full | Method::Head)
}

/// Reads a classifier. The base of an adapter is looked for at `base`, else where it was.
///
/// # Errors
/// If a file is missing or damaged, or the base is not the one that it was trained on.
pub fn load_classifier(path: &Path, base: Option<&Path>) -> Result<SavedClassifier, CheckpointError> {
    expect_file(path, CONFIG)?;
    let bytes = store::read_file(&path.join(CONFIG), 16 << 20)?;
    let file: ConfigFile = json::parse(&bytes).map_err(|error| malformed(path, error.to_string()))?;
    let method: Method = file.method.parse().map_err(|error| malformed(path, format!("{error}")))?;
    let invalid = |problem: &str| Err(malformed(path, problem.into()));
    if let HeadConfig::Linear(linear) = &file.classifier.head {
        expect_file(path, WEIGHTS)?;
        if !(0.0..1.0).contains(&linear.dropout) {
            return invalid("dropout: expected a probability below 1");
        }
        if !(1..=1 << 16).contains(&linear.pieces) {
            return invalid("pieces: expected from 1 to 65536");
        }
    }
    if !(1..=1 << 16).contains(&file.classifier.target.outputs()) {
        return invalid("target: expected at least one label");
    }
    let adapter = is_adapter(path).then(|| load_adapter(path)).transpose()?;
    let model_path = match &adapter {
        None => path.to_path_buf(),
        Some(adapter) => {
            let known = base.map(Path::to_path_buf).or_else(|| adapter.base_path.as_ref().map(PathBuf::from));
            known.ok_or_else(|| malformed(path, "its base is not known: name it".into()))?
        }
    };
    let Model { mut gpt, mut params, mut tokenizer, .. } = Model::load(&model_path)?;
    if let Some(adapter) = &adapter {
        adapter.put_on(&mut gpt, &mut params)?;
        tokenizer = read_tokenizer(path, gpt.config.vocab_size)?;
    }
    let mut rng = Rng::new(0, Stream::Init); // for the layer for labels, whose numbers follow
    let classifier = Classifier::new(gpt, file.classifier, &tokenizer, &mut params, &mut rng)
        .map_err(|error| malformed(path, error.to_string()))?;
    if matches!(classifier.head, Head::Linear(_)) {
        let head = tensors::decode(&store::read_file(&path.join(WEIGHTS), MAX_WEIGHTS_BYTES)?);
        head.and_then(|head| set_head(&head, &mut params)).map_err(|source| in_weights(path, source))?;
    }
    let wide = Wide::load(path, classifier.config.target.outputs())?;
    Ok(SavedClassifier { classifier, params, tokenizer, method, wide })
}

/// The tokenizer, which has no more tokens than the model.
fn read_tokenizer(path: &Path, vocab_size: usize) -> Result<Tokenizer, CheckpointError> {
    let bytes = store::read_file(&path.join(TOKENIZER), 64 << 20)?;
    let malformed = |problem: String| CheckpointError::Format {
        path: path.join(TOKENIZER),
        problem,
        remedy: "use the tokenizer.json that was saved with the classifier",
    };
    let text = String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let tokenizer = Tokenizer::from_json(&text).map_err(|error| malformed(error.to_string()))?;
    match tokenizer.vocab_size() {
        found if found <= vocab_size => Ok(tokenizer),
        found => Err(malformed(format!("expected {vocab_size} tokens, as the model has, found {found}"))),
    }
}

fn expect_file(path: &Path, name: &str) -> Result<(), CheckpointError> {
    if path.join(name).is_file() {
        return Ok(());
    }
    let remedy = "make a classifier with newleaf finetune classify, or name its directory";
    Err(CheckpointError::Missing { path: path.join(name), remedy })
}

fn set_head(head: &Tensors, params: &mut Params) -> Result<(), TensorsError> {
    let ids = HEAD.map(|name| params.id(name).expect("a linear head has them"));
    let expected = ids.map(|id| (params.name(id).to_string(), params.shape(id).to_vec()));
    tensors::check(head, &expected)?;
    for (id, name) in ids.into_iter().zip(HEAD) {
        params.data_mut(id).copy_from_slice(&head[name].data);
    }
    Ok(())
}

fn malformed(path: &Path, problem: String) -> CheckpointError {
    CheckpointError::Format { path: path.join(CONFIG), problem, remedy: "use another copy" }
}

fn in_weights(path: &Path, source: TensorsError) -> CheckpointError {
    CheckpointError::Tensors { path: path.join(WEIGHTS), source }
}
