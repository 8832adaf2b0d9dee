//! `newleaf sample`: write with a model.

use crate::failure::Failure;
use crate::model::{self, Model};
use gpt::sampling::Sampler;
use gpt::{Decoder, Generator, Int8Weights};
use random::{Rng, Stream};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "Write with a model

  newleaf sample --model my --prompt \"Once \"
  newleaf sample --model my --temperature 0 --max-new-tokens 200
  newleaf sample --model my --num-samples 3 --seed 7 --json
  newleaf sample --model my --int8";

/// What `newleaf sample` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run (its best model is used)
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text to continue; FILE:prompt.txt reads it from a file [default: a new line]
    #[arg(long, alias = "start", value_name = "TEXT")]
    prompt: Option<String>,
    /// Tokens to write in each sample
    #[arg(long, alias = "max_new_tokens", value_name = "N", default_value_t = 500)]
    max_new_tokens: usize,
    /// Samples to write
    #[arg(long, alias = "num_samples", value_name = "N", default_value_t = 1)]
    num_samples: usize,
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
    seed: u64,
    /// Read the weights in eight bits: faster, and a little less exact (`newleaf eval --int8` says by how much)
    #[arg(long)]
    int8: bool,
    /// One JSON object a sample: {"prompt": .., "text": ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let sampler =
        Sampler { temperature: args.temperature, top_k: args.top_k, top_p: args.top_p, min_p: args.min_p };
    sampler.validate()?;
    let model = model::load(&args.model)?;
    let (prompt, ids) = prompt(args, &model)?;
    let int8 = args.int8.then(|| Int8Weights::new(&model.gpt, &model.params));
    let mut rng = Rng::new(args.seed, Stream::Sampling);
    for n in 0..args.num_samples {
        // Each sample continues the stream of the one before it: sample n does not depend on the number asked for.
        let seed = rng.next_u64();
        if n > 0 && !args.json {
            print("\n---\n")?;
        }
        let decoder = Decoder::new(&model.gpt, &model.params);
        let decoder = if let Some(int8) = &int8 { decoder.with_int8(int8) } else { decoder };
        let rng = Rng::new(seed, Stream::Sampling);
        let never = model::never_written(&model.tokenizer);
        let generator = Generator::with_decoder(decoder, &ids, sampler, rng).without(&never);
        write_sample(args, &model, &prompt, generator)?;
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn write_sample(args: &Args, model: &Model, prompt: &str, generator: Generator<'_>) -> Result<(), Failure> {
    let tokens = generator.take(args.max_new_tokens);
    if args.json {
        let text = model.tokenizer.decode(&tokens.collect::<Vec<_>>())?;
        return print(&format!("{}\n", json!({ "prompt": prompt, "text": text })));
    }
    print(prompt.trim_start_matches('\n'))?;
    let mut decoder = model.tokenizer.decoder(); // a token may be a part of a character: only whole ones are shown
    for token in tokens {
        print(&decoder.push(token)?)?;
    }
    print(&(decoder.finish() + "\n"))
}

/// The text to continue, and its ids.
fn prompt(args: &Args, model: &Model) -> Result<(String, Vec<u32>), Failure> {
    let file = args.prompt.as_ref().and_then(|text| text.strip_prefix("FILE:"));
    let text = match (file, &args.prompt) {
        (Some(path), _) => data::read_text(path)?,
        (None, Some(text)) => text.clone(),
        (None, None) => model::first_prompt(&model.tokenizer),
    };
    if text.is_empty() {
        return Err(Failure::input(
            "the prompt is empty: give at least one character, or leave out --prompt",
        ));
    }
    let ids = model.tokenizer.encode(&text).map_err(|error| {
        let failure = Failure::from(error);
        if let Some(path) = file { failure.about(path) } else { failure }
    })?;
    Ok((text, ids))
}

/// Writes to stdout at once, so that text appears as it is written.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}
