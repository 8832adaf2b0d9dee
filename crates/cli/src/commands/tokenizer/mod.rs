//! `newleaf tokenizer`: its subcommands. Each is a file here, with `ABOUT`, `Args` and `run`, and a line in
//! [`SUBCOMMANDS`].

use super::{Entry, parse};
use crate::failure::Failure;
use clap::{ArgMatches, Args as _, Command};
use std::process::ExitCode;

mod segment;

const ABOUT: &str = "From text to tokens

  newleaf tokenizer segment --help";

/// The subcommands, in the order of `newleaf tokenizer --help`.
const SUBCOMMANDS: &[Entry] = &[Entry {
    name: "segment",
    arguments: |command| segment::Args::augment_args(command).about(segment::ABOUT),
    run: |matches| segment::run(&parse(matches)?),
}];

/// The command with its subcommands.
pub(crate) fn arguments(command: Command) -> Command {
    let subcommands = SUBCOMMANDS.iter().map(|entry| (entry.arguments)(Command::new(entry.name)));
    command.about(ABOUT).subcommand_required(true).arg_required_else_help(true).subcommands(subcommands)
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let entry = SUBCOMMANDS.iter().find(|entry| entry.name == name).expect("clap knows no others");
    (entry.run)(matches)
}
