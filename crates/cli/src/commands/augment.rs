//! `newleaf augment`: more labelled examples from few.

use super::print;
use crate::flags::answering::Answerer;
use crate::flags::reading::{ReadArgs, Reading, is_stdin};
use crate::screen::failure::Failure;
use crate::work::model;
use data::augment::{BackTranslation, Eda, Paraphrase, Protection, Synonyms};
use data::read::{DocumentWriter, Options, OutFormat, Quotes, format_of};
use data::segment::{Dict, Segmenter};
use data::{DataError, NewFile};
use random::{Rng, Stream};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str =
    "Make more labelled examples of few (EDA, translation)

  newleaf augment --in reviews.tsv --out more.tsv                       columns named in the first line: label, text
  newleaf augment --in reviews.tsv --out more.tsv --eda a=.2,n=8 --seed 7
  newleaf augment --in reviews.jsonl --out more.jsonl --text-column review --json
  newleaf augment --in lines.txt --out more.txt --synonyms mine.tsv     a set of synonyms a line, tabs between
  newleaf augment --in zh.tsv --out more.tsv --there zh-en --back en-zh two models of newleaf finetune seq2seq

Every example is kept, and followed by its variants with the same label. Words that decide a label (not, but,
too, good; 不, 但是, 很, 好) are neither lost nor moved. Augment the training part only, after the split.";

/// What `newleaf augment` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The examples: .csv, .tsv or .jsonl by their names, anything else as a text a line; - for the standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Where to write the examples and their variants, in the same format
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
    Failure::if_same(&args.out, &args.input)?;
    NewFile::check(&args.out)?;
    let mut options = args.read.options()?;
    if options.format.is_none() && (is_stdin(&args.input) || format_of(&args.input).name == "text") {
        options.format = Some("lines".into());
    }
    let reading = Reading::open(std::slice::from_ref(&args.input), &options)?;
    let report = match (&args.there, &args.back) {
        (Some(there), Some(back)) => {
            let (there, back) = (model::load(there)?, model::load(back)?);
            let translator = |model| Answerer::sampling(model, args.temperature);
            augment(
                args,
                reading,
                &options,
                n,
                &BackTranslation { forth: translator(&there)?, back: translator(&back)? },
            )?
        }
        _ => augment(args, reading, &options, n, &eda(args, alpha)?)?,
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

/// Every example, followed by its variants. Each example has randomness of its own, so that its variants do
/// not depend on the examples before it.
fn augment(
    args: &Args,
    mut reading: Reading,
    options: &Options,
    n: usize,
    method: &dyn Paraphrase,
) -> Result<Report, Failure> {
    let layout = reading.layout();
    let format = match (layout.delimiter, layout.format) {
        (Some(delimiter), _) if options.quotes == Quotes::None => OutFormat::BareRows(delimiter),
        (Some(delimiter), _) => OutFormat::Rows(delimiter),
        (None, "jsonl") => OutFormat::Jsonl,
        (None, "lines") => OutFormat::Lines,
        _ => OutFormat::Text,
    };
    let mut writer = DocumentWriter::new(NewFile::create(&args.out)?, format);
    let unwritable = |source| DataError::Unwritable { path: args.out.clone(), source };
    let mut report = Report::default();
    for i in 0.. {
        let Some(mut example) = reading.next().transpose()? else { break };
        writer.write(&example).map_err(unwritable)?;
        if example.text.trim().is_empty() {
            continue;
        }
        let mut rng = Rng::new(args.seed, Stream::Other(i));
        let variants = method.paraphrases(&example.text, n, &mut rng)?;
        report.examples += 1;
        report.variants += variants.len();
        report.fewer += usize::from(variants.len() < n);
        for variant in variants {
            example.text = variant;
            writer.write(&example).map_err(unwritable)?;
        }
    }
    if report.variants == 0 {
        return Err(Failure::input(format!(
            "{}: not one of {} examples has a variant, so nothing was written: is the text in another column \
             (--text-column)? Words that decide a label are not changed",
            args.input.display(),
            report.examples
        )));
    }
    writer.into_inner().finish()?;
    Ok(report)
}
