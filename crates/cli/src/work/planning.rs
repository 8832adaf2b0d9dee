//! Which model a given time is best spent on, measured on this machine and this text: for `newleaf plan` and
//! `newleaf train --time`.

use crate::flags::sampling::SampleWriter;
use crate::screen::failure::Failure;
use crate::work::corpus::Corpus;
use data::dataset::{SequentialBatches, SourcePart, TokenSource};
use gpt::config::Config;
use gpt::machine::Machine;
use gpt::plan::{Plan, Refusal, Resources, candidates, choose, set_updates};
use gpt::run_dir::Estimate;
use gpt::train::{Checkpoint, TrainError, Trainer, evaluate, ngram_rows};
use std::time::Instant;

/// Steps of a candidate, the first of which only warms up.
const STEPS: usize = 3;
/// A candidate whose step is expected to take longer is not tried.
const LONGEST_STEP_S: f64 = 4.0;
/// Tokens of the text that candidates are tried on.
const LOOKED_AT: usize = 200_000;
/// Steps of the chosen training.
const STEPS_OF_CHOSEN: usize = 6;
/// Batches that tell how long an evaluation takes.
const EVAL_BATCHES: usize = 4;
/// What a process of ours needs before it trains, where the system does not tell.
const PROGRAM_BYTES: u64 = 32 << 20;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Seconds for everything, from `begun` on: reading, counting, measuring and training.
    pub(crate) seconds: f64,
    pub(crate) begun: Instant,
    /// Bytes for everything; `None`: what the machine has free.
    pub(crate) bytes: Option<u64>,
    /// Tokens of the sample at the end.
    pub(crate) sample_length: usize,
    /// The context, if it is not to be chosen.
    pub(crate) block_size: Option<usize>,
}

/// Of the seconds that are left so much is planned for: a machine is never as quick for long as for a moment.
const PLANNED_FOR: f64 = 0.92;
/// Tokens that tell how long a sample takes.
const SAMPLED: usize = 32;

/// Makes the trainer of a configuration for a training text.
pub(crate) type Begin<'a> = dyn Fn(&Config, &dyn TokenSource) -> Result<Trainer, TrainError> + 'a;

impl Budget {
    /// Seconds that are left.
    fn left(&self) -> f64 {
        PLANNED_FOR * (self.seconds - self.begun.elapsed().as_secs_f64())
    }
}

/// What a training will take.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) config: Config,
    pub(crate) seconds: f64,
    pub(crate) bytes: u64,
    pub(crate) expected_loss: f64,
    /// Seconds of its end: the last evaluation, files and the sample.
    end_s: f64,
}

impl Proposal {
    /// What the run's directory keeps of it.
    pub(crate) fn estimate(&self) -> Estimate {
        let &Self { seconds, bytes, expected_loss, end_s, .. } = self;
        Estimate { seconds, bytes, expected_loss: Some(expected_loss), time_limit_s: None, end_s }
    }
}

/// A training for the budget. With `fixed`, that model and batch, and only the number of updates is chosen.
pub(crate) fn propose(
    text: &Corpus,
    count_loss: f64,
    budget: Budget,
    fixed: Option<Config>,
    begin: &Begin<'_>,
) -> Result<Proposal, Failure> {
    let (train, val) = text.parts();
    // What the process has now: what reading and counting took beside it is free again. What is available, is so beside it.
    let used = Machine::resident_bytes().unwrap_or(PROGRAM_BYTES);
    let bytes = match budget.bytes {
        Some(all) => all.saturating_sub(used) / 10 * 9, // what is calculated is within a tenth of what is taken
        None => Machine::available_bytes().unwrap_or(u64::MAX),
    };
    let resources = Resources {
        seconds: budget.left(),
        bytes,
        train_tokens: train.len(),
        val_tokens: val.len(),
        vocab_size: text.tokenizer.vocab_size(),
        block_size: budget.block_size,
    };
    let mut choices = fixed.map_or_else(|| candidates(&resources), |config| vec![config]);
    // A table for the most n-grams there may be would be most of a small model; how many there are is soon counted.
    let rows = choices.first().map_or(Ok(0), |config| ngram_rows(config, &train));
    let rows = rows.map_err(|e| Failure::other(e.to_string()))?;
    choices
        .iter_mut()
        .filter(|config| config.model.ngram > 0)
        .for_each(|config| config.model.ngram_rows = rows);
    let mut clock = Clock { text, begin, rate: None };
    let mut plan = choose(choices, &resources, |config| clock.seconds_a_token(config))
        .map_err(|refusal| refused(refusal, budget, used))?;
    // What larger candidates took is not what this training takes.
    Machine::forget_peak_memory();
    // The model is chosen; how many of its updates fit, with evaluations and checkpoints, is measured once more.
    let measured = Measured::of(&plan, text, budget.sample_length, begin)?;
    let updates = measured.updates(&plan.config, budget.left());
    if updates < plan.config.train.max_iters {
        set_updates(&mut plan.config, updates.max(1));
    }
    let seconds = measured.seconds(&plan.config);
    let bytes = Machine::peak_memory_bytes().unwrap_or(used + plan.config.training_bytes()).max(used);
    let (expected_loss, end_s) = (count_loss * plan.expected_ratio, measured.end_seconds());
    Ok(Proposal { seconds, bytes, expected_loss, end_s, config: plan.config })
}

fn refused(refusal: Refusal, budget: Budget, used: u64) -> Failure {
    Failure::input(match refusal {
        Refusal::Memory(needed) => format!(
            "the smallest model needs {} MB of memory, more than there is\n  \
             free some, or allow more with --memory; for a model of your own: smaller --n-layer and --n-embd, --micro-batch \
             1, --recompute true",
            (needed + used).div_ceil(1_000_000)
        ),
        Refusal::Time => format!(
            "{:.0} s are too short for a training that is worth it: give more with --time, for instance 2m",
            budget.seconds
        ),
        Refusal::Text => {
            "the text is too short for the smallest model (64 tokens at a time): give a longer one".into()
        }
    })
}

/// Times candidates.
struct Clock<'a> {
    text: &'a Corpus,
    begin: &'a Begin<'a>,
    /// Operations a second of the last one.
    rate: Option<f64>,
}

impl Clock<'_> {
    /// Of a micro-batch of this model, by the fastest of a few steps; `None` if it would take too long to find out.
    fn seconds_a_token(&mut self, config: &Config) -> Option<f64> {
        let mut config = config.clone();
        let rows = (2048 / config.model.block_size).clamp(1, config.train.batch_size);
        (config.train.batch_size, config.train.micro_batch) = (rows, Some(rows));
        let tokens = (rows * config.model.block_size) as f64;
        let operations = config.model.training_flops_per_token() * tokens;
        if self.rate.is_some_and(|rate| operations / rate > LONGEST_STEP_S) {
            return None;
        }
        let (train, _) = self.text.parts();
        // Counting the n-grams of all the text would take longer than the steps.
        let train = SourcePart::new(&train, 0..train.len().min(LOOKED_AT.max(2 * config.model.block_size)));
        let mut trainer = (self.begin)(&config, &train).ok()?;
        let mut fastest = f64::INFINITY;
        for step in 0..STEPS {
            let start = Instant::now();
            trainer.step(&train).ok()?;
            if step > 0 {
                fastest = fastest.min(start.elapsed().as_secs_f64());
            }
        }
        self.rate = Some(operations / fastest);
        Some(fastest / tokens)
    }
}

/// What the parts of a training take, in seconds.
struct Measured {
    step: f64,
    eval_batch: f64,
    eval_batches: usize,
    checkpoint: f64,
    /// The sample at the end.
    sample: f64,
}

impl Measured {
    /// Runs a little of everything that the training will run, so that its memory is taken, too.
    fn of(plan: &Plan, text: &Corpus, sample_length: usize, begin: &Begin<'_>) -> Result<Self, Failure> {
        let (train, val) = text.parts();
        let mut trainer = begin(&plan.config, &train)?;
        let mut steps = Vec::new();
        for _ in 0..STEPS_OF_CHOSEN {
            let start = Instant::now();
            trainer.step(&train)?;
            steps.push(start.elapsed().as_secs_f64());
        }
        steps.remove(0);
        steps.sort_by(f64::total_cmp);
        let block_size = plan.config.model.block_size;
        let all = SequentialBatches::new(&val, block_size, (2048 / block_size).max(1))?;
        let eval_batches = all.len();
        let start = Instant::now();
        evaluate(&trainer.model, &trainer.params, &val, EVAL_BATCHES)?;
        let eval_batch = start.elapsed().as_secs_f64() / EVAL_BATCHES.min(eval_batches) as f64;
        let start = Instant::now();
        write_once(&trainer.checkpoint(&text.tokenizer.to_json()))?;
        let checkpoint = start.elapsed().as_secs_f64();
        let start = Instant::now();
        SampleWriter::new(&text.tokenizer, 0)?.write(&trainer.model, &trainer.params, SAMPLED)?;
        let sample = start.elapsed().as_secs_f64() * sample_length as f64 / SAMPLED as f64;
        Ok(Self { step: steps[steps.len() / 2], eval_batch, eval_batches, checkpoint, sample })
    }

    /// Seconds of a training.
    fn seconds(&self, config: &Config) -> f64 {
        let train = &config.train;
        let of = |interval: usize| if interval == 0 { 0 } else { train.max_iters.div_ceil(interval) };
        let evaluations = of(train.eval_interval);
        let batches = match train.eval_iters {
            0 => self.eval_batches * (evaluations + 1),
            some => some.min(self.eval_batches) * evaluations + self.eval_batches,
        };
        // A best model is written at nearly every evaluation, a third of a checkpoint each; the last at the end.
        let files = of(train.checkpoint_interval).max(1) as f64 + (evaluations + 1) as f64 / 3.0;
        let written = files * self.checkpoint + self.sample * (1.0 + evaluations as f64 / 3.0); // short ones on the way
        train.max_iters as f64 * self.step + batches as f64 * self.eval_batch + written
    }

    /// Seconds of the end of a training: an evaluation of all batches, a checkpoint, two models, and a sample.
    fn end_seconds(&self) -> f64 {
        self.eval_batches as f64 * self.eval_batch + 2.0 * self.checkpoint + self.sample
    }

    /// Updates that fit into so many seconds.
    fn updates(&self, config: &Config, seconds: f64) -> usize {
        let mut fits = config.clone();
        let with = |fits: &mut Config, updates: usize| {
            set_updates(fits, updates);
            self.seconds(fits)
        };
        let (mut low, mut high) = (0, config.train.max_iters.max(1) * 2); // `low` fits
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if with(&mut fits, middle) <= seconds { low = middle } else { high = middle }
        }
        low
    }
}

/// Writes a checkpoint where temporary files go, and removes it.
fn write_once(checkpoint: &Checkpoint<&[f32]>) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("newleaf-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| Failure::other(format!("{}: {e}", folder.display())))?;
    let written = checkpoint.write(&folder.join("checkpoint"));
    let _ = std::fs::remove_dir_all(&folder); // nothing was promised about it
    written.map_err(|e| Failure::other(e.to_string()))
}

/// A length of time: 90, 90s, 30m, 1.5h.
pub(crate) fn parse_time(text: &str) -> Result<f64, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("expected a time such as 90s, 30m or 1.5h; found {text:?}")),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * factor),
        _ => Err(format!("expected a time such as 90s, 30m or 1.5h; found {text:?}")),
    }
}

/// An amount of memory: 500MB, 4GB, 2GiB, or bytes.
pub(crate) fn parse_memory(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("expected an amount of memory such as 500MB or 4GB; found {text:?}")),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok((number * factor) as u64),
        _ => Err(format!("expected an amount of memory such as 500MB or 4GB; found {text:?}")),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    (text[..unit].trim(), &text[unit..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts() {
        for (text, seconds) in
            [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), ("2 min", 120.0)]
        {
            assert_eq!(parse_time(text), Ok(seconds), "{text}");
        }
        for (text, bytes) in [("4GB", 4_000_000_000), ("500mb", 500_000_000), ("1GiB", 1 << 30), ("123", 123)]
        {
            assert_eq!(parse_memory(text), Ok(bytes), "{text}");
        }
        for text in ["", "m", "-3m", "0", "nan", "inf", "3 weeks", "1e400s"] {
            assert!(parse_time(text).unwrap_err().contains("such as"), "{text}");
        }
        for text in ["", "GB", "-1GB", "4 TBs", "nan"] {
            assert!(parse_memory(text).unwrap_err().contains("such as"), "{text}");
        }
    }
}
