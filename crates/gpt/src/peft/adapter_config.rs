//! `adapter_config.json`: a method in the words of Hugging Face's `peft`, both ways.

use super::{Method, MethodError};
use crate::config::GptConfig;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `adapter_config.json` as `peft` wants it.
pub(super) fn peft_config(config: &GptConfig, method: &Method) -> Value {
    let virtual_tokens = |kind: &str, tokens: usize| {
        json!({
            "peft_type": kind, "num_virtual_tokens": tokens, "token_dim": config.n_embd, "num_layers": config.n_layer,
            "num_attention_heads": config.n_head, "num_transformer_submodules": 1,
        })
    };
    let mut fields = match method {
        Method::Lora { r, alpha, targets } => {
            let packed = ['q', 'k', 'v'].into_iter().filter(|&letter| targets.has(letter)).count();
            let names = [('o', "attn.c_proj"), ('f', "mlp.c_fc"), ('p', "mlp.c_proj")];
            let names = names.into_iter().filter(|(letter, _)| targets.has(*letter)).map(|(_, name)| name);
            let attn = (packed > 0 || targets.has('a')).then_some("attn.c_attn");
            let mut fields = json!({
                "peft_type": "LORA", "r": r, "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none",
                "fan_in_fan_out": true, "target_modules": attn.into_iter().chain(names).collect::<Vec<_>>(),
            });
            if packed > 1 {
                // alpha / r is the same for all
                fields["rank_pattern"] = json!({ "attn.c_attn": packed * r });
                fields["alpha_pattern"] = json!({ "attn.c_attn": packed as f32 * alpha });
            }
            fields
        }
        Method::Ia3 => json!({
            "peft_type": "IA3", "fan_in_fan_out": true, "target_modules": ["attn.c_attn", "mlp.c_proj"],
            "feedforward_modules": ["mlp.c_proj"],
        }),
        Method::Prefix { tokens } => {
            let mut fields = virtual_tokens("PREFIX_TUNING", *tokens);
            fields["prefix_projection"] = false.into();
            fields["encoder_hidden_size"] = config.n_embd.into();
            fields
        }
        Method::Prompt { tokens } => virtual_tokens("PROMPT_TUNING", *tokens),
        Method::Adapter { .. } => json!({ "peft_type": "NEWLEAF_ADAPTER" }),
        Method::Bitfit | Method::Full | Method::Head => json!({ "peft_type": "NEWLEAF_BITFIT" }),
    };
    fields["task_type"] = "CAUSAL_LM".into();
    fields["inference_mode"] = true.into();
    fields
}

/// The method in an `adapter_config.json`.
pub(super) fn method_of(config: &Map<String, Value>) -> Result<Method, String> {
    if let Some(ours) = config.get("newleaf").and_then(|ours| ours["method"].as_str()) {
        return ours.parse().map_err(|error: MethodError| error.to_string());
    }
    let tokens = || {
        let tokens = config.get("num_virtual_tokens").and_then(Value::as_u64);
        let tokens = tokens.filter(|tokens| (1..=4096).contains(tokens));
        tokens.map(|tokens| tokens as usize).ok_or("num_virtual_tokens: expected a number from 1 to 4096")
    };
    let flag = |name: &str| config.get(name) == Some(&Value::Bool(true));
    refuse_more(config)?;
    match config.get("peft_type").and_then(Value::as_str) {
        Some("LORA") => lora_of(config),
        Some("IA3") => Ok(Method::Ia3),
        Some("PREFIX_TUNING") if flag("prefix_projection") => {
            Err("prefix_projection: only false is known here".into())
        }
        Some("PREFIX_TUNING") => Ok(Method::Prefix { tokens: tokens()? }),
        Some("PROMPT_TUNING") => Ok(Method::Prompt { tokens: tokens()? }),
        other => {
            let found = other.unwrap_or("none");
            Err(format!("peft_type: expected LORA, IA3, PREFIX_TUNING or PROMPT_TUNING, found {found}"))
        }
    }
}

/// Refuses adapters that hold more than changes of a language model.
fn refuse_more(config: &Map<String, Value>) -> Result<(), String> {
    let names = config.get("modules_to_save").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    let task = config.get("task_type").and_then(Value::as_str);
    if let Some(task) = task.filter(|task| !["CAUSAL_LM", "FEATURE_EXTRACTION"].contains(task)) {
        let head = if names.is_empty() { String::new() } else { format!(" with {}", names.join(", ")) };
        return Err(format!(
            "task_type {task}: an adapter of another task{head}, expected one of a language model, CAUSAL_LM"
        ));
    }
    if !names.is_empty() {
        let names = names.join(", ");
        return Err(format!(
            "modules_to_save: {names} are whole layers beside the adapter, which only adapters without are read"
        ));
    }
    Ok(())
}

fn lora_of(config: &Map<String, Value>) -> Result<Method, String> {
    for name in ["use_dora", "use_rslora", "lora_bias", "use_qalora"] {
        if config.get(name) == Some(&Value::Bool(true)) {
            return Err(format!("{name}: only false is known here"));
        }
    }
    for name in ["rank_pattern", "alpha_pattern"] {
        if config.get(name).and_then(Value::as_object).is_some_and(|pattern| !pattern.is_empty()) {
            return Err(format!("{name}: one rank for all layers is known here"));
        }
    }
    if !matches!(config.get("bias").and_then(Value::as_str), None | Some("none")) {
        return Err("bias: only \"none\" is known here".into());
    }
    let rank = config.get("r").and_then(Value::as_u64).filter(|r| (1..=4096).contains(r));
    let alpha = config.get("lora_alpha").and_then(Value::as_f64).filter(|alpha| *alpha > 0.0);
    let (Some(r), Some(alpha)) = (rank, alpha) else {
        return Err("r and lora_alpha: expected a rank from 1 to 4096 and a number above 0".into());
    };
    let names =
        config.get("target_modules").and_then(Value::as_array).ok_or("target_modules: expected a list")?;
    let mut letters = String::new();
    for name in in_every_layer(names.iter().filter_map(Value::as_str))? {
        letters += match name {
            "c_attn" | "attn.c_attn" => "a",
            "attn.c_proj" => "o",
            "c_fc" | "mlp.c_fc" => "f",
            "mlp.c_proj" => "p",
            "c_proj" => "op",
            other => return Err(format!("target_modules: {other:?} is no linear layer of a GPT-2 block")),
        };
    }
    let targets = letters.parse().map_err(|error: MethodError| error.to_string())?;
    Ok(Method::Lora { r: r as usize, alpha: alpha as f32, targets })
}

/// Names of layers without `transformer.h.N.`, which `peft` keeps where a model has few layers, if every layer has the same.
fn in_every_layer<'a>(names: impl Iterator<Item = &'a str>) -> Result<BTreeSet<&'a str>, String> {
    let (mut everywhere, mut layers) = (BTreeSet::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    for name in names {
        match name.strip_prefix("transformer.h.").and_then(|rest| rest.split_once('.')) {
            Some((layer, name)) => drop(layers.entry(layer).or_default().insert(name)),
            None => drop(everywhere.insert(name)),
        }
    }
    let mut sets = layers.iter();
    if let Some((first, targets)) = sets.next() {
        if let Some((other, _)) = sets.find(|(_, set)| *set != targets) {
            return Err(format!(
                "target_modules: the layers {first} and {other} have others, expected the same in all"
            ));
        }
        everywhere.extend(targets);
    }
    Ok(everywhere)
}
