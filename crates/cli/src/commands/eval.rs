//! `newleaf eval`: the loss of a model on a text.

use super::print;
use crate::failure::Failure;
use crate::model;
use gpt::{Decoder, Int8Weights};
use serde_json::json;
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
    /// One JSON object: {"loss": .., "bits_per_char": .., "bits_per_byte": .., "targets": ..}, with --int8 also
    /// "f32_loss", with a word tokenizer "unknown"
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let model = model::load(&args.model)?;
    let text = data::read_text(&args.data)?;
    let about = |failure: Failure| failure.about(args.data.display());
    let (train, val) = data::train_val_split_text(&text, 0.9).map_err(|e| about(e.into()))?;
    let text = match args.split {
        Split::All => &text[..],
        Split::Train => train,
        Split::Val => val,
    };
    let part = &model.tokenizer.encode(text).map_err(|e| about(e.into()))?[..];
    let f32_loss = gpt::train::evaluate(&model.gpt, &model.params, part, 0).map_err(|e| about(e.into()))?;
    let loss = if args.int8 {
        let int8 = Int8Weights::new(&model.gpt, &model.params);
        Decoder::new(&model.gpt, &model.params).with_int8(&int8).loss(part)
    } else {
        f32_loss
    };
    let bits = loss / std::f64::consts::LN_2 * part.len() as f64;
    let (per_char, per_byte) = (bits / text.chars().count() as f64, bits / text.len() as f64);
    let targets = part.len() - 1;
    let unknown =
        model.tokenizer.unknown_id().map(|unknown| part.iter().filter(|&&id| id == unknown).count());
    let text = if args.json {
        let mut fields = json!({
            "loss": loss, "bits_per_char": per_char, "bits_per_byte": per_byte, "targets": targets
        });
        if let Some(unknown) = unknown {
            fields["unknown"] = unknown.into();
        }
        if args.int8 {
            fields["f32_loss"] = f32_loss.into();
        }
        fields.to_string()
    } else {
        let int8 = || format!("; {:+.3} % in perplexity against f32", 100.0 * (loss - f32_loss).exp_m1());
        let unknown_words = |n: usize| format!("; {n} of them unknown words, which are easy to predict");
        format!(
            "loss {loss:.4} nats a token, {per_char:.4} bits a character, {per_byte:.4} bits a byte, \
             perplexity {:.3}, over {targets} tokens{}{}",
            loss.exp(),
            unknown.filter(|&n| n > 0).map_or(String::new(), unknown_words),
            if args.int8 { int8() } else { String::new() }
        )
    };
    print(&text)
}
