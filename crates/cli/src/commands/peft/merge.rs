//! `newleaf peft merge`: an adapter into the weights of its base.

use crate::commands::print;
use crate::screen::failure::Failure;
use crate::work::model::{load, locate};
use crate::work::output::check_directory;
use gpt::peft::{load_adapter, save_merged};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Put an adapter into the weights of its base: a model like any other

  newleaf peft merge --adapter small --out merged
  newleaf peft merge --adapter small --model my --out merged

Of LoRA, (IA)3 and biases. The base stays as it is; the weights that change are kept beside the new ones, for newleaf peft
unmerge.";

/// What `newleaf peft merge` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory of the adapter
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// Its base [default: where it was when the adapter was trained]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The directory for the merged model
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let adapter = load_adapter(&args.adapter)?;
    let base = args.model.clone().or_else(|| adapter.base_path.as_ref().map(PathBuf::from));
    let base = base.ok_or_else(|| {
        Failure::input(format!("{}: its base is not known: name it with --model", args.adapter.display()))
    })?;
    let base = locate(&base)?;
    check_directory(&args.out, &[&base, &args.adapter])?;
    let changed = save_merged(&args.out, &load(&base)?, &adapter)?;
    print(&format!("{}: {} in the weights, {changed} numbers changed\n", args.out.display(), adapter.method))
}
