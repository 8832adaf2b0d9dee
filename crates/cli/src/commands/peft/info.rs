//! `newleaf peft info`: what is in an adapter.

use crate::commands::print;
use crate::screen::failure::Failure;
use gpt::peft::load_adapter;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "What is in an adapter, ours or one of Hugging Face's peft

  newleaf peft info small
  newleaf peft info small --json";

/// What `newleaf peft info` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A directory with adapter_config.json and adapter_model.safetensors
    #[arg(value_name = "DIR")]
    adapter: PathBuf,
    /// One JSON object: {"method": .., "parameters": .., "base": .., "base_sha256": .., "tensors": {name: shape}}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let adapter = load_adapter(&args.adapter)?;
    let parameters: usize = adapter.tensors.values().map(|tensor| tensor.data.len()).sum();
    if args.json {
        let shapes: serde_json::Map<_, _> =
            adapter.tensors.iter().map(|(name, tensor)| (name.clone(), json!(tensor.shape))).collect();
        let facts = json!({
            "method": adapter.method.to_string(), "parameters": parameters, "base": adapter.base_path,
            "base_sha256": adapter.base_sha256, "tensors": shapes,
        });
        return print(&format!("{facts}\n"));
    }
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".to_string());
    let mut text = format!(
        "method: {}\nparameters: {parameters} in {} tensors\nbase: {}\nsha256 of the base: {}\n",
        adapter.method,
        adapter.tensors.len(),
        known(&adapter.base_path),
        known(&adapter.base_sha256)
    );
    for (name, tensor) in &adapter.tensors {
        let _ = writeln!(text, "  {name} {:?}", tensor.shape); // to a String: it cannot fail
    }
    print(&text)
}
