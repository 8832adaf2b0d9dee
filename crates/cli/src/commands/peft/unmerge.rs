//! `newleaf peft unmerge`: the base of a merged model.

use crate::commands::{command_line, print};
use crate::screen::failure::Failure;
use crate::work::output::check_directory;
use gpt::ModelCard;
use gpt::formats::NEWLEAF;
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
    check_directory(&args.out, &[&args.model])?;
    let model = load_unmerged(&args.model)?;
    let card = ModelCard { command, ..ModelCard::default() };
    model.save(&args.out, &NEWLEAF, &card)?;
    print(&format!("{}: the model before merging\n", args.out.display()))
}
