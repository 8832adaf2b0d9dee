//! `newleaf info`: this machine, and what is in a model.

use super::print;
use crate::screen::failure::Failure;
use crate::work::model;
use data::Tokenizer;
use gpt::config::GptConfig;
use serde_json::{Value, json};
use std::path::PathBuf;
use tensor::kernels::simd::Path as Simd;

pub(crate) const ABOUT: &str = "Show this machine, or what is in a model

  newleaf info
  newleaf info my --json";

/// What `newleaf info` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run
    #[arg(value_name = "DIR")]
    model: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "simd": Simd::current().name(),
        "threads": rayon::current_num_threads(),
        "optimized": !cfg!(debug_assertions),
    });
    if let Some(path) = &args.model {
        let model = model::load(path)?;
        facts["model"] = json!({
            "path": model.path.display().to_string(),
            "parameters": model.params.count(),
            "config": values(&model.gpt.config),
            "tokenizer": { "kind": model.tokenizer.kind(), "vocab_size": model.tokenizer.vocab_size() },
        });
        if let Tokenizer::Char(tokenizer) = &model.tokenizer {
            facts["model"]["characters"] = tokenizer.chars().iter().collect::<String>().into();
        }
    }
    let text = if args.json { facts.to_string() } else { lines(&facts, "") };
    print(&text)
}

/// The settings as they are written: 0.1, and not the nearest number of 64 bits to that of 32.
fn values(config: &GptConfig) -> Value {
    let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    config.values().into_iter().map(|(name, text)| (name.to_string(), value(text))).collect()
}

/// A JSON object as indented lines.
fn lines(value: &Value, indent: &str) -> String {
    let Value::Object(map) = value else { return String::new() };
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{indent}{name}:\n{}", lines(value, &format!("{indent}  "))),
        Value::String(text) => format!("{indent}{name}: {}\n", text.escape_debug()),
        other => format!("{indent}{name}: {other}\n"),
    };
    map.iter().map(line).collect()
}
