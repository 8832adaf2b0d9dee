//! What every format of model directories has, and what it needs of a directory.

use crate::card::ModelCard;
use crate::config::GptConfig;
use crate::files::json;
use crate::files::store::{self, Contents, Files, MANIFEST, Manifest};
use crate::files::tensors::{self, Tensors};
use crate::files::{CheckpointError, Disk, TensorsError};
use crate::machine::Machine;
use data::{DataError, Tokenizer};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tensor::Params;

/// The file of the configuration, if a format has one.
pub(super) const CONFIG: &str = "config.json";
/// The file of the weights.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// The file of the tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
const MAX_CONFIG_BYTES: u64 = 1 << 20;
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// A format of model directories.
#[derive(Clone, Copy)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in a sentence.
    pub title: &'static str,
    /// What `model_type` says in its `config.json`, for the message when no format recognises a directory.
    pub(super) model_type: &'static str,
    /// Whether a directory is of this format.
    pub(super) recognises: fn(&Directory) -> bool,
    /// Reads a directory: the configuration, exactly its tensors, and the tokenizer.
    pub(super) load: fn(&Directory) -> Result<Loaded, CheckpointError>,
    /// The settings of a model that this format has no words for, with their values as JSON has them.
    pub(super) obstacles: fn(&GptConfig) -> Vec<(&'static str, String)>,
    /// How to train a model that has none of them.
    pub(super) remedy: &'static str,
    /// The files of a model that nothing stands in the way of.
    pub(super) files: for<'a> fn(&Path, Parts<'a>, &ModelCard) -> Result<Files<'a>, CheckpointError>,
}

/// What a format reads.
pub(crate) struct Loaded {
    /// The shape.
    pub(crate) config: GptConfig,
    /// The weights, exactly those of the shape.
    pub(crate) tensors: Tensors,
    /// The tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// What was left out or converted, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// What a format writes.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The shape.
    pub config: &'a GptConfig,
    /// The weights, which have to be those of the shape.
    pub params: &'a Params,
    /// The contents of `tokenizer.json`.
    pub tokenizer: &'a str,
}

impl Format {
    /// The settings of a model that this format has no words for, with their values: none, if it can be written.
    #[must_use]
    pub fn obstacles(&self, config: &GptConfig) -> Vec<(&'static str, String)> {
        (self.obstacles)(config)
    }

    /// Writes a model durably, and `more` files beside it, replacing an older directory ([`store::write_dir`]).
    ///
    /// # Errors
    /// If settings stand in the way (the message names them), the weights are not those of the configuration or not
    /// finite, or the disk fails. What was there before is then still there.
    pub fn save(
        &self,
        path: &Path,
        model: Parts<'_>,
        card: &ModelCard,
        more: &[(&str, &[u8])],
    ) -> Result<(), CheckpointError> {
        let obstacles = self.obstacles(model.config);
        if !obstacles.is_empty() {
            let settings: Vec<String> =
                obstacles.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
            let (title, settings) = (self.title, settings.join(", "));
            let problem = format!("this model is no {title}, which has no {settings}");
            return Err(CheckpointError::Format { path: path.to_path_buf(), problem, remedy: self.remedy });
        }
        let files = (self.files)(path, model, card)?;
        write(path, &files, more)
    }
}

/// Writes files and `more` of them as a directory ([`store::write_dir`]).
pub(crate) fn write(path: &Path, files: &Files<'_>, more: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
    let files = files.iter().map(|(name, contents)| (*name, &**contents));
    let more = more.iter().map(|(name, bytes)| (*name, bytes as &dyn Contents));
    store::write_contents(&Disk, path, &files.chain(more).collect::<Vec<_>>())
}

/// The settings of a model that are not as usual and not among those that a format `keeps`. A setting that a format does
/// not know of, such as one that is added later, is then never lost in silence.
pub(super) fn differences(config: &GptConfig, keeps: &[&str]) -> Vec<(&'static str, String)> {
    let mut all = config.differences(&GptConfig::default());
    all.retain(|(name, _)| !keeps.contains(name));
    all
}

/// A directory that is to be read: what every format needs of it.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    names: Vec<String>,
    manifest: Option<Manifest>,
    /// `config.json`, or nothing.
    pub(super) config: Map<String, Value>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let path = store::resolve(path);
        let names = store::names_in(&path)?;
        let mut directory = Self { path, names, manifest: None, config: Map::new() };
        directory.refuse_other_kinds()?;
        if directory.path.join(MANIFEST).exists() {
            directory.manifest = Some(store::read_manifest(&directory.path)?);
        }
        if directory.has(CONFIG) {
            let bytes = directory.read(CONFIG, MAX_CONFIG_BYTES)?;
            let invalid = |error: serde_json::Error| malformed(&directory.path, CONFIG, error.to_string());
            directory.config = json::parse(&bytes).map_err(invalid)?;
        }
        Ok(directory)
    }

    pub(super) fn model_type(&self) -> Option<&str> {
        self.config.get("model_type").and_then(Value::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// Directories that people mistake for a model directory, and what to do about each.
    fn refuse_other_kinds(&self) -> Result<(), CheckpointError> {
        if self.has("run.json") && !self.has(CONFIG) {
            let remedy = "this is the directory of a run: give its best/ or last/";
            return Err(CheckpointError::Missing { path: self.path.join(CONFIG), remedy });
        }
        if self.has("state.json") && self.has("optimizer.safetensors") {
            let problem = "this is a checkpoint, not a model".to_string();
            let remedy = "give best/ or last/ of the same run";
            return Err(CheckpointError::Format { path: self.path.clone(), problem, remedy });
        }
        Ok(())
    }

    /// An error if one of these files is missing: of weights, what else to do with those that are there.
    pub(super) fn expect(&self, names: &[&str]) -> Result<(), CheckpointError> {
        let pickled =
            |name: &&String| [".bin", ".pt", ".pth", ".ckpt", ".pkl"].iter().any(|end| name.ends_with(end));
        let Some(name) = names.iter().find(|name| !self.has(name)) else { return Ok(()) };
        let sharded = |name: &&String| name.ends_with(".index.json");
        for (problem, found) in [
            ("expected model.safetensors; its weights are in several files", self.names.iter().find(sharded)),
            (
                "expected model.safetensors; a pickle can run any program when it is opened, so it is not read",
                self.names.iter().find(pickled),
            ),
        ] {
            if let Some(name) = found.filter(|_| !self.has(WEIGHTS)) {
                let remedy = "write it in Python, from transformers import AutoModelForCausalLM as M: \
                              M.from_pretrained(DIR).save_pretrained(DIR, max_shard_size='999GB')";
                let (path, problem) = (self.path.join(name), problem.into());
                return Err(CheckpointError::Format { path, problem, remedy });
            }
        }
        let remedy = "a model directory has config.json, model.safetensors and tokenizer.json";
        Err(CheckpointError::Missing { path: self.path.join(name), remedy })
    }

    /// The bytes of a file. Where there is a manifest that lists it, the file has to be what the manifest says.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, CheckpointError> {
        let file = self.path.join(name);
        match self.manifest.as_ref().and_then(|manifest| manifest.files.get(name)) {
            Some(entry) if entry.size <= limit => store::read_entry(&file, entry),
            Some(entry) => Err(CheckpointError::TooLarge { path: file, limit, found: entry.size }),
            None => store::read_file(&file, limit),
        }
    }

    /// An error about `config.json`.
    pub(super) fn invalid_config(&self, problem: String) -> CheckpointError {
        malformed(&self.path, CONFIG, problem)
    }

    /// The bytes of the parameters of a configuration that can be built and fits into memory: the file and its tensors are
    /// there together for a moment, and tables of positions beside them.
    pub(super) fn admit(&self, config: &GptConfig) -> Result<u64, CheckpointError> {
        config.validate().map_err(|error| self.invalid_config(error.to_string()))?;
        let bytes = config.count_parameters().saturating_mul(4);
        let needed = bytes.saturating_mul(2).saturating_add(config.position_table_bytes());
        match Machine::memory_bytes() {
            Some(memory) if needed > memory => Err(CheckpointError::Format {
                path: self.path.join(CONFIG),
                problem: format!(
                    "a model of this size needs {needed} bytes to load, this machine has {memory}",
                ),
                remedy: "use a smaller model or a larger machine",
            }),
            _ => Ok(bytes),
        }
    }

    /// An error in the weights.
    pub(super) fn in_weights(&self, source: TensorsError) -> CheckpointError {
        CheckpointError::Tensors { path: self.path.join(WEIGHTS), source }
    }

    /// The tokenizer in `tokenizer.json`.
    pub(super) fn tokenizer(&self) -> Result<Tokenizer, CheckpointError> {
        let invalid = |problem: String| malformed(&self.path, TOKENIZER, problem);
        let text = String::from_utf8(self.read(TOKENIZER, MAX_TOKENIZER_BYTES)?)
            .map_err(|error| invalid(format!("not UTF-8: {error}")))?;
        Tokenizer::from_json(&text).map_err(|error| match error {
            DataError::OtherTokenizer { found, .. } => CheckpointError::Format {
                path: self.path.join(TOKENIZER),
                problem: found,
                remedy: "newleaf reads models with byte-level BPE as GPT-2's, and its own",
            },
            DataError::Tokenizer { found } => invalid(found),
            other => invalid(other.to_string()),
        })
    }
}

/// The contents of `model.safetensors`, if the parameters are those of the configuration.
pub(super) fn weights<'a, W>(
    path: &Path,
    model: Parts<'a>,
    encode: impl FnOnce(&Tensors<&'a [f32]>) -> Result<W, TensorsError>,
) -> Result<W, CheckpointError> {
    let tensors = tensors::views_of(model.params);
    tensors::check(&tensors, &model.config.parameter_shapes())
        .and_then(|()| encode(&tensors))
        .map_err(|source| CheckpointError::Tensors { path: path.join(WEIGHTS), source })
}

pub(super) fn malformed(path: &Path, name: &str, problem: String) -> CheckpointError {
    CheckpointError::Format {
        path: path.join(name),
        problem,
        remedy: "use another copy, or the one saved with the weights",
    }
}
