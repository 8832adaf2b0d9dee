//! `newleaf ngram`: the n-gram baseline of a text.

use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use data::CharTokenizer;
use data::ngram::{KneserNey, ORDER};
use random::{Rng, Stream};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Measure the loss of an n-gram model (Kneser-Ney) on a text

  newleaf ngram --train my.txt                       the last 10 % are the test, as for `newleaf train`
  newleaf ngram --train my.txt --test other.txt --order 7 --json
  newleaf ngram --train my.txt --split shuffled      passages (between blank lines) shuffled first
  newleaf ngram --train my.txt --per-order           every order up to --order
  newleaf ngram --train my.txt --sample 500          generate text with it

A neural model that is not better than this has learned less than which character follows which.";

/// Which tenth of the training text is the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Split {
    /// The last 10 % of the characters
    Contiguous,
    /// 10 % of the passages between blank lines, after shuffling them
    Shuffled,
}

/// What `newleaf ngram` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text to count: plain, rows with a text column, or a token file
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// The text to predict [default: a part of the other]
    #[arg(long, value_name = "FILE", conflicts_with = "split")]
    test: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
    /// Without --test: how the tenth to predict is chosen
    #[arg(long, value_name = "HOW", default_value = "contiguous")]
    split: Split,
    /// Length of the longest n-grams, in characters
    #[arg(long, value_name = "N", default_value_t = ORDER)]
    order: usize,
    /// Also the loss of every smaller order, each fitted by itself
    #[arg(long, alias = "per_order")]
    per_order: bool,
    /// Write N characters with the model; the figures then go to stderr
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Where the randomness of --sample and --split shuffled starts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// One JSON object: {"nats_per_char": .., "bits_per_char": .., "order": .., ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (train, test) = texts(args)?;
    // The vocabulary has the characters of both texts, as a model's would; those that only the test has
    // get the floor of what was never seen.
    let tokenizer = CharTokenizer::from_text(&format!("{train}{test}"))
        .map_err(|e| Failure::from(e).about(args.train.display()))?;
    let (train, test) = (tokenizer.encode(&train)?, tokenizer.encode(&test)?);
    let begin = Instant::now();
    let model = KneserNey::fit(&train, args.order, tokenizer.vocab_size())?;
    let fitted = begin.elapsed().as_secs_f64();
    let nats = model.evaluate(&test, 0)?.mean();
    let seconds = begin.elapsed().as_secs_f64();
    let mut figures = json!({
        "nats_per_char": nats,
        "bits_per_char": nats / std::f64::consts::LN_2,
        "order": args.order,
        "vocab_size": tokenizer.vocab_size(),
        "train_chars": train.len(),
        "test_chars": test.len(),
        "oov_chars": unseen(&train, &test, tokenizer.vocab_size()),
        "entries": model.entries(),
        "bytes": model.bytes(),
        "fit_seconds": fitted,
        "seconds": seconds,
    });
    if args.per_order {
        figures["per_order"] = per_order(args, &train, &test, &tokenizer, nats)?;
    }
    let sample = args.sample.map(|n| write(&model, &tokenizer, n, args.seed)).transpose()?;
    show(args, &mut figures, sample)?;
    Ok(ExitCode::SUCCESS)
}

/// The text to count and the text to predict.
fn texts(args: &Args) -> Result<(String, String), Failure> {
    let text = args.read.text(&args.train)?;
    if let Some(test) = &args.test {
        return Ok((text, args.read.text(test)?));
    }
    let (train, test) = match args.split {
        Split::Shuffled => data::drift::shuffled_split(&text, 0.9, &mut Rng::new(args.seed, Stream::Data)),
        Split::Contiguous => {
            let (train, test) = data::train_val_split_text(&text, 0.9)
                .map_err(|e| Failure::from(e).about(args.train.display()))?;
            (train.to_string(), test.to_string())
        }
    };
    if train.is_empty() || test.is_empty() {
        return Err(Failure::input(format!(
            "{}: expected at least 10 passages with blank lines between them, to set a tenth of them aside; \
             give a longer text, leave out --split, or name another text with --test",
            args.train.display()
        )));
    }
    Ok((train, test))
}

/// How many tokens of the test the training text does not have.
fn unseen(train: &[u32], test: &[u32], vocab_size: usize) -> usize {
    let mut seen = vec![false; vocab_size];
    train.iter().for_each(|&id| seen[id as usize] = true);
    test.iter().filter(|&&id| !seen[id as usize]).count()
}

/// Nats a character of the orders 1, 2, ...; the last one is known.
fn per_order(
    args: &Args,
    train: &[u32],
    test: &[u32],
    tokenizer: &CharTokenizer,
    last: f64,
) -> Result<Value, Failure> {
    let mut losses = Vec::with_capacity(args.order);
    for order in 1..args.order {
        let model = KneserNey::fit(train, order, tokenizer.vocab_size())?;
        losses.push(model.evaluate(test, 0)?.mean());
    }
    losses.push(last);
    Ok(losses.into())
}

/// Writes `n` characters, from the end of a line on.
fn write(model: &KneserNey, tokenizer: &CharTokenizer, n: usize, seed: u64) -> Result<String, Failure> {
    let mut rng = Rng::new(seed, Stream::Sampling);
    let mut ids = tokenizer.encode("\n").unwrap_or_default();
    let start = ids.len();
    for _ in 0..n {
        ids.push(model.sample(&ids, &mut rng));
    }
    Ok(tokenizer.decode(&ids[start..])?)
}

/// Figures and sample: both in one object, or the figures on stderr if there is a sample.
fn show(args: &Args, figures: &mut Value, sample: Option<String>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = if args.json {
        if let Some(sample) = sample {
            figures["sample"] = sample.into();
        }
        writeln!(out, "{figures}")
    } else {
        let text = sentence(figures);
        match sample {
            Some(sample) => {
                eprintln!("{text}");
                writeln!(out, "{sample}")
            }
            None => writeln!(out, "{text}"),
        }
    };
    written.map_err(|e| Failure::output(&e))
}

fn sentence(figures: &Value) -> String {
    let float = |name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
    let entries: u64 = figures["entries"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum();
    let mut text = String::new();
    for (i, nats) in figures["per_order"].as_array().into_iter().flatten().enumerate() {
        text += &format!("order {:>2}: {:.4} nats a character\n", i + 1, nats.as_f64().unwrap_or(f64::NAN));
    }
    text + &format!(
        "Kneser-Ney of order {}: {:.4} nats a character, {:.4} bits a character, over {} characters ({} of them \
         unknown); {} characters counted in {:.2} s, {entries} n-grams in {:.1} MB",
        figures["order"],
        float("nats_per_char"),
        float("bits_per_char"),
        figures["test_chars"],
        figures["oov_chars"],
        figures["train_chars"],
        float("fit_seconds"),
        float("bytes") / 1e6,
    )
}
