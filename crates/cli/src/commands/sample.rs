//! `newleaf sample`: write with a model.

use crate::flags::sampling::{SamplerArgs, print_at_once as print};
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use gpt::generate::{Decoder, Generator, Never};
use random::{Rng, Stream};
use serde_json::json;
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
    /// An adapter to put on it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The text to continue; FILE:prompt.txt reads it from a file [default: a new line]
    #[arg(long, alias = "start", value_name = "TEXT")]
    prompt: Option<String>,
    /// Tokens to write in each sample
    #[arg(long, alias = "max_new_tokens", value_name = "N", default_value_t = 500)]
    max_new_tokens: usize,
    /// Samples to write
    #[arg(long, alias = "num_samples", value_name = "N", default_value_t = 1)]
    num_samples: usize,
    #[command(flatten)]
    sampling: SamplerArgs,
    /// Read the weights in eight bits: faster, and a little less exact (`newleaf eval --int8` says by how much)
    #[arg(long)]
    int8: bool,
    /// One JSON object a sample: {"prompt": .., "text": ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<std::process::ExitCode, Failure> {
    let mut model = model::load_with_adapter(&args.model, args.adapter.as_deref())?;
    let sampler = args.sampling.sampler()?.with(Never(model.never_generated()));
    let (prompt, ids) = prompt(args, &model)?;
    if args.int8 {
        model.gpt.round_to_int8(&mut model.params);
    }
    let mut decoder = Decoder::new(&model.gpt, &model.params);
    if ids.len().saturating_add(args.max_new_tokens) > model.gpt.max_tokens(&model.params) {
        decoder = decoder.sliding();
    }
    if !decoder.push_all(&ids).iter().any(|score| score.is_finite()) {
        return Err(model::without_numbers(&args.model));
    }
    let mut rng = Rng::new(args.sampling.seed, Stream::Sampling);
    for n in 0..args.num_samples {
        // Each sample continues the stream of the one before it: sample n does not depend on the number asked for.
        let seed = rng.next_u64();
        if n > 0 && !args.json {
            print("\n---\n")?;
        }
        let rng = Rng::new(seed, Stream::Sampling);
        let generator = Generator::after(decoder.clone(), sampler.clone(), rng);
        write_sample(args, &model, &prompt, generator)?;
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn write_sample(args: &Args, model: &Model, prompt: &str, generator: Generator<'_>) -> Result<(), Failure> {
    let tokens = generator.take(args.max_new_tokens);
    if args.json {
        let ids: Vec<u32> = tokens.collect();
        complete(args, ids.len())?;
        let text = model.tokenizer.decode(&ids)?;
        return print(&format!("{}\n", json!({ "prompt": prompt, "text": text })));
    }
    print(prompt.trim_start_matches('\n'))?;
    let mut decoder = model.tokenizer.decoder(); // a token may be a part of a character: only whole ones are shown
    let mut written = 0;
    for token in tokens {
        print(&decoder.push(token)?)?;
        written += 1;
    }
    print(&(decoder.finish() + "\n"))?;
    complete(args, written)
}

/// A sample ends early only where the model's scores are no numbers.
fn complete(args: &Args, written: usize) -> Result<(), Failure> {
    match written == args.max_new_tokens {
        true => Ok(()),
        false => Err(model::without_numbers(&args.model)),
    }
}

/// The text to continue, and its ids.
fn prompt(args: &Args, model: &Model) -> Result<(String, Vec<u32>), Failure> {
    let file = args.prompt.as_ref().and_then(|text| text.strip_prefix("FILE:"));
    let text = match (file, &args.prompt) {
        (Some(path), _) => data::read_text(path)?,
        (None, Some(text)) => text.clone(),
        (None, None) => model.first_prompt(),
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
