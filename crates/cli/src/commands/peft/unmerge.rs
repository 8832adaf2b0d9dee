//! `newleaf peft unmerge`: the base of a merged model.

use crate::commands::{command_line, print};
use crate::screen::failure::Failure;
use gpt::model_dir::{ModelCard, save_model_dir};
use gpt::peft::load_unmerged;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "The model before an adapter was put into its weights, to the bit

  newleaf peft unmerge --model merged --out base";

/// What `newleaf peft unmerge` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model that newleaf peft merge wrote
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The directory for the model as it was
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let command = command_line()?;
    Failure::if_same(&args.out, &args.model)?;
    let model = load_unmerged(&args.model)?;
    let card = ModelCard { command, ..ModelCard::default() };
    save_model_dir(&args.out, &model.config, &model.tensors, &model.tokenizer, &card)?;
    print(&format!("{}: the model before merging\n", args.out.display()))
}
