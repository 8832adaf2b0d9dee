//! `newleaf export`: a model in another format, such as Hugging Face's.

use super::print;
use crate::screen::failure::Failure;
use crate::work::model;
use crate::work::output::check_directory;
use gpt::ModelCard;
use gpt::formats::{FORMATS, format_named};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Write a model as a GPT-2 for Hugging Face's transformers

  newleaf train --preset nano-cpu --activation gelu_tanh --data my.txt --out my
  newleaf export --model my --out my-gpt2

In Python: transformers.GPT2LMHeadModel.from_pretrained(\"my-gpt2\"). The way back needs no command: sample, eval and the
others take such a directory as a model. Only what GPT-2 has can be written: learned positions, LayerNorm, GELU (or
relu2). With --format newleaf such a directory becomes one of newleaf's own, with manifest and card.";

/// What `newleaf export` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "gpt2", value_parser = FORMATS.iter().map(|format| format.name).collect::<Vec<_>>())]
    format: String,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let model = model::load(&args.model)?;
    check_directory(&args.out, &[&model.path])?;
    let format = format_named(&args.format).expect("clap knows the names");
    let card = ModelCard { data: model.path.display().to_string(), ..ModelCard::default() };
    model.save(&args.out, format, &card)?;
    print(&format!("{}: {} with {} parameters\n", args.out.display(), format.title, model.params.count()))
}
