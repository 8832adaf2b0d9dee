//! `newleaf data`: public files, splits, and token files.

use crate::failure::Failure;
use std::process::ExitCode;

mod fetch;
mod list;
mod pack;
mod split;
mod verify;

pub(crate) const ABOUT: &str = "Public files, splits by document, and tokens larger than memory

  newleaf data list                                     what can be downloaded, and under which licence
  newleaf data fetch tinyshakespeare                    to downloads/, checked by SHA-256
  newleaf data split --in all.txt --by doc --out parts  parts/train.txt, val.txt and test.txt
  newleaf data pack --in parts/train.txt --out train.bin
  newleaf train --data train.bin --out my               trains without loading it whole";

/// What `newleaf data` takes.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    #[command(about = list::ABOUT)]
    List(list::Args),
    #[command(about = fetch::ABOUT)]
    Fetch(fetch::Args),
    #[command(about = verify::ABOUT)]
    Verify(verify::Args),
    #[command(about = split::ABOUT)]
    Split(split::Args),
    #[command(about = pack::ABOUT)]
    Pack(pack::Args),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::List(args) => list::run(args),
        Action::Fetch(args) => fetch::run(args),
        Action::Verify(args) => verify::run(args),
        Action::Split(args) => split::run(args),
        Action::Pack(args) => pack::run(args),
    }
}

/// One line, or more, on stdout.
fn print(text: &str) -> Result<ExitCode, Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").map_err(|e| Failure::output(&e))?;
    Ok(ExitCode::SUCCESS)
}
