//! `newleaf export`: a model for Hugging Face's transformers.

use super::print;
use crate::screen::failure::Failure;
use crate::work::model;
use gpt::checkpoint::tensors::from_params;
use gpt::gpt2_dir::save_gpt2_dir;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Write a model as Hugging Face's transformers does, as a GPT-2

  newleaf train --preset nano-cpu --activation gelu_tanh --data my.txt --out my
  newleaf export --model my --out my-gpt2

In Python: transformers.GPT2LMHeadModel.from_pretrained(\"my-gpt2\"). The way back needs no command: sample, eval and the
others take such a directory as a model. Only what GPT-2 has can be written: learned positions, LayerNorm, GELU (or
relu2).";

/// What `newleaf export` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let model = model::load(&args.model)?;
    Failure::if_same(&args.out, &model.path)?;
    save_gpt2_dir(&args.out, &model.gpt.config, &from_params(&model.params), &model.tokenizer)?;
    print(&format!("{}: GPT-2 with {} parameters\n", args.out.display(), model.params.count()))
}
