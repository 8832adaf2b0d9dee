//! `newleaf eval`: the loss of a model on a text.

use crate::failure::Failure;
use crate::model;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "The loss of a model on a text

  newleaf eval --model my --data other.txt
  newleaf eval --model my --data my.txt --split val --json";

/// Which part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Split {
    /// All of it
    All,
    /// The first 90 %, as `newleaf train` divides it
    Train,
    /// The last 10 %
    Val,
}

/// What `newleaf eval` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run (its best model is used)
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The part of the text
    #[arg(long, value_name = "PART", default_value = "all")]
    split: Split,
    /// One JSON object: {"loss": .., "bits_per_char": .., "targets": ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let model = model::load(&args.model)?;
    let ids = model.tokenizer.encode(&data::read_text(&args.data)?)?;
    let (train, val) = data::train_val_split(&ids, 0.9)?;
    let part = match args.split {
        Split::All => &ids[..],
        Split::Train => train,
        Split::Val => val,
    };
    let loss = gpt::train::evaluate(&model.gpt, &model.params, part, 0)?;
    let (bits, targets) = (loss / std::f64::consts::LN_2, part.len() - 1);
    let text = if args.json {
        json!({ "loss": loss, "bits_per_char": bits, "targets": targets }).to_string()
    } else {
        format!(
            "loss {loss:.4} nats a character, {bits:.4} bits a character, perplexity {:.3}, over {targets} characters",
            loss.exp()
        )
    };
    writeln!(std::io::stdout(), "{text}").map_err(|e| Failure::output(&e))?;
    Ok(std::process::ExitCode::SUCCESS)
}
