//! The commands of the program. A command is a file here, with `ABOUT`, `Args` and `run`, and a line of `commands!`. A
//! command of several is a directory, with `ABOUT` and a list of its own.

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

/// Declares the modules of commands, and lists them in `COMMANDS` in this order, which is that of `--help`. A line is the
/// name of a module; `: group` is a directory with commands of its own, and `: settings` a command that has a flag for
/// every setting besides, whose `run` takes all matches.
macro_rules! commands {
    ($($module:ident $(: $kind:ident)?,)*) => {
        $(pub(crate) mod $module;)*

        /// The commands, in the order of `--help`.
        pub(crate) const COMMANDS: &[$crate::commands::Entry] = &[$(commands!(@entry $module $($kind)?)),*];
    };
    (@entry $module:ident) => {
        $crate::commands::Entry {
            name: stringify!($module),
            arguments: |command| <$module::Args as clap::Args>::augment_args(command).about($module::ABOUT),
            run: |matches| $module::run(&$crate::commands::parse(matches)?),
        }
    };
    (@entry $module:ident group) => {
        $crate::commands::Entry {
            name: stringify!($module),
            arguments: |command| {
                $crate::commands::with_subcommands(command.about($module::ABOUT), $module::COMMANDS)
            },
            run: |matches| $crate::commands::run_subcommand($module::COMMANDS, matches),
        }
    };
    (@entry $module:ident settings) => {
        $crate::commands::Entry {
            name: stringify!($module),
            arguments: |command| {
                let command = <$module::Args as clap::Args>::augment_args(command);
                $crate::flags::settings::augment(command).about($module::ABOUT)
            },
            run: |matches| $module::run(&$crate::commands::parse(matches)?, matches),
        }
    };
}

commands! {
    train: settings,
    plan,
    sample,
    eval,
    info,
    export,
    finetune: group,
    classify,
    fewshot,
    chat,
    translate,
    summarize,
    peft: group,
    report,
    clean,
    leak,
    data: group,
    augment,
    tokenizer: group,
    ngram,
    baseline,
    drift,
    score,
    generate,
    embed: group,
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

fn parse<A: FromArgMatches>(matches: &ArgMatches) -> Result<A, Failure> {
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
