//! The commands of the program. A command is a file here, with `ABOUT`, `Args` and `run`, and a line in [`COMMANDS`].

use crate::failure::Failure;
use clap::{ArgMatches, Args as _, Command, FromArgMatches};
use std::process::ExitCode;

mod clean;
mod eval;
mod info;
mod leak;
mod sample;
mod train;

/// One command: its arguments, and what it does with them.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) run: fn(&ArgMatches) -> Result<ExitCode, Failure>,
}

/// The entry of a command whose `run` takes its parsed `Args`.
macro_rules! entry {
    ($module:ident) => {
        Entry {
            name: stringify!($module),
            arguments: |command| $module::Args::augment_args(command.about($module::ABOUT)),
            run: |matches| $module::run(&parse(matches)?),
        }
    };
}

/// The commands, in the order of `newleaf --help`.
pub(crate) const COMMANDS: &[Entry] = &[
    Entry {
        name: "train", // has a flag for every setting besides
        arguments: |command| crate::settings::augment(train::Args::augment_args(command.about(train::ABOUT))),
        run: |matches| train::run(&parse(matches)?, matches),
    },
    entry!(sample),
    entry!(eval),
    entry!(info),
    entry!(clean),
    entry!(leak),
];

fn parse<A: FromArgMatches>(matches: &ArgMatches) -> Result<A, Failure> {
    A::from_arg_matches(matches).map_err(|e| Failure::input(e.to_string()))
}
