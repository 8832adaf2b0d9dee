//! `newleaf sample`: generate text with a model.

use crate::flags::sampling::{SamplerArgs, print_at_once as print};
use crate::screen::failure::Failure;
use crate::screen::wrap::Wrap;
use crate::work::ending::{Held, Until};
use crate::work::model::{self, Model};
use gpt::generate::{Decoder, Generator, Never};
use random::{Rng, Stream};
use serde_json::json;
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "Generate text

  newleaf sample --model my --prompt \"Once \"
  newleaf sample --model my --temperature 0 --max-new-tokens 200
  newleaf sample --model my --num-samples 3 --seed 7 --json
  newleaf sample --model my --until sentence                  nothing unfinished at the end
  newleaf sample --model my --prompt \"Q: \" --stop \"Q:\"     end before the next question
  newleaf sample --model my --int8

A text ends after --max-new-tokens, or where the model ends its document (<|endoftext|>), if it was trained on documents.";

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
    /// End before this text; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    stop: Vec<String>,
    /// End with a whole sentence or paragraph: what is unfinished after --max-new-tokens is left out
    #[arg(long, value_name = "WHAT")]
    until: Option<Until>,
    /// Go on behind the end of a document, and show it
    #[arg(long)]
    ignore_eos: bool,
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
    let (seed, told) = args.sampling.seed();
    let mut rng = Rng::new(seed, Stream::Sampling);
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
    if let Some(told) = told {
        eprintln!("{told}");
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn write_sample(args: &Args, model: &Model, prompt: &str, generator: Generator<'_>) -> Result<(), Failure> {
    if args.json {
        let mut text = String::new();
        write_text(args, model, generator, |piece| {
            text += piece;
            Ok(())
        })?;
        return print(&format!("{}\n", json!({ "prompt": prompt, "text": text })));
    }
    let mut wrap = Wrap::stdout();
    print(&wrap.push(prompt.trim_start_matches('\n')))?;
    write_text(args, model, generator, |piece| print(&wrap.push(piece)))?;
    print(&(wrap.finish() + "\n"))
}

/// Hands the text to `show`, piece by piece, up to its end.
fn write_text(
    args: &Args,
    model: &Model,
    generator: Generator<'_>,
    mut show: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let end = model.end_of_document().filter(|_| !args.ignore_eos);
    let mut characters = model.tokenizer.decoder(); // a token may be a part of a character: only whole ones are shown
    let mut held = Held::new(&args.stop, args.until);
    let (mut written, mut ended) = (0, false);
    for token in generator.take(args.max_new_tokens) {
        ended = Some(token) == end;
        if ended {
            break;
        }
        written += 1;
        let (piece, stops) = held.push(&characters.push(token)?);
        show(&piece)?;
        if stops {
            return Ok(());
        }
    }
    if !ended && written < args.max_new_tokens {
        return Err(model::without_numbers(&args.model));
    }
    let (piece, stops) = held.push(&characters.finish());
    show(&piece)?;
    match (stops, ended) {
        (true, _) => Ok(()),
        (false, true) => show(&held.finish_whole()),
        (false, false) => show(&held.finish()),
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
