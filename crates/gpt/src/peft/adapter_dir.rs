//! What was trained, without the model it was trained on, in the layout of Hugging Face's `peft`: `adapter_config.json` and
//! `adapter_model.safetensors`.
//!
//! | method | there | here |
//! |---|---|---|
//! | LoRA | `...attn.c_attn.lora_A.weight` (R, C) and `lora_B.weight` (3 C, R) for queries, keys and values in one | A and B for each of them: those of the one are the others', one below the other and along the diagonal |
//! | (IA)^3 | `...attn.c_attn.ia3_l` (3 C, 1), queries' first, as factors of keys; `...mlp.c_proj.ia3_l` (1, H) | l of keys and values; l |
//! | prefix | `prompt_embeddings` (p, 2 L C): for each layer keys, then values | `h.0.attn.prefix` (p, 2 C) |
//! | prompt | `prompt_embeddings` (p, C) | `prompt` (p, C) |
//! | adapters, biases | `peft` has none: our names behind its prefix | |
//!
//! `adapter_config.json` has an entry of ours, `newleaf`, which `peft` leaves alone: the method as it was asked for, and the
//! sha256 of the base, without which an adapter would be put on another model and nobody be told.

use super::adapter_config::{method_of, peft_config};
use super::{Method, MethodError};
use crate::Gpt;
use crate::config::{GptConfig, Position};
use crate::files::json;
use crate::files::store;
use crate::files::tensors::{self, Tensor, Tensors};
use crate::files::{CheckpointError, TensorsError};
use random::{Rng, Stream};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tensor::Params;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const MAX_BYTES: u64 = 4 << 30;
const PREFIX: &str = "base_model.model.transformer.";

/// An adapter read from its directory, not yet on a model.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedAdapter {
    /// Where it was read from.
    pub path: PathBuf,
    /// What was trained.
    pub method: Method,
    /// Where the base was when it was trained.
    pub base_path: Option<String>,
    /// The base's [`fingerprint`]; adapters of other programs do not say.
    pub base_sha256: Option<String>,
    /// The trained numbers, in the names and shapes of `peft`.
    pub tensors: Tensors,
}

/// The sha256 of a model's numbers: names, shapes and values of its parameters in the order of their names. Biases that are
/// zero are left out, so that an export, which has to have biases, counts as the same model.
#[must_use]
pub fn fingerprint(config: &GptConfig, params: &Params) -> String {
    let mut hash = Sha256::new();
    let mut names: Vec<String> = config.parameter_shapes().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    for name in names {
        let Some(id) = params.id(&name) else { continue };
        let data = params.data(id);
        if name.ends_with(".bias") && data.iter().all(|x| *x == 0.0) {
            continue;
        }
        hash.update(format!("{name} {:?}\n", &params.shape(id)[..]));
        data.iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes what [`Gpt::tune`] added to a model (of biases, all), and `more` files beside it.
///
/// # Errors
/// If a number is not finite or the disk fails.
pub fn save_adapter(
    path: &Path,
    model: &Gpt,
    params: &Params,
    method: &Method,
    base: (&Path, &str),
    more: &[(&str, &[u8])],
) -> Result<(), CheckpointError> {
    let files = adapter_files(path, model, params, method, base)?;
    let files = files.iter().map(|(name, bytes)| (*name, &bytes[..]));
    store::write_dir(path, &files.chain(more.iter().copied()).collect::<Vec<_>>())
}

/// The two files of an adapter.
pub(crate) fn adapter_files(
    path: &Path,
    model: &Gpt,
    params: &Params,
    method: &Method,
    base: (&Path, &str),
) -> Result<[(&'static str, Vec<u8>); 2], CheckpointError> {
    let mut config = peft_config(&model.config, method);
    config["base_model_name_or_path"] = base.0.display().to_string().into();
    config["newleaf"] = json!({ "method": method.to_string(), "base_sha256": base.1 });
    let config = json::to_bytes(&config).map_err(|error| malformed(path, CONFIG, error.to_string()))?;
    let weights = tensors::encode(&to_peft(model, params, method))
        .map_err(|source| CheckpointError::Tensors { path: path.join(WEIGHTS), source })?;
    Ok([(CONFIG, config), (WEIGHTS, weights)])
}

/// Whether a directory holds an adapter.
#[must_use]
pub fn is_adapter(path: &Path) -> bool {
    path.join(CONFIG).is_file()
}

/// Reads an adapter that [`save_adapter`] or `peft` wrote for a GPT-2.
///
/// # Errors
/// If a file is missing or damaged, or says something that this program cannot compute.
pub fn load_adapter(path: &Path) -> Result<SavedAdapter, CheckpointError> {
    for name in [CONFIG, WEIGHTS] {
        if !path.join(name).is_file() {
            let remedy = "an adapter has adapter_config.json and adapter_model.safetensors";
            return Err(CheckpointError::Missing { path: path.join(name), remedy });
        }
    }
    let bytes = store::read_file(&path.join(CONFIG), 1 << 20)?;
    let config: Map<String, Value> =
        json::parse(&bytes).map_err(|error| malformed(path, CONFIG, error.to_string()))?;
    let method = method_of(&config).map_err(|problem| CheckpointError::Format {
        path: path.join(CONFIG),
        problem,
        remedy: "in Python, model.merge_and_unload().save_pretrained(DIR) puts any adapter into its model",
    })?;
    let weights = store::read_file(&path.join(WEIGHTS), MAX_BYTES)?;
    let (tensors, _) = tensors::decode_those(&weights, |_| true)
        .map_err(|source| CheckpointError::Tensors { path: path.join(WEIGHTS), source })?;
    let text = |value: &Value| value.as_str().map(str::to_string);
    Ok(SavedAdapter {
        path: path.to_path_buf(),
        method,
        base_path: config.get("base_model_name_or_path").and_then(text),
        base_sha256: config.get("newleaf").and_then(|ours| text(&ours["base_sha256"])),
        tensors,
    })
}

impl SavedAdapter {
    /// Puts the adapter on its base.
    ///
    /// # Errors
    /// If it was trained on another base, or its tensors are not those of its method on this one. Then the model is as it
    /// was.
    pub fn put_on(&self, model: &mut Gpt, params: &mut Params) -> Result<(), CheckpointError> {
        let found = fingerprint(&model.config, params);
        if let Some(expected) = self.base_sha256.as_ref().filter(|expected| **expected != found) {
            return Err(CheckpointError::Format {
                path: self.path.join(CONFIG),
                problem: format!("made for a base with sha256 {expected}, and this model has {found}"),
                remedy: "give the model that it was trained on",
            });
        }
        let (mut tuned, mut tuned_params) = (model.clone(), params.clone());
        let mut rng = Rng::new(0, Stream::Init);
        let unfit = |error: MethodError| malformed(&self.path, CONFIG, error.to_string());
        tuned.tune(&self.method, &mut tuned_params, &mut rng).map_err(unfit)?;
        from_peft(&tuned, &mut tuned_params, &self.method, &self.tensors)
            .map_err(|source| CheckpointError::Tensors { path: self.path.join(WEIGHTS), source })?;
        (*model, *params) = (tuned, tuned_params);
        Ok(())
    }
}

fn malformed(path: &Path, name: &str, problem: String) -> CheckpointError {
    CheckpointError::Format { path: path.join(name), problem, remedy: "use another copy" }
}

/// The trained numbers in the names and shapes of `peft`.
fn to_peft(model: &Gpt, params: &Params, method: &Method) -> Tensors {
    let of = |name: &str| {
        let id = params.id(name).expect("a parameter of the method");
        Tensor { shape: params.shape(id).to_vec(), data: params.data(id).to_vec() }
    };
    let mut all = Tensors::new();
    match method {
        Method::Prompt { .. } => {
            all.insert("prompt_embeddings".into(), of("prompt"));
        }
        Method::Prefix { tokens } => {
            let layers: Vec<Tensor> = (0..model.h.len()).map(|i| of(&format!("h.{i}.attn.prefix"))).collect();
            let width = layers[0].shape[1];
            let row = |t: usize| layers.iter().flat_map(move |layer| &layer.data[t * width..(t + 1) * width]);
            let data = (0..*tokens).flat_map(row).copied().collect();
            all.insert(
                "prompt_embeddings".into(),
                Tensor { shape: vec![*tokens, width * layers.len()], data },
            );
        }
        _ => {
            let trained = params.ids().filter(|&id| params.is_trainable(id)).map(|id| params.name(id));
            for name in trained.filter(|name| name.starts_with("h.") || name.starts_with("ln_f")) {
                all.insert(format!("{PREFIX}{name}"), of(name));
            }
        }
    }
    for (i, block) in model.h.iter().enumerate() {
        let name = format!("{PREFIX}h.{i}.attn.c_attn");
        match method {
            Method::Lora { r, .. } => {
                pack(&mut all, &name, *r, params.shape(block.attn.c_attn.weight)[0], block)
            }
            Method::Ia3 => {
                let c = model.config.n_embd;
                let l = all.get_mut(&format!("{name}.ia3_l")).expect("a parameter of the method");
                l.data.splice(0..0, std::iter::repeat_n(1.0, c));
                l.shape = vec![l.data.len(), 1];
                let l = all.get_mut(&format!("{PREFIX}h.{i}.mlp.c_proj.ia3_l")).expect("likewise");
                l.shape = vec![1, l.data.len()];
            }
            _ => {}
        }
    }
    all
}

/// Puts the changes of queries, keys and values into one of them all.
fn pack(all: &mut Tensors, name: &str, r: usize, rows: usize, block: &crate::Block) {
    let mut parts = Vec::new();
    for (letter, lora) in ["q", "k", "v"].into_iter().zip(block.attn.c_attn.tuning.lora) {
        let taken =
            |kind: &str, all: &mut Tensors| all.remove(&format!("{name}.{letter}.lora_{kind}.weight"));
        if let (Some(a), Some(b), Some(lora)) = (taken("A", all), taken("B", all), lora) {
            parts.push((a, b, lora.rows));
        }
    }
    if parts.is_empty() {
        return; // not changed, or as a whole already
    }
    let (rank, n_in) = (r * parts.len(), parts[0].0.shape[1]);
    let a = parts.iter().flat_map(|(a, ..)| &a.data).copied().collect();
    let mut b = vec![0.0; rows * rank];
    for (p, (_, part, range)) in parts.iter().enumerate() {
        for (row, numbers) in (range.start..range.end).zip(part.data.chunks(r)) {
            b[row * rank + p * r..][..r].copy_from_slice(numbers);
        }
    }
    all.insert(format!("{name}.lora_A.weight"), Tensor { shape: vec![rank, n_in], data: a });
    all.insert(format!("{name}.lora_B.weight"), Tensor { shape: vec![rows, rank], data: b });
}

/// Copies numbers in the names and shapes of `peft` into a prepared model.
fn from_peft(
    model: &Gpt,
    params: &mut Params,
    method: &Method,
    tensors: &Tensors,
) -> Result<(), TensorsError> {
    let expected: Vec<(String, Vec<usize>)> =
        to_peft(model, params, method).into_iter().map(|(name, tensor)| (name, tensor.shape)).collect();
    tensors::check(tensors, &expected)?;
    for id in params.ids().collect::<Vec<_>>() {
        let name = params.name(id).to_string();
        let data: Vec<f32> = match (method, tensors.get(&format!("{PREFIX}{name}"))) {
            (Method::Prompt { .. }, _) if name == "prompt" => tensors["prompt_embeddings"].data.clone(),
            (Method::Prefix { .. }, _) if name.ends_with(".attn.prefix") => {
                let (layer, width) = (model.depth(&name) - 1, params.shape(id)[1]);
                let rows = tensors["prompt_embeddings"].data.chunks(width * model.h.len());
                rows.flat_map(|row| &row[layer * width..][..width]).copied().collect()
            }
            (Method::Ia3, Some(l)) if name.ends_with(".attn.c_attn.ia3_l") => {
                keys_and_values(&model.config, &name, &l.data)?
            }
            (_, Some(tensor)) => tensor.data.clone(),
            _ => match unpacked(model, method, tensors, &name) {
                Some(data) => data?,
                None => continue,
            },
        };
        params.data_mut(id).copy_from_slice(&data);
    }
    Ok(())
}

/// The factors of keys and values of (IA)^3. What `peft` adds for GPT-2 has factors of queries, too: a product of a query and
/// a key is the same whichever of them is scaled, where nothing comes between.
fn keys_and_values(config: &GptConfig, name: &str, l: &[f32]) -> Result<Vec<f32>, TensorsError> {
    let (queries, rest) = l.split_at(config.n_embd);
    let mut rest = rest.to_vec();
    if queries.iter().all(|l| *l == 1.0) {
        return Ok(rest);
    }
    let heads = config.heads();
    if config.position == Position::Rope || config.qk_norm || heads.n_kv_head != heads.n_head {
        let problem = format!("{name} scales queries, which is known here for a GPT-2 alone");
        return Err(TensorsError::Mismatch(problem));
    }
    rest.iter_mut().zip(queries).for_each(|(key, query)| *key *= query);
    Ok(rest)
}

/// The part of queries, keys or values in a change of all of them; none for another parameter.
fn unpacked(
    model: &Gpt,
    method: &Method,
    tensors: &Tensors,
    name: &str,
) -> Option<Result<Vec<f32>, TensorsError>> {
    let Method::Lora { r, .. } = *method else { return None };
    let (layer, rest) = name.split_once(".attn.c_attn.")?;
    let (letter, kind) = rest.split_once(".lora_")?;
    let block = model.h.get(model.depth(name) - 1)?;
    let slot = ["q", "k", "v"].iter().position(|l| *l == letter)?;
    let lora = block.attn.c_attn.tuning.lora;
    let place = lora[..slot].iter().flatten().count(); // which of the parts
    let packed = &tensors.get(&format!("{PREFIX}{layer}.attn.c_attn.lora_{kind}"))?;
    let (rank, rows) = (r * lora.iter().flatten().count(), lora[slot]?.rows);
    if kind.starts_with('A') {
        let n_in = packed.shape[1];
        return Some(Ok(packed.data[place * r * n_in..][..r * n_in].to_vec()));
    }
    let of = |row: usize| &packed.data[row * rank + place * r..][..r];
    // What is not along the diagonal would be lost.
    let outside = packed.data.chunks(rank).enumerate().any(|(row, numbers)| {
        let inside = |j: usize| {
            lora.iter().flatten().nth(j / r).is_some_and(|l| (l.rows.start..l.rows.end).contains(&row))
        };
        numbers.iter().enumerate().any(|(j, x)| *x != 0.0 && !inside(j))
    });
    if outside {
        let problem = format!("{layer}.attn.c_attn.lora_B mixes queries, keys and values");
        return Some(Err(TensorsError::Mismatch(problem)));
    }
    Some(Ok((rows.start..rows.end).flat_map(of).copied().collect()))
}
