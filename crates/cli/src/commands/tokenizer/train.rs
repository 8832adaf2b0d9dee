//! `newleaf tokenizer train`: a vocabulary from a text.

use crate::commands::print;
use crate::screen::failure::Failure;
use data::CharTokenizer;
use data::tokenizer::{BpeTrainer, PieceCounts, Tokenizer, WordTokenizer};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Make a tokenizer from a text

  newleaf tokenizer train --kind bpe --vocab-size 2000 --data my.txt --out tok
  newleaf tokenizer train --kind word --min-count 5 --data my.txt --out tok
  newleaf tokenizer train --kind char --data my.txt --out tok

The directory then holds tokenizer.json, which Hugging Face's tokenizers library reads, too.";

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A character
    Char,
    /// A word; rare words are one token together
    Word,
    /// A frequent sequence of bytes (byte-level byte-pair encoding, as GPT-2's)
    Bpe,
}

/// What `newleaf tokenizer train` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What a token is
    #[arg(long, value_name = "KIND")]
    kind: Kind,
    /// Tokens at most [default: 1024 for bpe, as many as there are for char and word]
    #[arg(long, alias = "vocab_size", value_name = "N")]
    vocab_size: Option<usize>,
    /// The text to learn from, UTF-8
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
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
    if args.kind != Kind::Bpe && !args.special.is_empty() {
        return Err(Failure::input(
            "--special: only bpe has special tokens; leave it out, or use --kind bpe",
        ));
    }
    let text = data::read_text(&args.data)?;
    let about = |failure: Failure| failure.about(args.data.display());
    let tokenizer = trained(args, &text).map_err(about)?;
    let facts = facts(args, &tokenizer, &text).map_err(about)?; // before anything is written
    let path = tokenizer.save(&args.out)?;
    let report = if args.json { facts.to_string() } else { String::new() };
    eprintln!("{}: {}", path.display(), sentence(&facts));
    print(&report)
}

fn trained(args: &Args, text: &str) -> Result<Tokenizer, Failure> {
    Ok(match args.kind {
        Kind::Char => Tokenizer::Char(characters(args, text)?),
        Kind::Word => {
            let counts = counted(text, None);
            Tokenizer::Word(WordTokenizer::from_counts(&counts, args.min_count, args.vocab_size)?)
        }
        Kind::Bpe => Tokenizer::Bpe(byte_pairs(args, text)?),
    })
}

fn characters(args: &Args, text: &str) -> Result<CharTokenizer, Failure> {
    let tokenizer = CharTokenizer::from_text(text)?;
    match args.vocab_size {
        Some(size) if tokenizer.vocab_size() > size => Err(Failure::input(format!(
            "--vocab-size {size}: the text has {} different characters, and each is a token; leave --vocab-size \
             out, or use --kind bpe",
            tokenizer.vocab_size()
        ))),
        _ => Ok(tokenizer),
    }
}

fn byte_pairs(args: &Args, text: &str) -> Result<data::tokenizer::BpeTokenizer, Failure> {
    let max_han_run = (args.max_han_run > 0).then_some(args.max_han_run);
    let defaults = BpeTrainer::default();
    let trainer = BpeTrainer {
        vocab_size: args.vocab_size.unwrap_or(defaults.vocab_size),
        min_count: args.min_count,
        special: args.special.clone(),
    };
    let bar = ProgressBar::new(trainer.vocab_size as u64); // hidden unless stderr is a terminal
    let style = "{bar:24} {pos}/{len} tokens | {elapsed} elapsed, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    let tokenizer =
        trainer.train_with(&counted(text, max_han_run), &mut |size| bar.set_position(size as u64));
    bar.finish_and_clear();
    Ok(tokenizer?)
}

fn counted(text: &str, max_han_run: Option<usize>) -> PieceCounts {
    let mut counts = PieceCounts::new(max_han_run);
    counts.add(text);
    counts
}

/// What the tokenizer makes of its own text.
fn facts(args: &Args, tokenizer: &Tokenizer, text: &str) -> Result<Value, Failure> {
    let ids = tokenizer.encode(text)?;
    let per_token = |n: usize| n as f64 / ids.len() as f64;
    let mut facts = json!({
        "kind": tokenizer.kind(),
        "vocab_size": tokenizer.vocab_size(),
        "chars_per_token": per_token(text.chars().count()),
        "bytes_per_token": per_token(text.len()),
    });
    if let Tokenizer::Word(words) = tokenizer {
        facts["unknown_share"] = per_token(words.unknown(&ids)).into();
        facts["held_out_unknown_share"] = held_out_unknown_share(args, text)?.into();
    }
    Ok(facts)
}

/// The share of the words in the last 10 % of a text that a vocabulary of the first 90 % does not know: what
/// to expect of new text. `None` if the first 90 % have no vocabulary.
fn held_out_unknown_share(args: &Args, text: &str) -> Result<Option<f64>, Failure> {
    let (before, held_out) = data::train_val_split_text(text, 0.9)?;
    let words = WordTokenizer::from_counts(&counted(before, None), args.min_count, args.vocab_size).ok();
    Ok(words.map(|words| {
        let ids = words.encode(held_out);
        words.unknown(&ids) as f64 / ids.len() as f64
    }))
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
