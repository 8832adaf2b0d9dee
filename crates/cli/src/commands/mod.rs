//! The commands of the program. A command is a file here, with `ABOUT`, `Args` and `run`, and a line of `commands!`. A
//! command of several is a directory, with `ABOUT` and a list of its own.

mod entry;

pub(crate) use entry::{Entry, command_line, overview, parse, print, run_subcommand, with_subcommands};

/// Declares the modules of commands, and lists them in `COMMANDS` in this order, which is that of the help, under
/// headings if there are any. A line is the name of a module; `: group` is a directory with commands of its own,
/// `: settings` a command that has a flag for every setting besides, whose `run` takes all matches, and `: renamed` one
/// whose `OLD_NAME` still works, for scripts; the help does not show it.
macro_rules! commands {
    ($($module:ident $(: $kind:ident)?,)*) => {
        commands! { "" { $($module $(: $kind)?,)* } }
    };
    ($($heading:literal { $($module:ident $(: $kind:ident)?,)* })*) => {
        $($(pub(crate) mod $module;)*)*

        /// The commands, in the order of the help.
        pub(crate) const COMMANDS: &[$crate::commands::Entry] =
            &[$($(commands!(@entry $heading $module $($kind)?)),*),*];
    };
    (@entry $heading:literal $module:ident) => {
        $crate::commands::Entry {
            name: stringify!($module),
            heading: $heading,
            about: $module::ABOUT,
            arguments: |command| <$module::Args as clap::Args>::augment_args(command),
            run: |matches| $module::run(&$crate::commands::parse(matches)?),
        }
    };
    (@entry $heading:literal $module:ident group) => {
        $crate::commands::Entry {
            name: stringify!($module),
            heading: $heading,
            about: $module::ABOUT,
            arguments: |command| $crate::commands::with_subcommands(command, $module::COMMANDS),
            run: |matches| $crate::commands::run_subcommand($module::COMMANDS, matches),
        }
    };
    (@entry $heading:literal $module:ident renamed) => {
        $crate::commands::Entry {
            name: stringify!($module),
            heading: $heading,
            about: $module::ABOUT,
            arguments: |command| <$module::Args as clap::Args>::augment_args(command).alias($module::OLD_NAME),
            run: |matches| $module::run(&$crate::commands::parse(matches)?),
        }
    };
    (@entry $heading:literal $module:ident settings) => {
        $crate::commands::Entry {
            name: stringify!($module),
            heading: $heading,
            about: $module::ABOUT,
            arguments: |command| {
                $crate::flags::settings::augment(<$module::Args as clap::Args>::augment_args(command))
            },
            run: |matches| $module::run(&$crate::commands::parse(matches)?, matches),
        }
    };
}

commands! {
    "Train" {
        train: settings,
        plan,
        runs,
        report,
        info,
    }
    "Generate" {
        sample,
        chat,
        translate,
        summarize,
    }
    "Fine-tune" {
        finetune: group,
        classify,
        fewshot,
        peft: group,
    }
    "Data" {
        clean,
        data: group,
        augment,
        leak,
        tokenizer: group,
        synth: renamed,
    }
    "Measure" {
        eval,
        ngram,
        baseline,
        score,
        drift,
    }
    "Tools" {
        embed: group,
        export,
    }
}
