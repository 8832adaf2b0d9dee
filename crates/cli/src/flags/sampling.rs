//! How a token is chosen, and what a model writes while it is trained: a short text now and then, and a longer one at the end.

use crate::screen::failure::Failure;
use crate::screen::progress::Progress;
use clap::{Arg, ArgMatches, Command};
use data::{DataError, Tokenizer};
use gpt::generate::{Generator, Never, RULES, RuleKind, Sampler};
use gpt::train::{Evaluation, Observer, StepReport, TrainError};
use gpt::{Gpt, first_prompt, never_generated};
use random::{Rng, Stream};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use tensor::Params;

/// The flags of commands that sample: one for each rule of [`RULES`], and the seed.
#[derive(Clone, Debug)]
pub(crate) struct SamplerArgs {
    /// What the command line says of the rules, and the defaults of the others.
    rules: Vec<(&'static str, String)>,
    seed: Option<u64>,
}

impl clap::Args for SamplerArgs {
    fn augment_args(command: Command) -> Command {
        let command = RULES.iter().fold(command, |command, rule| {
            let dashed = rule.name.replace('_', "-");
            let arg = Arg::new(rule.name).long(dashed.clone()).value_name(rule.value).help(rule.help);
            let arg = if dashed == rule.name { arg } else { arg.alias(rule.name) };
            let arg = arg.allow_hyphen_values(true);
            command.arg(if let Some(default) = rule.default { arg.default_value(default) } else { arg })
        });
        let seed = Arg::new("seed").long("seed").value_name("N");
        let help =
            "Where the randomness starts; the same seed writes the same text [default: another each time]";
        command.arg(seed.value_parser(clap::value_parser!(u64)).help(help))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SamplerArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |rule: &RuleKind| Some((rule.name, matches.get_one::<String>(rule.name)?.clone()));
        let rules = RULES.iter().filter_map(value).collect();
        Ok(Self { rules, seed: matches.get_one("seed").copied() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl SamplerArgs {
    /// The seed, and what to say of it: one that nobody gave is another each time.
    pub(crate) fn seed(&self) -> (u64, Option<String>) {
        if let Some(seed) = self.seed {
            return (seed, None);
        }
        let seed = u64::from(RandomState::new().hash_one(std::process::id()) as u32);
        let random =
            self.rules.iter().all(|(name, value)| *name != "temperature" || value.parse() != Ok(0.0));
        (seed, random.then(|| format!("seed {seed}: --seed {seed} writes the same again")))
    }

    pub(crate) fn sampler(&self) -> Result<Sampler, Failure> {
        Ok(Sampler::parse(self.rules.iter().map(|(name, text)| (*name, &text[..])))?)
    }
}

/// Every rule as it is without its flag: for what commands write along the way.
pub(crate) fn usual_sampler() -> Sampler {
    let defaults = RULES.iter().filter_map(|rule| Some((rule.name, rule.default?)));
    Sampler::parse(defaults).expect("defaults are values")
}

/// Tokens of a text that is written along the way.
const SHORT: usize = 200;

/// Writes to stdout at once, so that text appears as it is written.
pub(crate) fn print_at_once(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}

/// Writes texts that differ by the model alone: every one begins alike and draws from a stream that starts again.
pub(crate) struct SampleWriter<'a> {
    tokenizer: &'a Tokenizer,
    start: Vec<u32>,
    seed: u64,
}

impl<'a> SampleWriter<'a> {
    /// For the models of one run.
    pub(crate) fn new(tokenizer: &'a Tokenizer, seed: u64) -> Result<Self, DataError> {
        let start = tokenizer.encode(&first_prompt(tokenizer))?;
        Ok(Self { tokenizer, start, seed })
    }

    /// A text of `length` tokens.
    pub(crate) fn write(&self, model: &Gpt, params: &Params, length: usize) -> Result<String, DataError> {
        let rng = Rng::new(self.seed, Stream::Sampling);
        let never = Never(never_generated(&model.config, self.tokenizer));
        let sampler = usual_sampler().with(never);
        let writer = Generator::new(model, params, &self.start, sampler, rng);
        self.tokenizer.decode(&writer.take(length).collect::<Vec<u32>>())
    }
}

/// The progress of a training that also writes samples.
pub(crate) struct Sampled<'a> {
    pub(crate) progress: Progress,
    pub(crate) writer: SampleWriter<'a>,
    /// Updates between two samples; 0: none.
    pub(crate) interval: u64,
}

impl Observer for Sampled<'_> {
    fn step(&mut self, report: &StepReport, tokens_per_s: f64) {
        self.progress.step(report, tokens_per_s);
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        self.progress.evaluation(evaluation);
    }

    fn saved(&mut self, iter: u64) {
        self.progress.saved(iter);
    }

    fn warning(&mut self, message: &str) {
        self.progress.warning(message);
    }

    fn sample(&mut self, iter: u64, model: &Gpt, params: &Params) -> Result<Option<String>, TrainError> {
        if self.interval == 0 || !iter.is_multiple_of(self.interval) {
            return Ok(None);
        }
        Ok(Some(self.writer.write(model, params, SHORT)?))
    }
}
