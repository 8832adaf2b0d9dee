//! `newleaf classify`: the labels of texts, by a fine-tuned model.

use crate::flags::answering::{LeftOut, lines_of_stdin};
use crate::screen::failure::Failure;
use crate::work::model;
use data::baseline::likeliest;
use gpt::tune::{SavedClassifier, Target, load_classifier};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Predict labels of lines, by a model of finetune classify

  echo 'the soup was cold' | newleaf classify --model reviews
  newleaf classify --model reviews < lines.txt > labels.tsv
  newleaf classify --model reviews --explain 3 < lines.txt

For each line the label and its probability, with a tab between; a number, if the model is one of newleaf finetune
regress. Otherwise it is one of newleaf finetune classify. An empty line gets an empty line.";

/// What `newleaf classify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory of the classifier
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The model that it was made of, if that was moved
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// The N words, or runs of words, of the text that speak most for its label, in a third column
    #[arg(long, value_name = "N", default_value_t = 0)]
    explain: usize,
    /// The probabilities of all labels: {"label": .., "p": {..}} a line
    #[arg(long)]
    json: bool,
}

/// Lines that are computed together; somebody who types gets each answer at once.
const LINES: usize = 256;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let saved = load_classifier(&args.model, args.base.as_deref())?;
    if args.explain > 0 && saved.wide.is_none() {
        return Err(Failure::input(format!(
            "--explain: {} looks at no words, only at the model, whose reasons cannot be told: make one with newleaf finetune \
             classify without --wide 0",
            args.model.display()
        )));
    }
    let (mut out, mut left_out) = (std::io::stdout().lock(), LeftOut::default());
    lines_of_stdin(LINES, |lines| answer(args, &saved, lines, &mut left_out, &mut out))?;
    left_out.tell();
    Ok(ExitCode::SUCCESS)
}

fn answer(
    args: &Args,
    saved: &SavedClassifier,
    lines: &[String],
    left_out: &mut LeftOut,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let pattern = saved.classifier.config.head.pattern();
    let most = saved.classifier.max_tokens(&saved.params);
    let mut ids = |line: &String| {
        let (ids, unknown) = model::encode_text(&saved.tokenizer, pattern, line);
        left_out.count(ids.len() > most, unknown, line.chars().count());
        ids
    };
    let texts: Vec<Vec<u32>> = lines.iter().filter(|line| !line.trim().is_empty()).map(&mut ids).collect();
    let told: Vec<String> =
        match &saved.classifier.config.target {
            Target::Label { names } => {
                let mut p = saved.classifier.probabilities(&saved.params, &texts);
                let lines: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
                if let Some(wide) = &saved.wide {
                    p = p.iter().zip(&lines).map(|(p, line)| wide.probabilities(p, line)).collect();
                }
                p.iter().zip(lines).map(|(p, line)| label(args, saved, names, p, line)).collect()
            }
            _ => {
                let numbers = saved.classifier.numbers(&saved.params, &texts).into_iter().flatten();
                numbers
                    .map(|number| {
                        if args.json {
                            json!({ "number": number }).to_string()
                        } else {
                            format!("{number:.4}")
                        }
                    })
                    .collect()
            }
        };
    // An empty line for an empty line, so that line n belongs to line n.
    let (mut told, nothing) = (told.iter(), if args.json { "{}" } else { "" });
    for line in lines {
        let answer = if line.trim().is_empty() { nothing } else { told.next().map_or("", String::as_str) };
        writeln!(out, "{answer}").map_err(|e| Failure::output(&e))?;
    }
    out.flush().map_err(|e| Failure::output(&e))
}

/// The likeliest label with its probability, or all probabilities; and what speaks for it, if that was asked.
fn label(args: &Args, saved: &SavedClassifier, names: &[String], p: &[f64], line: &str) -> String {
    let best = likeliest(p);
    let explained = saved.wide.as_ref().filter(|_| args.explain > 0);
    let mut because = explained.map_or(Vec::new(), |wide| wide.reasons(line, best));
    because.retain(|(_, weight)| *weight > 0.0);
    because.truncate(args.explain);
    if args.json {
        let all: serde_json::Map<_, _> = names.iter().cloned().zip(p.iter().map(|&p| p.into())).collect();
        let mut answer = json!({ "label": names[best], "p": all });
        if explained.is_some() {
            answer["because"] = json!(because);
        }
        return answer.to_string();
    }
    // A label takes a line and a column, whatever is in it.
    let mut answer = format!("{}\t{:.4}", names[best].replace(['\n', '\r', '\t'], " "), p[best]);
    if explained.is_some() {
        let because: Vec<String> =
            because.iter().map(|(run, weight)| format!("{run} {weight:+.2}")).collect();
        answer += &format!("\t{}", because.join(", "));
    }
    answer
}
