//! What a command is to the program, and how commands find each other and print.

use crate::screen::failure::Failure;
use clap::{ArgMatches, Command, FromArgMatches};
use std::ffi::OsString;
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

/// The command line, for the record of what it made. Records are text: an argument that is not UTF-8 is refused, so
/// commands that keep a record call this before any work.
pub(crate) fn command_line() -> Result<Vec<String>, Failure> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
    let text = |argument: OsString| {
        argument.into_string().map_err(|argument| {
            Failure::input(format!(
                "{argument:?} is not UTF-8, expected UTF-8: this command records its command line as text\n  rename the \
                 file or directory"
            ))
        })
    };
    std::iter::once(Ok(program)).chain(arguments.map(text)).collect()
}
