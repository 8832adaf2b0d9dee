//! Every field of the configuration as a flag, with dashes or underscores: `--n-layer 6` or `--n_layer 6`.

use crate::failure::Failure;
use clap::{Arg, ArgMatches, Command};
use gpt::config::{Config, FIELDS, Group};

/// Adds a flag for every field.
pub(crate) fn augment(mut command: Command) -> Command {
    for field in &FIELDS {
        let dashed = field.name.replace('_', "-");
        let mut arg = Arg::new(field.name)
            .long(dashed.clone())
            .value_name("VALUE")
            .allow_hyphen_values(true)
            .help(field.help)
            .help_heading(match field.group {
                Group::Model => "The model",
                Group::Train => "The training",
            });
        if dashed != field.name {
            arg = arg.alias(field.name);
        }
        command = command.arg(arg);
    }
    command
}

/// The fields that the command line sets, in the order of [`FIELDS`].
pub(crate) fn given(matches: &ArgMatches) -> Vec<(&'static str, &String)> {
    FIELDS.iter().filter_map(|field| Some((field.name, matches.get_one::<String>(field.name)?))).collect()
}

/// Applies what the command line sets, and checks the whole.
pub(crate) fn apply(matches: &ArgMatches, config: &mut Config) -> Result<(), Failure> {
    for (name, value) in given(matches) {
        config.set(name, value)?;
    }
    Ok(config.validate()?)
}
