//! `newleaf train --resume`: a run goes on from its latest checkpoint.

use super::args::{Args, arguments};
use super::session::Session;
use crate::screen::failure::Failure;
use crate::work::checks::check_length;
use crate::work::corpus::{Corpus, Files};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use data::Tokenizer;
use gpt::config::{Config, FIELDS, Schedule};
use gpt::peft::Method;
use gpt::run_dir::{RunDir, RunInfo};
use gpt::train::{Checkpoint, History, TimeLimit, Trainer};

/// Flags that are not of the run but of this session; and the files, which are known by their contents.
const FREE: [&str; 10] = [
    "out",
    "resume",
    "json",
    "sample_length",
    "sample_interval",
    "stop_words",
    "threads",
    "help",
    "data",
    "val",
];

impl Session {
    /// A run that goes on.
    pub(super) fn resume(args: &Args, matches: &ArgMatches) -> Result<Self, Failure> {
        let mut dir = RunDir::open_for_resume(args.out.as_deref().expect("clap requires it"))?;
        let info = dir.read_info()?;
        let restored = History::open(&dir.checkpoints(), info.config.train.keep_checkpoints)
            .and_then(|h| h.latest_verified());
        let restored = restored?;
        let mut checkpoint: Checkpoint = restored.checkpoint;
        check_repeated(matches, &info, &checkpoint.config)?;
        dir.recovered().iter().chain(&restored.warnings).for_each(|line| eprintln!("warning: {line}"));
        let tokenizer = Tokenizer::from_json(&checkpoint.tokenizer)?;
        let files = Files { data: args.data.as_deref(), val: args.val.as_deref() };
        let text = Corpus::open(files, Some(&info), Some(tokenizer))?;
        let decay_iters = checkpoint.config.train.decay_iters();
        let max_iters = matches.get_one::<String>("max_iters");
        if let Some(max_iters) = max_iters {
            checkpoint.config.set("max_iters", max_iters)?;
        }
        checkpoint.config.validate()?;
        let train_tokens = check_length(&checkpoint.config, &text)?;
        let trainer = Trainer::from_checkpoint(&checkpoint, train_tokens)?;
        let settings = &checkpoint.config.train;
        let stretched = settings.decay_iters() != decay_iters && settings.schedule != Schedule::Constant;
        if stretched {
            eprintln!(
                "note: the learning rate now falls over {} updates and not over {decay_iters}: it goes on at {:.2e}, and not \
                 where it stopped",
                settings.decay_iters(),
                trainer.lr()
            );
        }
        let limit =
            info.plan.and_then(|plan| Some(TimeLimit { seconds: plan.time_limit_s?, end_s: plan.end_s }));
        let time_limit = limit.filter(|_| max_iters.is_none());
        if limit.is_some() && time_limit.is_none() {
            eprintln!("note: with --max-iters the run goes on without the time limit of --time");
        }
        // The evaluation at the end of a run comes after its last checkpoint.
        let of_best = info.outcome.as_ref().and_then(|outcome| outcome.best_val_loss);
        let best_val_loss = [checkpoint.best_val_loss, of_best].into_iter().flatten().min_by(f64::total_cmp);
        // Whatever is wrong with a log stops no training.
        let dropped = dir.drop_metrics_after(checkpoint.iter).map(drop);
        for error in
            [dropped, dir.drop_samples_from(checkpoint.iter).map(drop)].into_iter().filter_map(Result::err)
        {
            eprintln!("warning: {error}; the training goes on");
        }
        Ok(Self {
            text,
            trainer,
            dir,
            best_val_loss,
            evals_without_improvement: checkpoint.evals_without_improvement,
            elapsed_s: checkpoint.elapsed_s,
            time_limit,
            counts: None,
            length: None,
        })
    }
}

/// Flags of the command that began the run may be repeated. One with another value is refused.
fn check_repeated(matches: &ArgMatches, info: &RunInfo, config: &Config) -> Result<(), Failure> {
    let command = arguments(Command::new("train"));
    let first = first_matches(command.clone(), &info.command);
    let raw = |matches: &ArgMatches, name: &str| -> Option<String> {
        let values = matches.get_raw(name)?.map(|value| value.to_string_lossy().into_owned());
        Some(values.collect::<Vec<_>>().join(" "))
    };
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str();
        let on_command_line = matches.value_source(name) == Some(ValueSource::CommandLine);
        if FREE.contains(&name) || name == "max_iters" || !on_command_line {
            continue;
        }
        let given = raw(matches, name);
        let begun_with = first.as_ref().and_then(|first| raw(first, name));
        // A method has more than one spelling.
        let method =
            (name == "peft").then(|| matches.get_one::<Method>(name).map(Method::to_string)).flatten();
        let same_method = method.is_some() && method.as_ref() == info.from.as_ref().map(|from| &from.method);
        if given == begun_with || same_method {
            continue;
        }
        let mut of_the_run = begun_with.clone();
        if let (Some(value), true) = (&given, FIELDS.iter().any(|field| field.name == name)) {
            let mut changed = config.clone();
            changed.set(name, value)?;
            if changed == *config {
                continue;
            }
            let values = config.model.values().into_iter().chain(config.train.values());
            of_the_run = values.into_iter().find(|(setting, _)| *setting == name).map(|(_, value)| value);
        }
        let flag = argument.get_long().unwrap_or(name);
        let was = of_the_run.map_or(format!("without --{flag}"), |value| format!("with --{flag} {value}"));
        return Err(Failure::input(format!(
            "--{flag} {}: --resume goes on with a run that was begun {was}, and only --max-iters may change: leave --{flag} \
             out, or begin a new run in another --out",
            given.unwrap_or_default()
        )));
    }
    Ok(())
}

/// What the command that began a run says; nothing, if it is one of another version.
fn first_matches(command: Command, words: &[String]) -> Option<ArgMatches> {
    let (_, arguments) = words.split_at_checked(1 + words.iter().position(|word| word == "train")?)?;
    let command = command.no_binary_name(true).arg(Arg::new("threads").long("threads"));
    command.try_get_matches_from(arguments).ok()
}
