//! `newleaf augment`: more labelled examples from few.

use super::print;
use crate::flags::answering::Answerer;
use crate::screen::failure::Failure;
use crate::work::model;
use data::NewFile;
use data::augment::{BackTranslation, Eda, Paraphrase, Protection, Rows, Synonyms};
use data::segment::{Dict, Segmenter};
use indicatif::{ProgressBar, ProgressStyle};
use random::{Rng, Stream};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str =
    "More labelled examples from few: synonyms, insertions, swaps, deletions (EDA), or back-translation

  newleaf augment --in reviews.tsv --out more.tsv                       label, tab, text
  newleaf augment --in reviews.tsv --out more.tsv --eda a=.2,n=8 --seed 7
  newleaf augment --in reviews.jsonl --out more.jsonl --text-column review --json
  newleaf augment --in lines.txt --out more.txt --synonyms mine.tsv     a set of synonyms a line, tabs between
  newleaf augment --in zh.tsv --out more.tsv --there zh-en --back en-zh two models of newleaf finetune seq2seq

Every example is kept, and followed by its variants with the same label. Words that decide a label (not, but,
too, good; 不, 但是, 很, 好) are neither lost nor moved. Augment the training part only, after the split.";

/// What `newleaf augment` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The examples: .tsv and .jsonl by their names, anything else as a text a line
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where to write the examples and their variants, in the same layout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// a: the share of words to change; n: variants of an example, at most
    #[arg(long, value_name = "a=A,n=N", default_value = "a=.1,n=4")]
    eda: String,
    /// Back-translation: a model that translates the texts, and with --back one that translates them back; variants are
    /// drawn at random (of --eda only n counts)
    #[arg(long, value_name = "DIR", requires = "back")]
    there: Option<PathBuf>,
    /// See --there
    #[arg(long, value_name = "DIR", requires = "there")]
    back: Option<PathBuf>,
    /// Of back-translation: 1 draws translations as likely as the models find them, less is tamer
    #[arg(long, value_name = "T", default_value_t = 0.9, requires = "there")]
    temperature: f32,
    /// Synonyms of your own: a set a line, words separated by tabs [default: those that ship inside]
    #[arg(long, value_name = "FILE")]
    synonyms: Option<PathBuf>,
    /// More words that decide the label: a class (negation, contrast, degree, polarity), a tab, words
    #[arg(long, value_name = "FILE")]
    protect: Option<PathBuf>,
    /// A dictionary for Chinese words, a line being: word count tag [default: the text that ships inside]
    #[arg(long, value_name = "FILE")]
    dict: Option<PathBuf>,
    /// Where the text is: in a .tsv the number of the column, or its name in the first line [default: 2]; in
    /// a .jsonl the key [default: text]
    #[arg(long, alias = "text_column", value_name = "COLUMN")]
    text_column: Option<String>,
    /// Where the randomness starts; the same seed writes the same variants
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// One JSON object: {"examples": .., "variants": .., "fewer": ..}
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Default)]
struct Report {
    examples: usize,
    variants: usize,
    /// Examples of which there are fewer variants than asked for.
    fewer: usize,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (alpha, n) = strength(&args.eda)?;
    let text = data::read_text(&args.input)?;
    let (rows, header) = layout(args, &text)?;
    let write = |method: &dyn Paraphrase| -> Result<Report, Failure> {
        let mut out = NewFile::create(&args.out)?;
        let report = augment(args, &text, &rows, header, n, method, &mut out)?;
        out.finish()?;
        Ok(report)
    };
    let report = match (&args.there, &args.back) {
        (Some(there), Some(back)) => {
            let (there, back) = (model::load(there)?, model::load(back)?);
            let translator = |model| Answerer::sampling(model, args.temperature);
            write(&BackTranslation { forth: translator(&there)?, back: translator(&back)? })?
        }
        _ => write(&eda(args, alpha)?)?,
    };
    let line = if args.json {
        json!({ "examples": report.examples, "variants": report.variants, "fewer": report.fewer }).to_string()
    } else {
        let Report { examples, variants, fewer } = report;
        format!(
            "{examples} examples and {variants} variants in {}; {fewer} examples have fewer than {n}",
            args.out.display()
        )
    };
    print(&line)
}

/// Reads `a=.1,n=4`.
fn strength(text: &str) -> Result<(f64, usize), Failure> {
    let wrong = || Failure::input(format!("--eda {text}: expected a=A,n=N, as in a=.1,n=4 (N from 1 to 64)"));
    let (mut alpha, mut n) = (0.1, 4);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("a", value)) => alpha = value.parse().map_err(|_| wrong())?,
            Some(("n", value)) => n = value.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    if (1..=64).contains(&n) { Ok((alpha, n)) } else { Err(wrong()) }
}

fn eda(args: &Args, alpha: f64) -> Result<Eda, Failure> {
    let synonyms = match &args.synonyms {
        Some(path) => Synonyms::parse(&data::read_text(path)?, &name(path))?,
        None => Synonyms::built_in(),
    };
    let mut protection = Protection::built_in();
    if let Some(path) = &args.protect {
        protection.extend(Protection::parse(&data::read_text(path)?, &name(path))?);
    }
    let segmenter = match &args.dict {
        Some(path) => Segmenter::from_dict(Dict::parse(&data::read_text(path)?, &name(path))?),
        None => Segmenter::built_in(),
    };
    Ok(Eda::with(alpha, synonyms, protection, segmenter)?)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// The layout of the input, and whether its first line names the columns.
fn layout(args: &Args, text: &str) -> Result<(Rows, bool), Failure> {
    let extension = args.input.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    let column = args.text_column.as_deref();
    match extension.as_str() {
        "jsonl" | "ndjson" => Ok((Rows::Jsonl(column.unwrap_or("text").into()), false)),
        "tsv" => match column.unwrap_or("2").parse::<usize>() {
            Ok(0) => Err(Failure::input("--text-column 0: columns are numbered from 1")),
            Ok(number) => Ok((Rows::Tsv(number - 1), false)),
            Err(_) => {
                let (wanted, header) = (column.unwrap_or(""), text.lines().next().unwrap_or(""));
                let place = header.split('\t').position(|name| name.trim() == wanted);
                let place = place.ok_or_else(|| {
                    Failure::input(format!(
                        "{}, line 1: expected a column {wanted:?}, found the columns {:?}: name one of these, or give \
                         its number",
                        args.input.display(),
                        header.split('\t').collect::<Vec<_>>()
                    ))
                })?;
                Ok((Rows::Tsv(place), true))
            }
        },
        "csv" => Err(Failure::input(format!(
            "{}: expected lines of text, .tsv or .jsonl, found .csv: save the table with tabs between its columns",
            args.input.display()
        ))),
        _ if column.is_some() => Err(Failure::input(format!(
            "--text-column: {} is read as a text a line, which has no columns; name the file .tsv or .jsonl",
            args.input.display()
        ))),
        _ => Ok((Rows::Lines, false)),
    }
}

/// Every example, followed by its variants. Each example has randomness of its own, so that its variants do
/// not depend on the examples before it.
fn augment(
    args: &Args,
    text: &str,
    rows: &Rows,
    header: bool,
    n: usize,
    method: &dyn Paraphrase,
    out: &mut NewFile,
) -> Result<Report, Failure> {
    let bar = ProgressBar::new(text.lines().count() as u64); // hidden by itself where stderr is no terminal
    bar.set_style(
        ProgressStyle::with_template("{bar:24} {pos}/{len} lines | {elapsed} elapsed, {eta} left")
            .expect("a valid template"),
    );
    let mut report = Report::default();
    for (i, line) in text.lines().enumerate() {
        bar.inc(1);
        writeln!(out, "{line}").map_err(|e| out.unwritable(e))?;
        if line.trim().is_empty() || (header && i == 0) {
            continue;
        }
        let example = rows.text(line, &name(&args.input), i + 1)?;
        let mut rng = Rng::new(args.seed, Stream::Other(i as u64));
        let variants = method.paraphrases(&example, n, &mut rng)?;
        for variant in &variants {
            writeln!(out, "{}", rows.with_text(line, variant)).map_err(|e| out.unwritable(e))?;
        }
        report.examples += 1;
        report.variants += variants.len();
        report.fewer += usize::from(variants.len() < n);
    }
    bar.finish_and_clear();
    Ok(report)
}
