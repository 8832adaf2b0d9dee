//! `newleaf eval`: the loss of a model on a text.

use super::print;
use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use data::DataError;
use data::dataset::{CompactIds, TokenSource};
use data::objective::{Corruptor, Objective, Vocabulary};
use gpt::Decoder;
use gpt::train::evaluate_objective;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "Measure the loss of a model on a text

  newleaf eval --model my --data other.txt
  newleaf eval --model my --data my.txt --split val --json
  newleaf eval --model my --data my.txt --split val --int8
  newleaf eval --model my --data my.txt --split val --objective mix=clm:.5,mlm:.25,span:.25";

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
    /// The text: plain, rows with a text column, or a token file
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// The part of the text
    #[arg(long, value_name = "PART", default_value = "all")]
    split: Split,
    /// What is asked of the model, as newleaf train --objective has it: clm, mlm, span, ... or a mixture. Its numbers
    /// (mask_rate, span_mean, ...) are those of the run that the model lies in, or else the usual ones [default: clm]
    #[arg(long, value_name = "NAME")]
    objective: Option<Objective>,
    /// The loss with weights in eight bits, as `newleaf sample --int8` reads them
    #[arg(long)]
    int8: bool,
    /// One JSON object: {"loss": .., "bits_per_char": .., "bits_per_byte": .., "targets": ..}, with --int8 also
    /// "f32_loss", with a word tokenizer "unknown". With --objective "loss" is the mean of "loss_mlm" and so on by their
    /// shares, and the bits are those of clm if it is among them
    #[arg(long)]
    json: bool,
}

/// What is measured: a text and its tokens.
struct Part<'a> {
    text: &'a str,
    ids: CompactIds,
}

impl Part<'_> {
    /// A loss of `clm`, in nats a token, as bits a character and bits a byte.
    fn bits(&self, loss: f64) -> (f64, f64) {
        let bits = loss / std::f64::consts::LN_2 * self.ids.len() as f64;
        (bits / self.text.chars().count() as f64, bits / self.text.len() as f64)
    }
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let other = args.objective.as_ref().filter(|objective| !objective.is_clm());
    if let Some(objective) = other.filter(|_| args.int8) {
        return Err(Failure::input(format!(
            "--int8 with --objective {objective}: weights in eight bits are for writing, and only clm is measured with \
             them\n  leave out --int8 or --objective"
        )));
    }
    let model = model::load(&args.model)?;
    let text = args.read.text(&args.data)?;
    let about = |failure: Failure| failure.about(args.data.display());
    let (train, val) = data::train_val_split_text(&text, 0.9).map_err(|e| about(e.into()))?;
    let text = match args.split {
        Split::All => &text[..],
        Split::Train => train,
        Split::Val => val,
    };
    let ids = CompactIds::encode(&model.tokenizer, text).map_err(|e| about(e.into()))?;
    let part = Part { text, ids };
    let answer = match other {
        None => clm(args, &model, &part)?,
        Some(objective) => {
            let corruptor = corruptor(objective, &model)?;
            let losses = losses(&model, &corruptor, &part).map_err(|e| about(e.into()))?;
            if losses.iter().any(|(.., loss)| !loss.is_finite()) {
                return Err(model::without_numbers(&args.model));
            }
            of_objectives(args, &losses, &part)
        }
    };
    print(&answer)
}

/// The loss of going on with the text.
fn clm(args: &Args, model: &Model, part: &Part<'_>) -> Result<String, Failure> {
    let ids = &part.ids;
    let f32_loss = gpt::train::evaluate(&model.gpt, &model.params, ids, 0)
        .map_err(|e| Failure::from(e).about(args.data.display()))?;
    let loss = if args.int8 {
        let mut params = model.params.clone();
        model.gpt.round_to_int8(&mut params);
        let mut all = vec![0; ids.len()];
        ids.read(0, &mut all)?;
        Decoder::new(&model.gpt, &params).loss(&all)
    } else {
        f32_loss
    };
    if !loss.is_finite() {
        return Err(model::without_numbers(&args.model));
    }
    let (per_char, per_byte) = part.bits(loss);
    let targets = ids.len() - 1;
    let unknown = model.tokenizer.unknown_id().map(|unknown| ids.count(unknown));
    if args.json {
        let mut fields = json!({
            "loss": loss, "bits_per_char": per_char, "bits_per_byte": per_byte, "targets": targets
        });
        if args.objective.is_some() {
            fields["loss_clm"] = loss.into();
        }
        if let Some(unknown) = unknown {
            fields["unknown"] = unknown.into();
        }
        if args.int8 {
            fields["f32_loss"] = f32_loss.into();
        }
        return Ok(fields.to_string());
    }
    let int8 = || format!("; {:+.3} % in perplexity against f32", 100.0 * (loss - f32_loss).exp_m1());
    let unknown_words = |n: usize| format!("; {n} of them unknown words, which are easy to predict");
    Ok(format!(
        "loss {loss:.4} nats a token, {per_char:.4} bits a character, {per_byte:.4} bits a byte, \
         perplexity {:.3}, over {targets} tokens{}{}",
        loss.exp(),
        unknown.filter(|&n| n > 0).map_or(String::new(), unknown_words),
        if args.int8 { int8() } else { String::new() }
    ))
}

/// The objective with the numbers that the model was trained with, where they are known: not the weights know them,
/// but the run that they lie in.
fn corruptor(objective: &Objective, model: &Model) -> Result<Corruptor, Failure> {
    let settings = model::run_of(model)?.map(|info| info.config.train.objective_settings());
    if settings.is_none() {
        let path = model.path.display();
        eprintln!("note: {path} is not in the directory of its run: the objective has its usual numbers");
    }
    let settings = settings.unwrap_or_default();
    let (vocabulary, block_size) = (Vocabulary::of(&model.tokenizer), model.gpt.config.block_size);
    let mut missing = objective.specials(&settings, block_size);
    missing.retain(|name| vocabulary.special(name).is_err());
    if let [first, others @ ..] = &missing[..] {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        return Err(Failure::from(DataError::Malformed {
            what: model.path.join("tokenizer.json").display().to_string(),
            place: String::new(),
            found: format!("no {first}{more}"),
            expected: format!("the special tokens of --objective {objective}"),
            remedy: format!(
                "measure what the model was trained on, or clm; a model with these tokens is made by newleaf train \
                 --objective {objective}"
            ),
        }));
    }
    Ok(objective.resolve(&settings, &vocabulary, block_size)?)
}

/// The loss of each part of a mixture, with its share. A text is one document, so none has to be kept apart.
fn losses(
    model: &Model,
    corruptor: &Corruptor,
    part: &Part<'_>,
) -> Result<Vec<(&'static str, f64, f64)>, DataError> {
    let parts = corruptor.objective().parts().enumerate();
    let losses = parts.map(|(number, (name, share))| {
        let task = (corruptor, number, false);
        Ok((name, share, evaluate_objective(&model.gpt, &model.params, task, &part.ids, 0)?))
    });
    losses.collect()
}

/// The answer for other objectives than `clm` alone.
fn of_objectives(args: &Args, losses: &[(&str, f64, f64)], part: &Part<'_>) -> String {
    let mean: f64 = losses.iter().map(|(_, share, loss)| share * loss).sum();
    let bits = |name: &str, loss: f64| (name == "clm").then(|| part.bits(loss));
    if args.json {
        let mut fields = Map::from_iter([("loss".to_string(), Value::from(mean))]);
        for &(name, _, loss) in losses {
            fields.insert(format!("loss_{name}"), loss.into());
            if let Some((per_char, per_byte)) = bits(name, loss) {
                fields.insert("bits_per_char".into(), per_char.into());
                fields.insert("bits_per_byte".into(), per_byte.into());
            }
        }
        return Value::from(fields).to_string();
    }
    let mut lines: Vec<String> = Vec::new();
    for &(name, _, loss) in losses {
        let bits = bits(name, loss).map_or(String::new(), |(per_char, per_byte)| {
            format!(", {per_char:.4} bits a character, {per_byte:.4} bits a byte")
        });
        lines.push(format!("{name}: loss {loss:.4} nats a token that is asked for{bits}"));
    }
    if losses.len() > 1 {
        lines.push(format!("mean by their shares: {mean:.4}"));
    }
    lines.join("\n")
}
