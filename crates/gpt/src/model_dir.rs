//! A model directory in Hugging Face's layout, complete by itself: weights, config, tokenizer, and a
//! card that says what it was trained on.
//!
//! | File | Contents |
//! |---|---|
//! | `config.json` | [`GptConfig`], `model_type` and `architectures` |
//! | `model.safetensors` | the weights, f32, in nanoGPT's names |
//! | `tokenizer.json` | the tokenizer |
//! | `generation_config.json` | how to sample, unless told otherwise |
//! | `README.md` | the model card |
//! | `manifest.json` | sizes and sha256 of the others |

use crate::checkpoint::store::{self, Contents, MANIFEST, Manifest, read_entry, read_file, resolve};
use crate::checkpoint::tensors::{self, Encoded, MAX_HEADER_BYTES, Tensors};
use crate::checkpoint::{CheckpointError, Disk, io_error};
use crate::config::GptConfig;
use crate::gpt2_dir;
use crate::json;
use crate::machine::Machine;
use data::Tokenizer;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::ops::Deref;
use std::path::Path;

/// The `model_type` in `config.json` of our models.
pub const MODEL_TYPE: &str = "newleaf-gpt";
const ARCHITECTURE: &str = "NewleafGpt";

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
const MAX_CONFIG_BYTES: u64 = 1 << 20;
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// What the model card says. Empty and `None` fields are left out of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCard {
    /// The text it was trained on: a path or a name.
    pub data: String,
    /// Its sha256.
    pub data_sha256: String,
    /// The last training loss, in nats per token.
    pub train_loss: Option<f64>,
    /// The validation loss, in nats per token.
    pub val_loss: Option<f64>,
    /// The same in bits per character.
    pub val_bits_per_char: Option<f64>,
    /// The same in bits per byte of UTF-8.
    pub val_bits_per_byte: Option<f64>,
    /// Iterations trained.
    pub iter: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// The command that trained it, word by word.
    pub command: Vec<String>,
    /// When, for instance from [`crate::machine::now_utc`].
    pub date: String,
}

/// A model read from a directory. Its tensors are those of its config, all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedModel {
    /// The shape.
    pub config: GptConfig,
    /// The weights.
    pub tensors: Tensors,
    /// The contents of `tokenizer.json`.
    pub tokenizer: String,
}

/// `config.json`.
#[derive(Serialize)]
struct ConfigFile<'a> {
    architectures: [&'static str; 1],
    model_type: &'static str,
    #[serde(flatten)]
    config: &'a GptConfig,
}

/// Writes a model directory durably, replacing an older one ([`store::write_dir`]).
///
/// # Errors
/// If the tensors are not those of the config or not finite, or the disk fails. What was there before
/// is then still there.
pub fn save_model_dir<D: Deref<Target = [f32]>>(
    path: &Path,
    config: &GptConfig,
    tensors: &Tensors<D>,
    tokenizer: &str,
    card: &ModelCard,
) -> Result<(), CheckpointError> {
    save_model_dir_with(path, config, tensors, tokenizer, card, &[])
}

/// The same with more files.
///
/// # Errors
/// As [`save_model_dir`].
pub fn save_model_dir_with<D: Deref<Target = [f32]>>(
    path: &Path,
    config: &GptConfig,
    tensors: &Tensors<D>,
    tokenizer: &str,
    card: &ModelCard,
    more: &[(&str, &[u8])],
) -> Result<(), CheckpointError> {
    let in_json = |error: serde_json::Error| malformed(path, CONFIG, error.to_string());
    let generation = json::to_bytes(&json!({ "do_sample": true, "temperature": 1.0 })).map_err(in_json)?;
    let readme = render_card(config, card);
    let (config_json, weights) = (config_json(path, config)?, encoded(path, config, tensors)?);
    let files: [(&str, &dyn Contents); 5] = [
        (CONFIG, &config_json),
        (WEIGHTS, &weights),
        (TOKENIZER, &tokenizer.as_bytes()),
        ("generation_config.json", &generation),
        ("README.md", &readme.as_bytes()),
    ];
    let more = more.iter().map(|(name, bytes)| (*name, bytes as &dyn Contents));
    store::write_contents(&Disk, path, &files.into_iter().chain(more).collect::<Vec<_>>())
}

/// The files of configuration and weights.
pub(crate) fn files(
    path: &Path,
    config: &GptConfig,
    tensors: &Tensors,
) -> Result<[(&'static str, Vec<u8>); 2], CheckpointError> {
    let mut weights = Vec::new();
    let written = encoded(path, config, tensors)?.write_to(&mut weights);
    written.map_err(|source| io_error("write", &path.join(WEIGHTS), source))?;
    Ok([(CONFIG, config_json(path, config)?), (WEIGHTS, weights)])
}

/// The weights, if they are those of the configuration, as a file about to be written.
fn encoded<'a, D: Deref<Target = [f32]>>(
    path: &Path,
    config: &GptConfig,
    tensors: &'a Tensors<D>,
) -> Result<Encoded<'a>, CheckpointError> {
    tensors::check(tensors, &config.parameter_shapes())
        .and_then(|()| Encoded::new(tensors))
        .map_err(|source| CheckpointError::Tensors { path: path.join(WEIGHTS), source })
}

fn config_json(path: &Path, config: &GptConfig) -> Result<Vec<u8>, CheckpointError> {
    let file = ConfigFile { architectures: [ARCHITECTURE], model_type: MODEL_TYPE, config };
    json::to_bytes(&file).map_err(|error| malformed(path, CONFIG, error.to_string()))
}

/// Whose directory it is.
#[derive(Clone, Copy)]
enum Kind {
    Newleaf,
    /// Hugging Face's GPT-2: [`gpt2_dir`].
    Gpt2,
}

/// Reads a model directory, or one that Hugging Face's `transformers` wrote for a GPT-2. Where there is a manifest, config, weights and tokenizer must be what it
/// says (the card may be edited and files added); without one they are read as they are.
///
/// # Errors
/// Whatever the files are, a [`CheckpointError`] that names the one at fault. Sizes are checked
/// against the config, and the config against the machine's memory, before the weights are read.
pub fn load_model_dir(path: &Path) -> Result<LoadedModel, CheckpointError> {
    let path = &resolve(path);
    refuse_other_kinds(path)?;
    let manifest = match path.join(MANIFEST).exists() {
        true => Some(store::read_manifest(path)?),
        false => None,
    };
    let read = |name, limit| read_checked(path, manifest.as_ref(), name, limit);
    let (config, kind) = parse_config(path, &read(CONFIG, MAX_CONFIG_BYTES)?)?;
    let bytes = config.count_parameters().saturating_mul(4);
    refuse_too_large(path, bytes)?;
    let most = match kind {
        Kind::Newleaf => bytes,
        Kind::Gpt2 => bytes.saturating_mul(2), // masks, and the head once more
    };
    let weights = read(WEIGHTS, most.saturating_add(8 + MAX_HEADER_BYTES))?;
    let tensors = match kind {
        Kind::Newleaf => tensors::decode_expected(&weights, &config.parameter_shapes()),
        Kind::Gpt2 => gpt2_dir::decode(&weights, &config),
    };
    let tensors = tensors.map_err(|source| CheckpointError::Tensors { path: path.join(WEIGHTS), source })?;
    drop(weights);
    let tokenizer = match kind {
        // which may have vocab.json and merges.txt instead
        Kind::Gpt2 if !path.join(TOKENIZER).exists() => {
            Tokenizer::load(path).map_err(|error| malformed(path, TOKENIZER, error.to_string()))?.to_json()
        }
        _ => String::from_utf8(read(TOKENIZER, MAX_TOKENIZER_BYTES)?)
            .map_err(|error| malformed(path, TOKENIZER, format!("not UTF-8: {error}")))?,
    };
    Ok(LoadedModel { config, tensors, tokenizer })
}

fn read_checked(
    path: &Path,
    manifest: Option<&Manifest>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, CheckpointError> {
    let file = path.join(name);
    match manifest.and_then(|manifest| manifest.files.get(name)) {
        Some(entry) if entry.size <= limit => read_entry(&file, entry),
        Some(entry) => Err(CheckpointError::TooLarge { path: file, limit, found: entry.size }),
        None => read_file(&file, limit),
    }
}

/// Directories that people mistake for a model directory, and what to do about each.
fn refuse_other_kinds(path: &Path) -> Result<(), CheckpointError> {
    let names = store::names_in(path)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    let pickled =
        |name: &&String| [".bin", ".pt", ".pth", ".ckpt", ".pkl"].iter().any(|end| name.ends_with(end));
    if has("run.json") && !has(CONFIG) {
        let remedy = "this is the directory of a run: give its best/ or last/";
        return Err(CheckpointError::Missing { path: path.join(CONFIG), remedy });
    }
    if has("state.json") && has("optimizer.safetensors") {
        let problem = "this is a checkpoint, not a model".to_string();
        let remedy = "give best/ or last/ of the same run";
        return Err(CheckpointError::Format { path: path.to_path_buf(), problem, remedy });
    }
    if let Some(name) = names.iter().find(pickled).filter(|_| !has(WEIGHTS)) {
        let problem =
            "expected model.safetensors; a pickle can run any program when it is opened, so it is not read";
        let remedy = "convert it in Python: safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')";
        return Err(CheckpointError::Format { path: path.join(name), problem: problem.into(), remedy });
    }
    let is_there = |name: &str| has(name) || name == TOKENIZER && has("vocab.json") && has("merges.txt");
    for name in [CONFIG, WEIGHTS, TOKENIZER] {
        if !is_there(name) {
            let remedy = "a model directory has config.json, model.safetensors and tokenizer.json";
            return Err(CheckpointError::Missing { path: path.join(name), remedy });
        }
    }
    Ok(())
}

fn parse_config(path: &Path, bytes: &[u8]) -> Result<(GptConfig, Kind), CheckpointError> {
    let invalid = |problem: String| malformed(path, CONFIG, problem);
    let mut fields: Map<String, Value> = json::parse(bytes).map_err(|error| invalid(error.to_string()))?;
    let kind = match fields.remove("model_type") {
        Some(Value::String(kind)) if kind == MODEL_TYPE => Kind::Newleaf,
        Some(Value::String(kind)) if kind == gpt2_dir::MODEL_TYPE => Kind::Gpt2,
        other => {
            let found = other.map_or("none".to_string(), |value| value.to_string());
            return Err(invalid(format!("expected model_type {MODEL_TYPE:?} or \"gpt2\", found {found}")));
        }
    };
    fields.remove("architectures");
    let config: GptConfig = match kind {
        Kind::Newleaf => {
            serde_json::from_value(Value::Object(fields)).map_err(|error| invalid(error.to_string()))?
        }
        Kind::Gpt2 => gpt2_dir::config(&fields).map_err(invalid)?,
    };
    config.validate().map_err(|error| invalid(error.to_string()))?;
    Ok((config, kind))
}

/// An error if a model of so many bytes cannot fit into memory: the file and its tensors are there
/// together for a moment.
fn refuse_too_large(path: &Path, bytes: u64) -> Result<(), CheckpointError> {
    match Machine::memory_bytes() {
        Some(memory) if bytes.saturating_mul(2) > memory => Err(CheckpointError::Format {
            path: path.join(CONFIG),
            problem: format!(
                "a model of this size needs {} bytes to load, this machine has {memory}",
                bytes * 2
            ),
            remedy: "use a smaller model or a larger machine",
        }),
        _ => Ok(()),
    }
}

fn malformed(path: &Path, name: &str, problem: String) -> CheckpointError {
    CheckpointError::Format {
        path: path.join(name),
        problem,
        remedy: "use another copy, or the one saved with the weights",
    }
}

/// The model card, Markdown.
fn render_card(config: &GptConfig, card: &ModelCard) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut row = |name, value: String| {
        if !value.is_empty() {
            rows.push((name, value));
        }
    };
    let loss = |x: Option<f64>| x.map(|x| format!("{x:.4}")).unwrap_or_default();
    row("Trained on", code(&card.data));
    row("sha256 of the text", code(&card.data_sha256));
    row("Validation loss (nats per token)", loss(card.val_loss));
    row("Validation, bits per character", loss(card.val_bits_per_char));
    row("Validation, bits per byte", loss(card.val_bits_per_byte));
    row("Training loss", loss(card.train_loss));
    row("Iterations", card.iter.to_string());
    row("Tokens", card.tokens.to_string());
    row("Parameters", config.count_parameters().to_string());
    row("Date", code(&card.date));
    row("newleaf version", code(env!("CARGO_PKG_VERSION")));
    let mut text = String::from(
        "---\nlibrary_name: newleaf\npipeline_tag: text-generation\n---\n\n# A GPT trained with newleaf\n\n\
         | | |\n|---|---|\n",
    );
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |"); // writing to a String does not fail
    }
    let shape = format!(
        "\n{} layers, {} heads, width {}, {} tokens of context, {} in the vocabulary.\n",
        config.n_layer, config.n_head, config.n_embd, config.block_size, config.vocab_size
    );
    text.push_str(&shape);
    if !card.command.is_empty() {
        let _ = write!(text, "\nTrained by\n\n    {}\n", shell_line(&card.command));
    }
    text.push_str("\nWrite with it: `newleaf sample --model THIS_DIRECTORY`\n");
    text
}

/// Text of the user's as inline code in a table: no line ends, no back-ticks, no bars.
fn code(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one_line.is_empty() {
        true => one_line,
        false => format!("`{}`", one_line.replace('`', "'").replace('|', "\\|")),
    }
}

/// Words as a shell would need them, on one line.
fn shell_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let quote = |word: &String| {
        let word: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let quoted = format!("'{}'", word.replace('\'', r"'\''"));
        if !word.is_empty() && word.chars().all(plain) { word } else { quoted }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The sha256 of a file, for [`ModelCard::data_sha256`], without having all of it in memory.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, CheckpointError> {
    store::hash_reader(std::fs::File::open(path).map_err(|source| io_error("read", path, source))?)
        .map(|(hash, _)| hash)
        .map_err(|source| io_error("read", path, source))
}

#[cfg(test)]
#[path = "model_dir_tests.rs"]
mod tests;
