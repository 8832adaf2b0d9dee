//! What a command is to the program, and how commands find each other and print.

use crate::failure::Failure;
use clap::{ArgMatches, Command, FromArgMatches};
use std::io::Write;
use std::process::ExitCode;

/// One command: its arguments, and what it does with them.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) run: fn(&ArgMatches) -> Result<ExitCode, Failure>,
}

/// A command with others below it.
pub(crate) fn with_subcommands(command: Command, entries: &[Entry]) -> Command {
    let subcommands = entries.iter().map(|entry| (entry.arguments)(Command::new(entry.name)));
    command.subcommand_required(true).arg_required_else_help(true).subcommands(subcommands)
}

/// Runs the one that was named.
pub(crate) fn run_subcommand(entries: &[Entry], matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires one");
    let entry = entries.iter().find(|entry| entry.name == name).expect("clap knows no others");
    (entry.run)(matches)
}

/// The result of a command on stdout; the end of its last line is added if it lacks one.
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut out = std::io::stdout().lock();
    write!(out, "{text}{end}").map_err(|e| Failure::output(&e))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn parse<A: FromArgMatches>(matches: &ArgMatches) -> Result<A, Failure> {
    A::from_arg_matches(matches).map_err(|e| Failure::input(e.to_string()))
}
