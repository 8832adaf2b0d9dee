//! The commands of the program. A command is a file here, with `ABOUT`, `Args` and `run`, and a line in [`COMMANDS`].
//! A command of several is a directory, with `ABOUT` and `SUBCOMMANDS`, which are lines as well.

use clap::Args as _;

mod augment;
mod baseline;
mod chat;
mod classify;
mod clean;
mod drift;
mod entry;
mod eval;
mod export;
mod fewshot;
mod info;
mod leak;
mod ngram;
mod plan;
mod report;
mod sample;
mod score;
mod summarize;
mod synth;
mod train;
mod translate;

pub(crate) use entry::{Entry, parse, print, run_subcommand, with_subcommands};

/// The entry of a command whose `run` takes its parsed `Args`.
macro_rules! entry {
    ($module:ident) => {
        Entry {
            name: stringify!($module),
            arguments: |command| $module::Args::augment_args(command).about($module::ABOUT),
            run: |matches| $module::run(&parse(matches)?),
        }
    };
}

/// The entry of a command that has others below it.
macro_rules! group {
    ($module:ident) => {
        Entry {
            name: stringify!($module),
            arguments: |command| with_subcommands(command.about($module::ABOUT), $module::SUBCOMMANDS),
            run: |matches| run_subcommand($module::SUBCOMMANDS, matches),
        }
    };
}

mod data; // after the macros, which they use
pub(crate) mod embed;
mod finetune;
mod peft;
mod tokenizer;

/// The commands, in the order of `newleaf --help`.
pub(crate) const COMMANDS: &[Entry] = &[
    Entry {
        name: "train", // has a flag for every setting besides
        arguments: |command| crate::settings::augment(train::Args::augment_args(command)).about(train::ABOUT),
        run: |matches| train::run(&parse(matches)?, matches),
    },
    entry!(plan),
    entry!(sample),
    entry!(eval),
    entry!(info),
    entry!(export),
    group!(finetune),
    entry!(classify),
    entry!(fewshot),
    entry!(chat),
    entry!(translate),
    entry!(summarize),
    group!(peft),
    entry!(report),
    entry!(clean),
    entry!(leak),
    group!(data),
    entry!(augment),
    group!(tokenizer),
    entry!(ngram),
    entry!(baseline),
    entry!(drift),
    entry!(score),
    Entry {
        name: "synth",
        // Its old name still works, for scripts; the help does not show it.
        arguments: |command| synth::Args::augment_args(command).about(synth::ABOUT).alias("generate"),
        run: |matches| synth::run(&parse(matches)?),
    },
    group!(embed),
];
