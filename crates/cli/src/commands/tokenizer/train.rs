//! `newleaf tokenizer train`: a vocabulary from a text.

use crate::commands::print;
use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use clap::builder::{PossibleValue, PossibleValuesParser};
use data::dataset::{CompactIds, TokenSource};
use data::tokenizer::{KINDS, Kind, Tokenizer, Training};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Make a tokenizer from a text

  newleaf tokenizer train --kind bpe --vocab-size 2000 --data my.txt --out tok
  newleaf tokenizer train --kind word --min-count 5 --data my.txt --out tok
  newleaf tokenizer train --kind char --data my.txt --out tok

The directory then holds tokenizer.json, which Hugging Face's tokenizers library reads, too.";

/// What a token may be: the registry of the library.
fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.about)))
}

/// What `newleaf tokenizer train` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What a token is
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: String,
    /// Tokens at most [default: 1024 for bpe, as many as there are for char and word]
    #[arg(long, alias = "vocab_size", value_name = "N")]
    vocab_size: Option<usize>,
    /// The text to learn from: plain, rows with a text column, or a token file
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// The directory for tokenizer.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Words (word) or pairs (bpe) that occur less often get no token
    #[arg(long, alias = "min_count", value_name = "N", default_value_t = 2)]
    min_count: u64,
    /// bpe: no token has more Chinese characters in a row; 0 for no limit
    #[arg(long, alias = "max_han_run", value_name = "N", default_value_t = 8)]
    max_han_run: usize,
    /// bpe: a special token, such as <|endoftext|>; may be given several times. No text is ever encoded as one
    #[arg(long, value_name = "NAME")]
    special: Vec<String>,
    /// One JSON object: {"kind": .., "vocab_size": .., "chars_per_token": .., "bytes_per_token": ..}, for word also
    /// "unknown_share" and "held_out_unknown_share"
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let kind = KINDS.iter().find(|kind| kind.name == args.kind).expect("clap knows no others");
    if !kind.has_specials && !args.special.is_empty() {
        let able: Vec<&str> = KINDS.iter().filter(|kind| kind.has_specials).map(|kind| kind.name).collect();
        let able = able.join(" or ");
        return Err(Failure::input(format!(
            "--special: only {able} has special tokens; leave it out, or use --kind {able}"
        )));
    }
    Tokenizer::check_dir(&args.out)?; // better said before the work than after
    let text = args.read.text(&args.data)?;
    let about = |failure: Failure| failure.about(args.data.display());
    let tokenizer = trained(kind, args, &text).map_err(about)?;
    let facts = facts(kind, args, &tokenizer, &text).map_err(about)?; // before anything is written
    let path = tokenizer.save(&args.out)?;
    let report = if args.json { facts.to_string() } else { String::new() };
    eprintln!("{}: {}", path.display(), sentence(&facts));
    print(&report)
}

fn trained(kind: &Kind<Tokenizer>, args: &Args, text: &str) -> Result<Tokenizer, Failure> {
    let bar = ProgressBar::new(0); // hidden unless stderr is a terminal
    let style = "{bar:24} {pos}/{len} tokens | {elapsed} elapsed, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    let tokenizer = (kind.train)(&mut Training {
        text,
        vocab_size: args.vocab_size,
        min_count: args.min_count,
        max_han_run: (args.max_han_run > 0).then_some(args.max_han_run),
        special: &args.special,
        progress: &mut |tokens, wanted| {
            bar.set_length(wanted as u64);
            bar.set_position(tokens as u64);
        },
    });
    bar.finish_and_clear();
    Ok(tokenizer?)
}

/// What the tokenizer makes of its own text.
fn facts(kind: &Kind<Tokenizer>, args: &Args, tokenizer: &Tokenizer, text: &str) -> Result<Value, Failure> {
    let ids = CompactIds::encode(tokenizer, text)?;
    let per_token = |n: usize| n as f64 / ids.len() as f64;
    let mut facts = json!({
        "kind": tokenizer.kind(),
        "vocab_size": tokenizer.vocab_size(),
        "chars_per_token": per_token(text.chars().count()),
        "bytes_per_token": per_token(text.len()),
    });
    if let Some(unknown) = tokenizer.unknown_id() {
        facts["unknown_share"] = share(&ids, unknown).into();
        facts["held_out_unknown_share"] = held_out_unknown_share(kind, args, text)?.into();
    }
    Ok(facts)
}

/// The share of the words in the last 10 % of a text that a vocabulary of the first 90 % does not know: what
/// to expect of new text. `None` if the first 90 % have no vocabulary.
fn held_out_unknown_share(kind: &Kind<Tokenizer>, args: &Args, text: &str) -> Result<Option<f64>, Failure> {
    let (before, held_out) = data::train_val_split_text(text, 0.9)?;
    let Ok(tokenizer) = trained(kind, args, before) else { return Ok(None) };
    let ids = CompactIds::encode(&tokenizer, held_out)?;
    Ok(tokenizer.unknown_id().map(|unknown| share(&ids, unknown)))
}

/// The share of an id among some.
fn share(ids: &CompactIds, id: u32) -> f64 {
    ids.count(id) as f64 / ids.len() as f64
}

fn sentence(facts: &Value) -> String {
    let number = |name: &str| facts[name].as_f64().unwrap_or(f64::NAN);
    let mut text = format!(
        "{} tokens, {:.3} characters and {:.3} bytes a token",
        facts["vocab_size"],
        number("chars_per_token"),
        number("bytes_per_token")
    );
    if facts.get("unknown_share").is_some() {
        text += &format!(
            "; {:.2} % of the words are <unk>, of new text about {:.2} %",
            100.0 * number("unknown_share"),
            100.0 * number("held_out_unknown_share")
        );
    }
    text
}
