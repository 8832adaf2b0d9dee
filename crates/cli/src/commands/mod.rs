//! The commands of the program. A command is a file here, with `ABOUT`, `Args` and `run`, and a line of `commands!`. A
//! command of several is a directory, with `ABOUT` and a list of its own.

mod entry;

pub(crate) use entry::{Entry, command_line, parse, print, run_subcommand, with_subcommands};

/// Declares the modules of commands, and lists them in `COMMANDS` in this order, which is that of `--help`. A line is the
/// name of a module; `: group` is a directory with commands of its own, `: settings` a command that has a flag for every
/// setting besides, whose `run` takes all matches, and `: renamed` one whose `OLD_NAME` still works, for scripts; the help
/// does not show it.
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
    (@entry $module:ident renamed) => {
        $crate::commands::Entry {
            name: stringify!($module),
            arguments: |command| {
                let command = <$module::Args as clap::Args>::augment_args(command);
                command.about($module::ABOUT).alias($module::OLD_NAME)
            },
            run: |matches| $module::run(&$crate::commands::parse(matches)?),
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
    synth: renamed,
    embed: group,
}
