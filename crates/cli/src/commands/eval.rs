//! `newleaf eval`: the loss of a model on a text.

use crate::failure::Failure;
use crate::model;
use gpt::{Decoder, Int8Weights};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "The loss of a model on a text

  newleaf eval --model my --data other.txt
  newleaf eval --model my --data my.txt --split val --json
  newleaf eval --model my --data my.txt --split val --int8";

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
    /// The loss with weights in eight bits, as `newleaf sample --int8` reads them
    #[arg(long)]
    int8: bool,
    /// One JSON object: {"loss": .., "bits_per_char": .., "targets": ..}, with --int8 also "f32_loss"
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
    let f32_loss = gpt::train::evaluate(&model.gpt, &model.params, part, 0)?;
    let loss = if args.int8 {
        let int8 = Int8Weights::new(&model.gpt, &model.params);
        Decoder::new(&model.gpt, &model.params).with_int8(&int8).loss(part)
    } else {
        f32_loss
    };
    let (bits, targets) = (loss / std::f64::consts::LN_2, part.len() - 1);
    let text = if args.json {
        let mut fields = json!({ "loss": loss, "bits_per_char": bits, "targets": targets });
        if args.int8 {
            fields["f32_loss"] = f32_loss.into();
        }
        fields.to_string()
    } else {
        let int8 = || format!("; {:+.3} % in perplexity against f32", 100.0 * (loss - f32_loss).exp_m1());
        format!(
            "loss {loss:.4} nats a character, {bits:.4} bits a character, perplexity {:.3}, over {targets} characters{}",
            loss.exp(),
            if args.int8 { int8() } else { String::new() }
        )
    };
    writeln!(std::io::stdout(), "{text}").map_err(|e| Failure::output(&e))?;
    Ok(std::process::ExitCode::SUCCESS)
}
