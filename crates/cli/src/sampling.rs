//! What the model writes while it is trained: a short text now and then, and a longer one at the end.

use crate::model::{first_prompt, never_written};
use crate::progress::Progress;
use data::{DataError, Tokenizer};
use gpt::sampling::Sampler;
use gpt::train::{Evaluation, Observer, StepReport, TrainError};
use gpt::{Generator, Gpt};
use random::{Rng, Stream};
use tensor::Params;

/// Tokens of a text that is written along the way.
const SHORT: usize = 200;

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
