//! Every field of the configuration as a flag, with dashes or underscores: `--n-layer 6` or `--n_layer 6`.

use crate::screen::failure::Failure;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use gpt::config::{Config, FIELDS, Group};

/// The settings that people change most: `-h` shows these, `--help` all.
const USUAL: [&str; 5] = ["n_layer", "n_embd", "block_size", "max_iters", "learning_rate"];

/// Adds a flag for every field.
pub(crate) fn augment(mut command: Command) -> Command {
    for field in FIELDS {
        let dashed = field.name.replace('_', "-");
        let mut arg = Arg::new(field.name)
            .long(dashed.clone())
            .value_name("VALUE")
            .allow_hyphen_values(true)
            .help(field.help)
            .hide_short_help(!USUAL.contains(&field.name))
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

fn names_a_preset(matches: &ArgMatches) -> bool {
    matches.value_source("preset") == Some(ValueSource::CommandLine)
}

/// Whether the command line says what the model is, or how large an update: then a plan has only its length to choose.
pub(crate) fn fixes_the_model(matches: &ArgMatches) -> bool {
    let is_model = |name: &str| FIELDS.iter().any(|field| field.name == name && field.group == Group::Model);
    names_a_preset(matches) || given(matches).iter().any(|(name, _)| is_model(name) || *name == "batch_size")
}

/// Whether the command line says how long a training is, by a preset or a number.
pub(crate) fn fixes_the_length(matches: &ArgMatches) -> bool {
    names_a_preset(matches) || given(matches).iter().any(|(name, _)| *name == "max_iters")
}

/// Applies what the command line sets, and checks the whole. A preset's warm-up and decay are made for its
/// number of iterations: with another `--max-iters` they follow it, unless they are given too.
pub(crate) fn apply(matches: &ArgMatches, config: &mut Config) -> Result<(), Failure> {
    let given = given(matches);
    for (name, value) in &given {
        config.set(name, value)?;
    }
    let is_given = |name: &str| given.iter().any(|(given, _)| *given == name);
    if is_given("max_iters") {
        let train = &mut config.train;
        if !is_given("lr_decay_iters") {
            train.lr_decay_iters = None;
        }
        if !is_given("warmup_iters") {
            train.warmup_iters = train.warmup_iters.min(train.max_iters / 10);
        }
    }
    Ok(config.validate()?)
}
