//! What a command is to the program, and how commands find each other and print.

use crate::screen::failure::Failure;
use clap::{ArgMatches, Command, FromArgMatches};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// One command: its arguments, and what it does with them.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// The group of commands to which it belongs in the overview; empty below another command.
    pub(crate) heading: &'static str,
    /// What it does in a line, then examples (indented lines) and paragraphs.
    pub(crate) about: &'static str,
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) run: fn(&ArgMatches) -> Result<ExitCode, Failure>,
}

impl Entry {
    /// What the command does, in a line.
    fn summary(&self) -> &'static str {
        self.about.lines().next().unwrap_or_default()
    }

    fn command(&self) -> Command {
        // -h has the line alone, --help the examples too.
        (self.arguments)(Command::new(self.name)).about(self.summary()).long_about(flowing(self.about))
    }
}

/// The text with its paragraphs as lines of their own, which are wrapped where the terminal ends: lines of the source are
/// joined but for examples, which are indented.
fn flowing(about: &str) -> String {
    let mut text = String::new();
    let mut before = "";
    for line in about.lines() {
        let continues = !line.is_empty()
            && !before.is_empty()
            && ![line, before].iter().any(|line| line.starts_with(' '));
        text += if text.is_empty() {
            ""
        } else if continues {
            " "
        } else {
            "\n"
        };
        text += line;
        before = line;
    }
    text
}

/// All commands on one screen, in groups.
pub(crate) fn overview(entries: &[Entry]) -> String {
    let mut text = String::new();
    for group in entries.chunk_by(|a, b| a.heading == b.heading) {
        for (i, entry) in group.iter().enumerate() {
            let heading = if i == 0 { group[0].heading } else { "" };
            text += &format!("{heading:11}{:11}{}\n", entry.name, entry.summary());
        }
    }
    text
}

/// A command with others below it.
pub(crate) fn with_subcommands(command: Command, entries: &[Entry]) -> Command {
    let subcommands = entries.iter().map(Entry::command);
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
