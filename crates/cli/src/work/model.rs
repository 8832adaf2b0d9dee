//! Loading a model from a directory: one that holds a model, or a run whose best model is meant.

use crate::screen::failure::Failure;
use data::Tokenizer;
use data::pattern::Pattern;
use gpt::config::GptConfig;
use gpt::peft::load_adapter;
use gpt::run_dir::RunInfo;
use gpt::{Gpt, checkpoint, model_dir};
use random::{Rng, Stream};
use std::path::{Path, PathBuf};
use tensor::Params;

/// A model that is ready to use.
pub(crate) struct Model {
    pub(crate) path: PathBuf,
    pub(crate) gpt: Gpt,
    pub(crate) params: Params,
    pub(crate) tokenizer: Tokenizer,
}

impl Model {
    /// What is known of the run whose `best` or `last` this is, if it lies in one.
    pub(crate) fn run(&self) -> Result<Option<RunInfo>, Failure> {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone()); // "." has a parent, too
        let is_of_a_run = path.file_name().is_some_and(|name| name == "best" || name == "last");
        let run = path.parent().filter(|run| is_of_a_run && run.join("run.json").is_file());
        run.map(RunInfo::read).transpose().map_err(|e| Failure::input(e.to_string()))
    }
}

/// The directory with the model's files: `path` itself, or its `best` if it is a run.
pub(crate) fn locate(path: &Path) -> Result<PathBuf, Failure> {
    let has_model = |dir: &Path| dir.join("model.safetensors").is_file();
    let found =
        [path.to_path_buf(), path.join("best"), path.join("last")].into_iter().find(|dir| has_model(dir));
    found.ok_or_else(|| {
        let what = match (path.exists(), path.join("run.json").exists()) {
            (false, _) => "no such directory",
            (true, true) => "this run has no finished model yet; resume it with `newleaf train --resume`",
            (true, false) => "expected a directory with model.safetensors, or a run with best/ in it",
        };
        Failure::input(format!("cannot load a model from {}: {what}", path.display()))
    })
}

/// Loads the tokenizer of a directory (one for tokenizers, a model's or a run's), or of a tokenizer.json.
pub(crate) fn load_tokenizer(path: &Path) -> Result<Tokenizer, Failure> {
    if path.is_file() {
        let tokenizer = Tokenizer::from_json(&data::read_text(path)?);
        return tokenizer.map_err(|e| Failure::input(format!("{}: {e}", path.display())));
    }
    let has_tokenizer = |dir: &PathBuf| dir.join("tokenizer.json").exists();
    let found = [path.to_path_buf(), path.join("best"), path.join("last")].into_iter().find(has_tokenizer);
    Ok(Tokenizer::load(found.as_deref().unwrap_or(path))?)
}

/// Where a text begins if nobody says so: with a new line, or a tokenizer that has none, with its first token
/// that is no unknown word.
pub(crate) fn first_prompt(tokenizer: &Tokenizer) -> String {
    let knows = |text: &str| {
        tokenizer.encode(text).is_ok_and(|ids| ids.iter().all(|&id| Some(id) != tokenizer.unknown_id()))
    };
    let first = u32::from(tokenizer.unknown_id() == Some(0));
    let first = || tokenizer.decode(&[first]).expect("a tokenizer has two tokens");
    if knows("\n") { "\n".to_string() } else { first() }
}

/// Loads a model with an adapter in its weights, if one is given: it is then as any model, and can write.
pub(crate) fn load_with_adapter(path: &Path, adapter: Option<&Path>) -> Result<Model, Failure> {
    let mut model = load(path)?;
    if let Some(path) = adapter {
        let adapter = load_adapter(path)?;
        adapter.put_on(&mut model.gpt, &mut model.params)?;
        if !model.gpt.is_mergeable() {
            return Err(Failure::input(format!(
                "{}: {} cannot be put into the weights, and writing needs that: take lora, ia3 or bitfit",
                path.display(),
                adapter.method
            )));
        }
        model.gpt.merge(&mut model.params);
    }
    Ok(model)
}

/// Loads the model of a directory.
pub(crate) fn load(path: &Path) -> Result<Model, Failure> {
    let path = locate(path)?;
    let input = |e: String| Failure::input(e);
    let loaded = model_dir::load_model_dir(&path).map_err(|e| input(e.to_string()))?;
    let tokenizer = Tokenizer::from_json(&loaded.tokenizer)
        .map_err(|e| input(format!("{}: {e}", path.join("tokenizer.json").display())))?;
    let (found, expected) = (tokenizer.vocab_size(), loaded.config.vocab_size);
    if found != expected {
        return Err(input(format!(
            "{}: expected {expected} tokens, the vocab_size in config.json, found {found}: the files are of \
             different models; use the tokenizer.json saved with the weights",
            path.join("tokenizer.json").display()
        )));
    }
    let (gpt, params) =
        build(&loaded.config, &loaded.tensors).map_err(|e| input(format!("{}: {e}", path.display())))?;
    Ok(Model { path, gpt, params, tokenizer })
}

fn build(
    config: &GptConfig,
    tensors: &checkpoint::Tensors,
) -> Result<(Gpt, Params), checkpoint::TensorsError> {
    let mut params = Params::new();
    let gpt = Gpt::new(config, &mut params, &mut Rng::new(0, Stream::Init));
    checkpoint::tensors::into_params(tensors, &mut params)?;
    Ok((gpt, params))
}

/// The tokens of a text of which not every character need be known, and how many are left out. Never no token at all.
pub(crate) fn encode_known(tokenizer: &Tokenizer, text: &str) -> Result<(Vec<u32>, usize), data::DataError> {
    let (mut ids, unknown) = match tokenizer {
        Tokenizer::Char(tokenizer) => tokenizer.encode_known(text),
        other => (other.encode(text)?, 0),
    };
    if ids.is_empty() {
        ids.push(0);
    }
    Ok((ids, unknown))
}

/// [`encode_known`] of a text that is put into a pattern, or stands by itself.
pub(crate) fn encode_text(
    tokenizer: &Tokenizer,
    pattern: Option<&Pattern>,
    text: &str,
) -> Result<(Vec<u32>, usize), data::DataError> {
    match pattern {
        Some(pattern) => encode_known(tokenizer, &pattern.text_piece(text)),
        None => encode_known(tokenizer, text),
    }
}

/// The tokens that no sample holds: special ones, such as the marks of hidden words. The end of a document may be written.
pub(crate) fn never_written(tokenizer: &Tokenizer) -> Vec<u32> {
    let specials = tokenizer.specials().into_iter();
    specials.filter(|(name, _)| *name != data::dataset::END_OF_DOCUMENT).map(|(_, id)| id).collect()
}
