//! `newleaf score`: answers against the right ones.

use super::print;
use crate::screen::failure::Failure;
use data::metrics::{
    Bleu, Chrf, Confusion, Rouge, TextMetric, Tokenization, paired_bootstrap, pearson, spearman,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Score lines against references: BLEU, chrF, ROUGE, F1

  newleaf score bleu --hypothesis mine.txt --reference right.txt
  newleaf score bleu --tokenize zh --hypothesis mine.txt --reference a.txt --reference b.txt
  newleaf score chrf --hypothesis new.txt --baseline old.txt --reference right.txt    is new better than old?
  newleaf score rouge --hypothesis summaries.txt --reference right.txt --json
  newleaf score accuracy --hypothesis labels.txt --reference right.txt                and macro F1
  newleaf score correlation --hypothesis numbers.txt --reference right.txt

BLEU and chrF are sacrebleu's, ROUGE is rouge-score's, with Chinese characters as tokens.";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Metric {
    /// n-grams that agree, for translations
    Bleu,
    /// Character n-grams that agree, for translations
    Chrf,
    /// ROUGE-1, ROUGE-2 and ROUGE-L, F1, for summaries
    Rouge,
    /// Labels: the share that is right, and macro F1
    Accuracy,
    /// Numbers: Pearson's and Spearman's
    Correlation,
}

/// What `newleaf score` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure
    #[arg(value_name = "METRIC", value_enum)]
    metric: Metric,
    /// The answers, one a line
    #[arg(long, value_name = "FILE")]
    hypothesis: PathBuf,
    /// The right answers, line by line; bleu, chrf and rouge take several files
    #[arg(long, value_name = "FILE", required = true)]
    reference: Vec<PathBuf>,
    /// Answers of another system: is the difference more than luck? (paired bootstrap)
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// bleu: what a token is: 13a, zh (as sacrebleu has it), zh-fixed, char or none
    #[arg(long, value_name = "HOW", value_parser = tokenization)]
    tokenize: Option<Tokenization>,
    /// Sets that the paired bootstrap draws
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    draws: u32,
    /// Where its randomness starts
    #[arg(long, value_name = "S", default_value_t = 1337)]
    seed: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn tokenization(name: &str) -> Result<Tokenization, String> {
    let found = Tokenization::ALL.into_iter().find(|tokenization| tokenization.name() == name);
    found.ok_or_else(|| format!("one of {} is needed", Tokenization::ALL.map(Tokenization::name).join(", ")))
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.tokenize.is_some() && args.metric != Metric::Bleu {
        return Err(Failure::input("--tokenize is for bleu: leave it out"));
    }
    let hypotheses = Lines::read(&args.hypothesis)?;
    let references: Vec<Lines> =
        args.reference.iter().map(|path| Lines::read(path)).collect::<Result<_, _>>()?;
    let baseline = args.baseline.as_deref().map(Lines::read).transpose()?;
    for other in references.iter().chain(&baseline) {
        other.check_length(&hypotheses)?;
    }
    let result = match args.metric {
        Metric::Accuracy => accuracy(args, &hypotheses, single(&references)?, baseline.as_ref()),
        Metric::Correlation => correlation(&hypotheses, single(&references)?, baseline.as_ref())?,
        _ => texts(args, &hypotheses, &references, baseline.as_ref()),
    };
    print(&if args.json { format!("{result}\n") } else { for_people(&result) })
}

/// A file, line by line.
struct Lines {
    path: PathBuf,
    text: String,
}

impl Lines {
    fn read(path: &Path) -> Result<Lines, Failure> {
        Ok(Lines { path: path.to_path_buf(), text: data::read_text(path)? })
    }

    fn get(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    fn check_length(&self, other: &Lines) -> Result<(), Failure> {
        let (ours, theirs) = (self.get().len(), other.get().len());
        if ours != theirs {
            return Err(Failure::input(format!(
                "{}: {ours} lines, but {} has {theirs}: line i of each must be about the same thing",
                self.path.display(),
                other.path.display()
            )));
        }
        Ok(())
    }

    fn numbers(&self) -> Result<Vec<f64>, Failure> {
        let number = |(i, line): (usize, &str)| {
            line.trim().parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| {
                let path = self.path.display();
                Failure::input(format!("{path}, line {}: expected a number, found {line:?}", i + 1))
            })
        };
        self.text.lines().enumerate().map(number).collect()
    }
}

fn single(references: &[Lines]) -> Result<&Lines, Failure> {
    match references {
        [reference] => Ok(reference),
        _ => Err(Failure::input("this metric takes one --reference: a label or number has one right answer")),
    }
}

/// BLEU, chrF or ROUGE.
fn texts(args: &Args, hypotheses: &Lines, references: &[Lines], baseline: Option<&Lines>) -> Value {
    let lines: Vec<Vec<&str>> = references.iter().map(Lines::get).collect();
    let n = references.len();
    let metrics: Vec<(String, Box<dyn TextMetric>)> = match args.metric {
        Metric::Bleu => {
            let bleu = Bleu { tokenization: args.tokenize.unwrap_or_default(), references: n };
            vec![("bleu".into(), Box::new(bleu))]
        }
        Metric::Chrf => vec![("chrf".into(), Box::new(Chrf { references: n }))],
        _ => Rouge::ALL.map(|rouge| (rouge.name(), Box::new(rouge) as Box<dyn TextMetric>)).into(),
    };
    let mut result = json!({ "segments": lines[0].len() });
    for (name, metric) in metrics {
        let statistics = |answers: &Lines| -> Vec<Vec<f64>> {
            let of = |(i, answer)| {
                metric.statistics(answer, &lines.iter().map(|lines| lines[i]).collect::<Vec<_>>())
            };
            answers.text.lines().enumerate().map(of).collect()
        };
        let segments = hypotheses.text.lines().enumerate();
        let segments: Vec<(&str, Vec<&str>)> =
            segments.map(|(i, answer)| (answer, lines.iter().map(|lines| lines[i]).collect())).collect();
        result[&name] = json!({ "score": metric.corpus(&segments), "signature": metric.signature() });
        if let Some(baseline) = baseline {
            let score = |sums: &[f64]| metric.score(sums);
            let (ours, theirs) = (statistics(hypotheses), statistics(baseline));
            let comparison = paired_bootstrap(&ours, &theirs, score, args.draws as usize, args.seed);
            result[&name]["comparison"] = json!(comparison);
        }
    }
    result
}

fn accuracy(args: &Args, hypotheses: &Lines, reference: &Lines, baseline: Option<&Lines>) -> Value {
    let all = [Some(hypotheses), Some(reference), baseline].into_iter().flatten();
    let names: BTreeSet<&str> = all.flat_map(|lines| lines.text.lines().map(str::trim)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let numbers = |lines: &Lines| -> Vec<usize> {
        let number = |line: &str| names.binary_search(&line.trim()).expect("one of the names");
        lines.text.lines().map(number).collect()
    };
    let right = numbers(reference);
    let confusion = Confusion::new(names.len(), &numbers(hypotheses), &right);
    let mut result = json!({
        "segments": right.len(), "accuracy": confusion.accuracy(), "macro_f1": confusion.macro_f1(),
        "labels": names, "confusion": confusion,
    });
    if let Some(baseline) = baseline {
        let hits = |lines: &Lines| -> Vec<Vec<f64>> {
            let hit = |(told, right): (usize, &usize)| vec![f64::from(u8::from(told == *right)), 1.0];
            numbers(lines).into_iter().zip(&right).map(hit).collect()
        };
        let score = |sums: &[f64]| sums[0] / sums[1];
        let (ours, theirs) = (hits(hypotheses), hits(baseline)); // of the accuracy
        result["comparison"] = json!(paired_bootstrap(&ours, &theirs, score, args.draws as usize, args.seed));
    }
    result
}

fn correlation(hypotheses: &Lines, reference: &Lines, baseline: Option<&Lines>) -> Result<Value, Failure> {
    if baseline.is_some() {
        return Err(Failure::input(
            "--baseline is not for correlation: score the two files one after the other",
        ));
    }
    let (told, right) = (hypotheses.numbers()?, reference.numbers()?);
    let both = pearson(&told, &right).zip(spearman(&told, &right));
    let (pearson, spearman) = both.ok_or_else(|| {
        let (one, other) = (hypotheses.path.display(), reference.path.display());
        Failure::input(format!("{one} or {other}: all numbers are equal, so nothing goes with anything"))
    })?;
    Ok(json!({ "segments": told.len(), "pearson": pearson, "spearman": spearman }))
}

/// A line for each number, then what it was computed from.
fn for_people(result: &Value) -> String {
    let mut text = String::new();
    let fields = result.as_object().expect("an object");
    for (name, value) in fields.iter().filter(|(_, value)| value.is_f64()) {
        let _ = writeln!(text, "{name:<10} {:.4}", value.as_f64().expect("a number"));
    }
    for (name, value) in fields.iter().filter(|(_, value)| value["score"].is_f64()) {
        let score = value["score"].as_f64().expect("a number");
        let _ = writeln!(text, "{name:<10} {score:.2}  {}", value["signature"].as_str().unwrap_or_default());
        text += &compared(&value["comparison"], 2);
    }
    text += &compared(&result["comparison"], 4);
    if let (Some(labels), Some(rows)) = (result["labels"].as_array(), result["confusion"].as_array()) {
        text += "right label: how often each was told\n";
        for (label, row) in labels.iter().zip(rows) {
            let told = labels.iter().zip(row.as_array().into_iter().flatten());
            let told = told.filter(|(_, n)| n.as_u64() != Some(0));
            let told: Vec<String> =
                told.map(|(label, n)| format!("{} {n}", label.as_str().unwrap_or_default())).collect();
            let _ = writeln!(text, "  {}: {}", label.as_str().unwrap_or_default(), told.join(", "));
        }
    }
    let _ = writeln!(text, "{} segments", result["segments"]);
    text
}

/// What the paired bootstrap found; nothing without a baseline.
fn compared(comparison: &Value, digits: usize) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    if comparison.is_null() {
        return String::new();
    }
    let (second, difference) = (number(&comparison["second"]), number(&comparison["difference"]));
    let (low, high) = (number(&comparison["interval"][0]), number(&comparison["interval"][1]));
    let p = number(&comparison["p_value"]);
    format!(
        "  baseline {second:.digits$}: {difference:+.digits$} (95 %: {low:+.digits$} to {high:+.digits$}), p = {p:.3}\n"
    )
}
