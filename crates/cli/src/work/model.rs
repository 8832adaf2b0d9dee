//! Loading a model from a directory: one that holds a model, or a run whose best model is meant.

use crate::screen::failure::Failure;
use data::Tokenizer;
use data::pattern::Pattern;
use gpt::files::store::resolve;
use gpt::peft::load_adapter;
use gpt::run_dir::RunInfo;
use std::path::{Path, PathBuf};

pub(crate) use gpt::{Model, encode_known};

/// What is known of the run whose `best` or `last` a model is, if it lies in one.
pub(crate) fn run_of(model: &Model) -> Result<Option<RunInfo>, Failure> {
    let path = model.path.canonicalize().unwrap_or_else(|_| model.path.clone()); // "." has a parent, too
    let is_of_a_run = path.file_name().is_some_and(|name| name == "best" || name == "last");
    let run = path.parent().filter(|run| is_of_a_run && run.join("run.json").is_file());
    run.map(RunInfo::read).transpose().map_err(|e| Failure::input(e.to_string()))
}

/// The directory with the model's files: `path` itself, or its `best` if it is a run.
pub(crate) fn locate(path: &Path) -> Result<PathBuf, Failure> {
    // A model whose weights are of another kind is one, too: what reads it says what to do.
    let has_model = |dir: &Path| {
        let dir = resolve(dir); // a run may be replacing it
        dir.join("model.safetensors").is_file() || dir.join("config.json").is_file()
    };
    let found =
        [path.to_path_buf(), path.join("best"), path.join("last")].into_iter().find(|dir| has_model(dir));
    found.ok_or_else(|| {
        let place = path.display();
        let saved = std::fs::read_dir(path.join("checkpoints")).is_ok_and(|mut steps| steps.next().is_some());
        let what = match (path.exists(), path.join("run.json").exists(), saved) {
            (false, ..) => "no such directory".to_string(),
            (true, true, true) => {
                format!("this run has no model yet; go on with it: newleaf train --resume --out {place}")
            }
            (true, true, false) => format!(
                "this run ended before it saved anything; begin it again: newleaf train ... --out {place} (if its loss was \
                 not a number, with a lower --learning-rate)"
            ),
            (true, false, _) => "expected a directory with model.safetensors, or a run with best/ in it".to_string(),
        };
        Failure::input(format!("cannot load a model from {place}: {what}"))
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

/// Loads a model with an adapter, if one is given: in its weights, where that is possible, which is faster.
pub(crate) fn load_with_adapter(path: &Path, adapter: Option<&Path>) -> Result<Model, Failure> {
    let mut model = load(path)?;
    if let Some(path) = adapter {
        let adapter = load_adapter(path)?;
        adapter.put_on(&mut model.gpt, &mut model.params)?;
        if model.gpt.is_mergeable() {
            model.gpt.merge(&mut model.params);
        }
    }
    Ok(model)
}

/// Loads the model of a directory, and says what was left out or converted.
pub(crate) fn load(path: &Path) -> Result<Model, Failure> {
    let model = Model::load(&locate(path)?).map_err(|e| Failure::input(e.to_string()))?;
    model.notes.iter().for_each(|note| eprintln!("{}: {note}", model.path.display()));
    Ok(model)
}

/// What is said of a model whose scores are no numbers.
pub(crate) fn without_numbers(path: &Path) -> Failure {
    Failure::input(format!(
        "{}: the model's scores are not numbers, though its weights are: they are too large, as after a training that \
         diverged: use an earlier checkpoint, or an undamaged copy",
        path.display()
    ))
}

/// A text without the characters that a character tokenizer does not know, and how many those were.
pub(crate) fn known_text(tokenizer: &Tokenizer, text: &str) -> (String, usize) {
    match tokenizer.encode_known(text) {
        (_, 0) => (text.to_string(), 0),
        (ids, unknown) => (tokenizer.decode(&ids).expect("ids of this tokenizer"), unknown),
    }
}

/// Says on stderr what share of the characters of `what` a model cannot read, if any.
///
/// # Errors
/// If it is most of them: what is left is no text.
pub(crate) fn tell_unknown(what: &str, unknown: usize, characters: usize) -> Result<(), Failure> {
    let share = 100.0 * unknown as f64 / characters.max(1) as f64;
    if share > 50.0 {
        return Err(Failure::input(format!(
            "{what}: {share:.0} % of the characters are not in the model's vocabulary, and without them there is no text left: \
             train a model on text of this kind, or on any text with newleaf tokenizer train --kind bpe, which knows all \
             characters"
        )));
    }
    if unknown > 0 {
        let warning = if share > 5.0 { "warning: " } else { "" };
        eprintln!(
            "{warning}{what}: {share:.2} % of the characters are not in the model's vocabulary and are left out"
        );
    }
    Ok(())
}

/// [`encode_known`] of a text that is put into a pattern, or stands by itself.
pub(crate) fn encode_text(tokenizer: &Tokenizer, pattern: Option<&Pattern>, text: &str) -> (Vec<u32>, usize) {
    match pattern {
        Some(pattern) => encode_known(tokenizer, &pattern.text_piece(text)),
        None => encode_known(tokenizer, text),
    }
}
