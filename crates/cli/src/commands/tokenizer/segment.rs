//! `newleaf tokenizer segment`: Chinese text into words, and how well that goes.

use crate::commands::print;
use crate::screen::failure::Failure;
use data::DataError;
use data::segment::{Dict, Gold, Method, Score, Segmenter, cross_validate};
use serde_json::{Map, Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Chinese text into words, separated by spaces

  echo 我们下午去图书馆借书 | newleaf tokenizer segment
  newleaf tokenizer segment --dict my-words.txt < novel.txt > words.txt    a line of a dictionary: 图书馆 120 n
  newleaf tokenizer segment --train gold.txt --eval held-out.txt           precision, recall, F1 of all methods
  newleaf tokenizer segment --folds 5 --json                               cross-validation on the own gold text";

/// What `newleaf tokenizer segment` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A dictionary, a line being: word count tag (jieba's format) [default: learn from the text that ships inside]
    #[arg(long, value_name = "FILE", conflicts_with = "train")]
    dict: Option<PathBuf>,
    /// Learn from segmented text: a sentence a line, words separated by spaces
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// fmm, bmm (maximum matching), dag (likeliest words) or dag+hmm (and unknown words by their shape)
    /// [default: dag+hmm; with --eval and --folds: all four]
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Compare with segmented text instead of reading standard input
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Cross-validate on the text to learn from: every K-th sentence is held out, in turn
    #[arg(long, value_name = "K", conflicts_with_all = ["dict", "eval"], value_parser = clap::value_parser!(u16).range(2..=100))]
    folds: Option<u16>,
    /// A line of input becomes an array of words; with --eval and --folds one object, a method each
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let method = args.method.as_deref().map(Method::from_name).transpose()?;
    let methods = method.map_or(Method::ALL.to_vec(), |method| vec![method]);
    if let Some(folds) = args.folds {
        let gold = training_text(args)?;
        if gold.sentences.len() < usize::from(folds) {
            return Err(Failure::input(format!(
                "--folds {folds}: there are only {} sentences; use fewer folds",
                gold.sentences.len()
            )));
        }
        return report(args, methods.iter().map(|&m| (m, cross_validate(&gold, folds.into(), m))));
    }
    let segmenter = match &args.dict {
        Some(path) => Segmenter::from_dict(Dict::parse(&data::read_text(path)?, &name(path))?),
        None => Segmenter::from_gold(&training_text(args)?),
    };
    match &args.eval {
        Some(path) => {
            let gold = read_gold(path)?;
            report(args, methods.iter().map(|&m| (m, vec![Score::of(&segmenter, &gold, m)])))
        }
        None => segment_stdin(args, &segmenter, method.unwrap_or(Method::DagHmm)),
    }
}

fn training_text(args: &Args) -> Result<Gold, Failure> {
    args.train.as_deref().map_or_else(|| Ok(Gold::built_in()), read_gold)
}

fn read_gold(path: &Path) -> Result<Gold, Failure> {
    Ok(Gold::parse(&data::read_text(path)?, &name(path))?)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Line by line, so that a text of any length needs the memory of a line.
fn segment_stdin(args: &Args, segmenter: &Segmenter, method: Method) -> Result<ExitCode, Failure> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut bytes, mut offset) = (Vec::new(), 0);
    for number in 1.. {
        bytes.clear();
        let read = input.read_until(b'\n', &mut bytes);
        if read.map_err(|e| Failure::other(format!("cannot read standard input: {e}")))? == 0 {
            break;
        }
        let line = std::str::from_utf8(&bytes).map_err(|e| not_utf8(number, offset + e.valid_up_to()))?;
        offset += bytes.len();
        let words = segmenter.segment(line.trim_start_matches('\u{FEFF}'), method);
        let text = if args.json { json!(words).to_string() } else { words.join(" ") };
        writeln!(output, "{text}").map_err(|e| Failure::output(&e))?;
    }
    output.flush().map_err(|e| Failure::output(&e))?;
    Ok(ExitCode::SUCCESS)
}

fn not_utf8(line: u64, offset: usize) -> DataError {
    DataError::Malformed {
        what: "standard input".into(),
        place: format!("byte {offset}, line {line}"),
        found: "bytes that are none".into(),
        expected: "UTF-8".into(),
        remedy: "convert the text first, for instance with: iconv -f GB18030 -t UTF-8".into(),
    }
}

/// The scores of the methods, on stdout. Several scores are those of folds: the ratios are of their sums.
fn report(args: &Args, scores: impl Iterator<Item = (Method, Vec<Score>)>) -> Result<ExitCode, Failure> {
    let mut object = Map::new();
    let mut table = "method   precision  recall     F1   OOV rate  OOV recall   (percent)\n".to_string();
    for (method, folds) in scores {
        let mut sum = Score::default();
        folds.iter().for_each(|&fold| sum += fold);
        let ratios = [sum.precision(), sum.recall(), sum.f1(), sum.oov_rate(), sum.oov_recall()];
        let [p, r, f, oov, found] = ratios.map(|ratio| 100.0 * ratio);
        table += &format!("{:7} {p:10.2} {r:7.2} {f:6.2} {oov:10.2} {found:11.2}\n", method.name());
        object.insert(method.name().into(), json_of(&sum, &folds));
    }
    let text = if args.json { Value::Object(object).to_string() } else { table };
    print(&text)
}

fn json_of(sum: &Score, folds: &[Score]) -> Value {
    let mut value = json!({
        "precision": sum.precision(), "recall": sum.recall(), "f1": sum.f1(),
        "oov_rate": sum.oov_rate(), "oov_recall": sum.oov_recall(),
        "gold_words": sum.gold, "found_words": sum.found, "correct_words": sum.correct,
    });
    if folds.len() > 1 {
        value["f1_of_folds"] = json!(folds.iter().map(Score::f1).collect::<Vec<_>>());
    }
    value
}
