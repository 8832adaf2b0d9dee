//! `newleaf tokenizer`: make a tokenizer, and use it on its own. A subcommand is a file here, with `ABOUT`,
//! `Args` and `run`, and a line in [`SUBCOMMANDS`].

use super::{Entry, parse};
use crate::failure::Failure;
use clap::{ArgMatches, Args as _, Command};
use std::process::ExitCode;

mod decode;
mod encode;
mod segment;
mod train;

const ABOUT: &str = "Make a tokenizer, and use it on its own

  newleaf tokenizer train --kind bpe --vocab-size 2000 --data my.txt --out tok
  newleaf tokenizer encode --tokenizer tok < some.txt > ids
  newleaf tokenizer decode --tokenizer tok < ids
  newleaf tokenizer segment < chinese.txt > words.txt
  newleaf train --data my.txt --tokenizer tok";

/// The subcommands, in the order of `newleaf tokenizer --help`.
const SUBCOMMANDS: &[Entry] = &[entry!(train), entry!(encode), entry!(decode), entry!(segment)];

pub(super) fn arguments(command: Command) -> Command {
    command
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(SUBCOMMANDS.iter().map(|entry| (entry.arguments)(Command::new(entry.name))))
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let entry = SUBCOMMANDS.iter().find(|entry| entry.name == name).expect("clap knows no others");
    (entry.run)(matches)
}
