//! `newleaf embed train`: word vectors of a text.

use super::{bar, parse_format, print};
use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use data::word_vectors::{Format, Split, Vocabulary, WordVectors};
use data::{NewFile, StopWords};
use nn::embed::{Cooccurrence, Corpus, Glove, GloveConfig, Sgns, SgnsConfig};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Train word vectors on a text

  newleaf embed train --data my.txt --out vectors.txt
  newleaf embed train --data my.txt --out vectors.txt --method glove --dim 50 --min-count 2 --lowercase
  newleaf embed train --data poems.txt --out characters.txt --tokenizer chars
  newleaf embed train --data segmented.txt --out vectors.bin --tokenizer whitespace --out-format binary

A line of the text is a sentence: no window reaches over its end.";

/// What `newleaf embed train` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text, UTF-8
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Where to write the vectors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// sgns (skip-gram with negative sampling: word2vec) or glove
    #[arg(long, value_name = "NAME", default_value = "sgns", value_parser = ["sgns", "glove"])]
    method: String,
    /// Numbers in a vector
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    dim: u32,
    /// The farthest neighbour, in words [default: 5, with glove 15]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    window: Option<u32>,
    /// Leave out words that occur less often
    #[arg(long, alias = "min_count", value_name = "N", default_value_t = 5)]
    min_count: u64,
    /// words (letters, digits and other signs apart, Chinese characters one by one), whitespace (text that is cut
    /// into words already) or chars
    #[arg(long, value_name = "NAME", default_value = "words", value_parser = parse_split)]
    tokenizer: Split,
    /// Make no difference between capital and small letters
    #[arg(long)]
    lowercase: bool,
    /// A list of words to leave out, in capital or small letters, one a line
    #[arg(long, alias = "stop_words", value_name = "FILE")]
    stop_words: Option<PathBuf>,
    /// text, binary (both word2vec's) or glove
    #[arg(long, value_name = "NAME", default_value = "text", value_parser = parse_format)]
    out_format: Format,
    /// Passes over the text [default: 5, with glove 25 over its table]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: Option<u32>,
    /// The learning rate at the beginning [default: 0.025, with glove 0.05]
    #[arg(long, alias = "learning_rate", value_name = "X", value_parser = positive)]
    learning_rate: Option<f64>,
    /// sgns: random words against each neighbour
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=15))]
    negatives: u32,
    /// sgns: thin out words that are a larger share of the text; 0 for none
    #[arg(long, value_name = "X", default_value_t = 1e-3, value_parser = share)]
    subsample: f64,
    /// sgns: random words are drawn by count to this power: 0, 0.25, 0.5, 0.75 or 1
    #[arg(long, value_name = "X", default_value = "0.75", value_parser = parse_quarters)]
    noise: u32,
    /// glove: the co-occurrence from which on pairs have the full weight
    #[arg(long, alias = "x_max", value_name = "X", default_value_t = 10.0, value_parser = positive)]
    x_max: f64,
    /// glove: the vector of a word is the sum of its two (sum) or that as a word alone (word), which is better with
    /// small windows
    #[arg(long, value_name = "NAME", default_value = "sum", value_parser = ["sum", "word"])]
    keep: String,
    /// Where all randomness starts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// At the end, one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What a training gives.
struct Trained {
    values: Vec<f32>,
    loss: f64,
    seconds: f64,
    /// Words read a second, all epochs together.
    words_per_s: f64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    NewFile::check(&args.out)?; // better said before the work than after
    Failure::if_same(&args.out, &args.data)?;
    let (vocabulary, corpus) = read(args)?;
    eprintln!(
        "text:  {}: {} words, {} different; {} words of the {} that stay",
        args.data.display(),
        vocabulary.total(),
        vocabulary.distinct(),
        corpus.words(),
        vocabulary.words().len(),
    );
    let Trained { values, loss, seconds, words_per_s } = match args.method.as_str() {
        "sgns" => sgns(args, &vocabulary, &corpus),
        _ => glove(args, &vocabulary, &corpus),
    };
    if !(loss.is_finite() && values.iter().all(|x| x.is_finite())) {
        return Err(Failure::other(
            "the training diverged, its numbers are not finite any more: use a lower --learning-rate (nothing was written)",
        ));
    }
    let vectors = WordVectors::new(vocabulary.words().to_vec(), args.dim as usize, values)?;
    vectors.write(&args.out, args.out_format)?;
    let out = args.out.display();
    eprintln!(
        "done:  {} vectors of {} numbers in {seconds:.1} s, {words_per_s:.0} words/s, loss {loss:.4}: {out}",
        vectors.len(),
        vectors.dim()
    );
    if !args.json {
        return Ok(ExitCode::SUCCESS);
    }
    let summary = json!({
        "out": out.to_string(), "method": args.method, "words": vectors.len(), "dim": vectors.dim(),
        "corpus_words": corpus.words(), "loss": loss, "seconds": seconds, "words_per_s": words_per_s,
    });
    print(&summary.to_string())
}

/// The text as numbers of its words.
fn read(args: &Args) -> Result<(Vocabulary, Corpus), Failure> {
    let stop_words = args.stop_words.as_ref().map(StopWords::load).transpose()?.unwrap_or_default();
    let mut text = args.read.text(&args.data)?;
    if args.lowercase {
        text = text.to_lowercase();
    }
    let bar = bar("bytes read, twice");
    bar.set_length(2 * text.len() as u64);
    let lines = || text.lines().inspect(|line| bar.inc(line.len() as u64 + 1));
    let left_out = |word: &str| stop_words.contains(word);
    let vocabulary = Vocabulary::count(lines(), args.tokenizer, args.min_count, left_out)
        .map_err(|e| Failure::from(e).about(args.data.display()))?;
    check_memory(args, vocabulary.words().len())?;
    let mut corpus = Corpus::new();
    vocabulary.for_each_sentence(lines(), |sentence| corpus.push(sentence));
    bar.finish_and_clear();
    if (0..corpus.sentences()).all(|i| corpus.sentence(i).len() < 2) {
        return Err(Failure::input(format!(
            "{}: expected lines of several words, found at most one in each (of those that stay): there are no \
             neighbours to learn from; a line should be a sentence or a paragraph",
            args.data.display()
        )));
    }
    Ok((vocabulary, corpus))
}

fn sgns(args: &Args, vocabulary: &Vocabulary, corpus: &Corpus) -> Trained {
    let config = SgnsConfig {
        dim: args.dim as usize,
        window: args.window.unwrap_or(5) as usize,
        negatives: args.negatives as usize,
        subsample: args.subsample,
        noise_quarters: args.noise,
        learning_rate: args.learning_rate.unwrap_or(0.025),
        epochs: args.epochs.unwrap_or(5) as usize,
        seed: args.seed,
    };
    let (bar, start) = (bar("words"), Instant::now());
    let mut sgns = Sgns::new(config, vocabulary.counts());
    let (mut loss, mut words_per_s) = (0.0, 0.0);
    sgns.train(corpus, |report| {
        loss = if loss == 0.0 { report.loss } else { 0.98 * loss + 0.02 * report.loss }; // smoothed
        words_per_s = report.words as f64 / start.elapsed().as_secs_f64();
        bar.set_length(report.total_words);
        bar.set_position(report.words);
        bar.set_message(format!("words, loss {loss:.3}, {words_per_s:.0} words/s"));
    });
    bar.finish_and_clear();
    Trained { values: sgns.vectors(), loss, seconds: start.elapsed().as_secs_f64(), words_per_s }
}

fn glove(args: &Args, vocabulary: &Vocabulary, corpus: &Corpus) -> Trained {
    let config = GloveConfig {
        dim: args.dim as usize,
        x_max: args.x_max,
        learning_rate: args.learning_rate.unwrap_or(0.05),
        epochs: args.epochs.unwrap_or(25) as usize,
        seed: args.seed,
    };
    let start = Instant::now();
    let counting = bar("words, counting pairs");
    counting.set_length(corpus.words() as u64);
    let window = args.window.unwrap_or(15) as usize;
    let x = Cooccurrence::count_watched(corpus, window, |words| counting.set_position(words as u64));
    counting.finish_and_clear();
    let bar = bar("epochs");
    bar.set_length(config.epochs as u64);
    let mut glove = Glove::new(config, &x, vocabulary.words().len());
    let (mut loss, mut words_per_s) = (f64::NAN, 0.0);
    glove.train(|epoch, mean| {
        loss = mean;
        words_per_s = (corpus.words() * epoch) as f64 / start.elapsed().as_secs_f64();
        bar.set_position(epoch as u64);
        bar.set_message(format!(
            "epochs of {} pairs, loss {loss:.4}, {words_per_s:.0} words/s",
            x.entries().len()
        ));
    });
    bar.finish_and_clear();
    let values = if args.keep == "sum" { glove.vectors() } else { glove.word_vectors() };
    Trained { values, loss, seconds: start.elapsed().as_secs_f64(), words_per_s }
}

/// Tables larger than the memory would end the program without a word.
fn check_memory(args: &Args, words: usize) -> Result<(), Failure> {
    let tables = if args.method == "sgns" { 3 } else { 5 }; // and once more to write them
    let needed = words as u64 * u64::from(args.dim.next_multiple_of(16)) * 4 * tables;
    let there = gpt::machine::Machine::memory_bytes().unwrap_or(u64::MAX);
    if needed <= there {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{words} words with vectors of {} numbers need {} MB of memory, and this machine has {}: use a smaller --dim or \
         a larger --min-count",
        args.dim,
        needed >> 20,
        there >> 20
    )))
}

fn parse_split(name: &str) -> Result<Split, String> {
    let found = Split::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, split)| *split).ok_or_else(|| {
        let names: Vec<&str> = Split::ALL.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn parse_quarters(text: &str) -> Result<u32, String> {
    let quarters = text.parse::<f64>().map(|x| 4.0 * x);
    match quarters {
        Ok(quarters) if (0.0..=4.0).contains(&quarters) && quarters.fract() == 0.0 => Ok(quarters as u32),
        _ => Err("expected 0, 0.25, 0.5, 0.75 or 1".to_string()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| "expected a finite number above 0".to_string())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|x| (0.0..=1.0).contains(x));
    number.ok_or_else(|| "expected a number from 0 to 1".to_string())
}
