//! `newleaf plan`: what to train in a given time, and what it will take.

use super::print;
use super::train::SAMPLE_LENGTH;
use crate::flags::texts_ahead::TextsAheadArgs;
use crate::screen::failure::Failure;
use crate::work::corpus::{Corpus, Files};
use crate::work::count_baseline::CountBaseline;
use crate::work::model::load_tokenizer;
use crate::work::planning::{Budget, Proposal, parse_memory, parse_time, propose};
use data::dataset::TokenSource;
use gpt::config::Config;
use gpt::plan::MOST_EPOCHS;
use gpt::train::Trainer;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Propose a model and a training for a given time and memory

  newleaf plan --data my.txt --time 30m
  newleaf plan --data my.txt --time 2h --memory 4GB --json
  newleaf plan --data reviews.txt --labelled reviews.csv --text-column review    a base for these texts
  newleaf train --data my.txt --out my --time 30m      plans and trains

Some seconds of training are run to measure this machine. Nothing is left behind.";

/// What `newleaf plan` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text, or a file of `newleaf data pack` [default: the stories that ship inside]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A directory with a tokenizer [default: the characters of the text]
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// The time for everything: 90s, 30m, 1.5h
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_time)]
    time: f64,
    /// The memory for everything: 500MB, 4GB [default: what is free]
    #[arg(long, value_name = "BYTES", value_parser = parse_memory)]
    memory: Option<u64>,
    #[command(flatten)]
    ahead: TextsAheadArgs,
    /// One JSON object: {"n_layer": .., "seconds": .., "bytes": .., "expected_loss": .., ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    let tokenizer = args.tokenizer.as_deref().map(load_tokenizer).transpose()?;
    let text = Corpus::open(Files { data: args.data.as_deref(), val: None }, None, tokenizer)?;
    let counts = CountBaseline::of(&text)?;
    eprintln!("measuring this machine on {} ...", text.info.path);
    let block_size = args.ahead.block_size(&text.tokenizer)?;
    let budget =
        Budget { seconds: args.time, begun, bytes: args.memory, sample_length: SAMPLE_LENGTH, block_size };
    let begin = |config: &Config, train: &dyn TokenSource| Trainer::new(config, train);
    let proposal = propose(&text, counts.loss, budget, None, &begin)?;
    if args.json {
        return print(&facts(&proposal, counts.loss).to_string());
    }
    print(&describe(args, &proposal, &counts))
}

fn facts(proposal: &Proposal, count_loss: f64) -> serde_json::Value {
    let Proposal { config, seconds, bytes, expected_loss, .. } = proposal;
    let (model, train) = (&config.model, &config.train);
    json!({
        "n_layer": model.n_layer, "n_head": model.n_head, "n_embd": model.n_embd, "block_size": model.block_size,
        "batch_size": train.batch_size, "max_iters": train.max_iters,
        "parameters": model.count_parameters(),
        "tokens": train.max_iters * train.batch_size * model.block_size,
        "seconds": seconds, "bytes": bytes, "expected_loss": expected_loss, "count_loss": count_loss,
    })
}

fn describe(args: &Args, proposal: &Proposal, counts: &CountBaseline) -> String {
    let Proposal { config, seconds, bytes, expected_loss, .. } = proposal;
    let (model, train) = (&config.model, &config.train);
    // Nothing else ends a plan so early.
    let rest = match *seconds < 0.75 * args.time {
        true => format!(": the text is read {MOST_EPOCHS:.0} times, and more would be learning it by heart"),
        false => String::new(),
    };
    let data = args.data.as_ref().map_or(String::new(), |path| format!(" --data {}", path.display()));
    format!(
        "model:    n_layer {}, n_head {}, n_embd {}, block_size {}: {} parameters\n\
         training: {} updates of {} x {} tokens\n\
         time:     {:.0} s{rest}\nmemory:   {:.0} MB\n\
         loss:     roughly {expected_loss:.2} nats a token, by what other texts reached (n-gram baseline: {:.4})\n\
         start it: newleaf train{data}{} --time {:.0}s --out DIR\n",
        model.n_layer,
        model.n_head,
        model.n_embd,
        model.block_size,
        model.count_parameters(),
        train.max_iters,
        train.batch_size,
        model.block_size,
        seconds,
        *bytes as f64 / 1e6,
        counts.loss,
        args.ahead.again(),
        args.time,
    )
}
