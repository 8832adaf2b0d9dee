//! How a token is chosen, and what a model writes while it is trained: a short text now and then, and a longer one at the end.

use crate::screen::failure::Failure;
use crate::screen::progress::Progress;
use crate::work::model::{first_prompt, never_written};
use data::{DataError, Tokenizer};
use gpt::sampling::Sampler;
use gpt::train::{Evaluation, Observer, StepReport, TrainError};
use gpt::{Generator, Gpt};
use random::{Rng, Stream};
use std::io::Write;
use tensor::Params;

/// The flags of commands that write.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct SamplerArgs {
    /// Below 1 bolder choices become rarer, above 1 more frequent; 0 always takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    temperature: f32,
    /// Choose among the K likeliest tokens only
    #[arg(long, alias = "top_k", value_name = "K")]
    top_k: Option<usize>,
    /// Choose among the likeliest tokens that together have this probability
    #[arg(long, alias = "top_p", value_name = "P")]
    top_p: Option<f32>,
    /// Drop tokens less likely than this share of the likeliest one
    #[arg(long, alias = "min_p", value_name = "P")]
    min_p: Option<f32>,
    /// Where the randomness starts; the same seed writes the same text
    #[arg(long, value_name = "N", default_value_t = 1337)]
    pub(crate) seed: u64,
}

impl SamplerArgs {
    pub(crate) fn sampler(&self) -> Result<Sampler, Failure> {
        let &Self { temperature, top_k, top_p, min_p, .. } = self;
        let sampler = Sampler { temperature, top_k, top_p, min_p };
        sampler.validate()?;
        Ok(sampler)
    }
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
    never: Vec<u32>,
    seed: u64,
}

impl<'a> SampleWriter<'a> {
    /// For the models of one run.
    pub(crate) fn new(tokenizer: &'a Tokenizer, seed: u64) -> Result<Self, DataError> {
        let start = tokenizer.encode(&first_prompt(tokenizer))?;
        Ok(Self { tokenizer, start, never: never_written(tokenizer), seed })
    }

    /// A text of `length` tokens.
    pub(crate) fn write(&self, model: &Gpt, params: &Params, length: usize) -> Result<String, DataError> {
        let rng = Rng::new(self.seed, Stream::Sampling);
        let sampler = Sampler { temperature: 0.8, ..Sampler::default() };
        let writer = Generator::new(model, params, &self.start, sampler, rng).without(&self.never);
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

    fn sample(&mut self, iter: u64, model: &Gpt, params: &Params) -> Result<Option<String>, TrainError> {
        if self.interval == 0 || !iter.is_multiple_of(self.interval) {
            return Ok(None);
        }
        Ok(Some(self.writer.write(model, params, SHORT)?))
    }
}
