//! GPT-2 in Hugging Face's directories, both ways: what `transformers` saves is a model here, and a model here that is a
//! GPT-2 by its settings is one there.
//!
//! | there | here |
//! |---|---|
//! | `n_positions`, `layer_norm_epsilon`, `activation_function` | `block_size`, `norm_eps`, `activation` |
//! | `transformer.h.0.attn.c_attn.weight` (in, out) of a `Conv1D`, with or without `transformer.` | `h.0.attn.c_attn.weight` (out, in) |
//! | `lm_head.weight`, which is `wte.weight` again | nothing, if the head is tied |
//! | `score.weight` and the like: the head of a classifier (`architectures`) | nothing, which is said |
//! | F16, BF16 | f32, which is exact |
//! | `h.0.attn.bias`, `h.0.attn.masked_bias`: the causal mask | nothing |
//! | a bias of every linear layer and norm | zeros, where the model has none |

use super::directory::{
    CONFIG, Directory, Format, Loaded, Parts, TOKENIZER, WEIGHTS, differences, malformed, weights,
};
use crate::card::ModelCard;
use crate::config::{Activation, GptConfig};
use crate::files::CheckpointError;
use crate::files::json;
use crate::files::store::Files;
use crate::files::tensors::{self, MAX_HEADER_BYTES, Tensor, Tensors, TensorsError};
use data::Tokenizer;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const MODEL_TYPE: &str = "gpt2";
const VOCAB: &str = "vocab.json";
/// The settings that a `config.json` of GPT-2 says; of activations, some. The last four say nothing about a model that has
/// learned positions and no n-grams, once it is trained.
pub(super) const KEEPS: &[&str] = &[
    "n_layer",
    "n_head",
    "n_embd",
    "block_size",
    "vocab_size",
    "dropout",
    "attn_dropout",
    "bias",
    "tied",
    "activation",
    "norm_eps",
    "rope_base",
    "zero_init",
    "ngram_rows",
    "ngram_dropout",
];
const PREFIX: &str = "transformer.";
/// The layers whose weights `Conv1D` keeps the other way round.
const TRANSPOSED: [&str; 4] =
    [".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight"];
/// Classes of transformers that are a GPT-2 with a head of another kind, and how the names of the head's tensors begin.
const HEADS: [(&str, &str); 4] = [
    ("GPT2ForSequenceClassification", "score."),
    ("GPT2ForTokenClassification", "classifier."),
    ("GPT2ForQuestionAnswering", "qa_outputs."),
    ("GPT2DoubleHeadsModel", "multiple_choice_head."),
];
const ACTIVATIONS: [(&str, Activation); 5] = [
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu", Activation::Gelu),
    ("relu2", Activation::Relu2),
];

/// The configuration in a `config.json` of the type `gpt2`.
///
/// # Errors
/// A message, if a field is missing or says something that this program cannot compute.
fn config(fields: &Map<String, Value>) -> Result<GptConfig, String> {
    let count = |name: &str| match fields.get(name).and_then(Value::as_u64) {
        Some(n) => {
            usize::try_from(n).map_err(|_| format!("{name}: expected a number of this machine's size"))
        }
        None => Err(format!("{name}: expected a whole number, found {}", shown(fields.get(name)))),
    };
    let number = |name: &str, usual: f64| match fields.get(name) {
        None => Ok(usual as f32),
        Some(value) => match value.as_f64() {
            Some(x) => Ok(x as f32),
            None => Err(format!("{name}: expected a number, found {value}")),
        },
    };
    let flag = |name: &str, usual: bool| fields.get(name).map_or(usual, |value| *value == Value::Bool(true));
    for (name, expected) in [
        ("scale_attn_weights", true),
        ("scale_attn_by_inverse_layer_idx", false),
        ("add_cross_attention", false),
    ] {
        if flag(name, expected) != expected {
            return Err(format!("{name}: only {expected} is known here"));
        }
    }
    let (n_embd, name) = (count("n_embd")?, fields.get("activation_function"));
    let name = name.map_or(Some("gelu_new"), Value::as_str);
    let known = |name: &str| ACTIVATIONS.iter().find(|(theirs, _)| *theirs == name);
    let Some((_, activation)) = name.and_then(known) else {
        let names = ACTIVATIONS.map(|(theirs, _)| theirs).join(", ");
        return Err(format!(
            "activation_function: expected one of {names}, found {}",
            shown(fields.get("activation_function"))
        ));
    };
    match fields.get("n_inner") {
        None | Some(Value::Null) => {}
        Some(inner) if inner.as_u64() == (n_embd as u64).checked_mul(4) => {}
        Some(inner) => return Err(format!("n_inner: expected 4 n_embd or null, found {inner}")),
    }
    let (dropout, attn_dropout) = (number("resid_pdrop", 0.1)?, number("attn_pdrop", 0.1)?);
    Ok(GptConfig {
        n_layer: count("n_layer")?,
        n_head: count("n_head")?,
        n_embd,
        block_size: count("n_positions").or_else(|error| count("n_ctx").map_err(|_| error))?,
        vocab_size: count("vocab_size")?,
        dropout,
        attn_dropout: (attn_dropout != dropout).then_some(attn_dropout),
        bias: true,
        tied: flag("tie_word_embeddings", true),
        activation: *activation,
        norm_eps: number("layer_norm_epsilon", 1e-5)?,
        ..GptConfig::default()
    })
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".into(), Value::to_string)
}

/// The weights in the bytes of a `model.safetensors` of GPT-2, in our names and order of axes, without tensors that begin
/// with `head`; and the types that were widened.
fn decode(
    bytes: &[u8],
    config: &GptConfig,
    head: Option<&str>,
) -> Result<(Tensors, BTreeSet<String>), TensorsError> {
    let is_mask = |name: &str| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
    let is_copy = |name: &str| config.tied && name == "lm_head.weight";
    let is_head = |name: &str| head.is_some_and(|head| name.starts_with(head));
    let (theirs, widened) =
        tensors::decode_those(bytes, |name| !is_mask(name) && !is_copy(name) && !is_head(name))?;
    let mut ours = Tensors::new();
    for (name, tensor) in theirs {
        let name = name.strip_prefix(PREFIX).unwrap_or(&name).to_string();
        let tensor = if is_transposed(&name) { transposed(&tensor) } else { tensor };
        if ours.contains_key(&name) {
            return Err(TensorsError::Header(format!("{name} occurs with and without {PREFIX:?}")));
        }
        ours.insert(name, tensor);
    }
    tensors::check(&ours, &config.parameter_shapes())?;
    Ok((ours, widened))
}

/// The class in `architectures` and the head that it has beside a GPT-2, if it is one of [`HEADS`].
fn head_of(fields: &Map<String, Value>) -> Option<(&'static str, &'static str)> {
    let class = fields.get("architectures")?.as_array()?.first()?.as_str()?;
    HEADS.into_iter().find(|(name, _)| *name == class)
}

fn is_transposed(name: &str) -> bool {
    TRANSPOSED.iter().any(|end| name.ends_with(end))
}

/// A matrix with its axes exchanged; anything else as it is.
fn transposed(tensor: &Tensor) -> Tensor {
    let [rows, columns] = tensor.shape[..] else { return tensor.clone() };
    let data = (0..columns).flat_map(|j| (0..rows).map(move |i| tensor.data[i * columns + j])).collect();
    Tensor { shape: vec![columns, rows], data }
}

/// The format.
pub const FORMAT: Format = Format {
    name: "gpt2",
    title: "GPT-2",
    model_type: MODEL_TYPE,
    recognises: |directory| directory.model_type() == Some(MODEL_TYPE),
    load,
    obstacles,
    remedy: "train a model with --preset nano-cpu or --preset baby",
    files,
};

fn load(directory: &Directory) -> Result<Loaded, CheckpointError> {
    let listed = directory.has(VOCAB) && directory.has("merges.txt"); // a tokenizer, too
    directory.expect(if listed { &[WEIGHTS] } else { &[WEIGHTS, TOKENIZER] })?;
    let config = config(&directory.config).map_err(|problem| directory.invalid_config(problem))?;
    let most = directory.admit(&config)?.saturating_mul(2); // masks, and the head once more
    let weights = directory.read(WEIGHTS, most.saturating_add(8 + MAX_HEADER_BYTES))?;
    let head = head_of(&directory.config);
    let (tensors, widened) = decode(&weights, &config, head.map(|(_, names)| names))
        .map_err(|source| directory.in_weights(source))?;
    drop(weights);
    let tokenizer = match directory.has(TOKENIZER) {
        true => directory.tokenizer()?,
        false => Tokenizer::load(&directory.path)
            .map_err(|error| malformed(&directory.path, VOCAB, error.to_string()))?,
    };
    let mut notes = Vec::new();
    if let Some((class, names)) = head {
        notes.push(format!(
            "a {class} of transformers: its head, {names}weight, is left out, the rest is a language model"
        ));
    }
    if !widened.is_empty() {
        let types = widened.into_iter().collect::<Vec<_>>().join(" and ");
        notes.push(format!("weights of the type {types}: widened to F32, which is exact"));
    }
    Ok(Loaded { config, tensors, tokenizer, notes })
}

fn obstacles(config: &GptConfig) -> Vec<(&'static str, String)> {
    let mut all = differences(config, KEEPS);
    if name_of(config.activation).is_none() {
        all.push(("activation", format!("{:?}", config.activation.to_string())));
    }
    all
}

/// Their name of an activation, if they have it.
fn name_of(activation: Activation) -> Option<&'static str> {
    ACTIVATIONS.iter().find(|(_, ours)| *ours == activation).map(|(theirs, _)| *theirs)
}

fn files<'a>(path: &Path, model: Parts<'a>, _: &ModelCard) -> Result<Files<'a>, CheckpointError> {
    let in_json = |error: serde_json::Error| malformed(path, CONFIG, error.to_string());
    let bytes =
        weights(path, model, |views| tensors::encode(&encode(model.config, &tensors::copied(views))))?;
    let generation = json!({ "do_sample": true });
    // Without this AutoTokenizer takes every GPT-2 for one with GPT-2's own tokenizer, and cuts texts into other tokens.
    let tokenizer = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.config.block_size,
        "clean_up_tokenization_spaces": false,
    });
    Ok(vec![
        (CONFIG, Box::new(json::to_bytes(&config_json(model.config)).map_err(in_json)?)),
        (WEIGHTS, Box::new(bytes)),
        (TOKENIZER, Box::new(model.tokenizer.as_bytes())),
        ("tokenizer_config.json", Box::new(json::to_bytes(&tokenizer).map_err(in_json)?)),
        ("generation_config.json", Box::new(json::to_bytes(&generation).map_err(in_json)?)),
    ])
}

/// The `config.json` of a model that nothing stands in the way of.
fn config_json(config: &GptConfig) -> Value {
    let dropout = config.dropout;
    json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": MODEL_TYPE,
        "activation_function": name_of(config.activation),
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_inner": null,
        "n_positions": config.block_size,
        "n_ctx": config.block_size,
        "vocab_size": config.vocab_size,
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": dropout,
        "embd_pdrop": dropout,
        "attn_pdrop": config.attn_dropout.unwrap_or(dropout),
        "tie_word_embeddings": config.tied,
        "bos_token_id": null,
        "eos_token_id": null,
        "torch_dtype": "float32",
    })
}

/// Our weights in their names and order of axes, with biases everywhere.
fn encode(config: &GptConfig, tensors: &Tensors) -> Tensors {
    let mut theirs = Tensors::new();
    for (name, shape) in (GptConfig { bias: true, ..config.clone() }).parameter_shapes() {
        let tensor = match tensors.get(&name) {
            Some(tensor) if is_transposed(&name) => transposed(tensor),
            Some(tensor) => tensor.clone(),
            None => Tensor { data: vec![0.0; shape.iter().product()], shape },
        };
        let is_head = name == "lm_head.weight";
        theirs.insert(if is_head { name } else { format!("{PREFIX}{name}") }, tensor);
    }
    theirs
}
