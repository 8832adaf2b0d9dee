//! `newleaf summarize`: a short text for each document.

use crate::flags::answering::{AnswerArgs, LeftOut};
use crate::flags::reading::{ReadArgs, Reading, nothing_in};
use crate::screen::failure::Failure;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Summarize documents, by a model of finetune seq2seq

  newleaf summarize --model sum report.txt                          documents are separated by blank lines
  newleaf summarize --model sum reports.jsonl --text-column body
  newleaf summarize --model sum reports.txt --beam 8 > summaries.txt

A line a document. Three quarters of the model's context are for the document: of a longer one those sentences are read that say most
of it (SumBasic).";

/// What `newleaf summarize` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The documents; - or nothing for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    answers: AnswerArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let options = args.read.options()?;
    let model = args.answers.load()?;
    let mut answerer = args.answers.answerer(&model)?.extracting(true);
    let mut left_out = LeftOut::extracting();
    let mut documents = 0;
    for document in Reading::open(&args.files, &options)? {
        let text = document?.text;
        if text.trim().is_empty() {
            continue;
        }
        documents += 1;
        let answers = answerer.answers(&[text.trim()])?;
        let mut out = std::io::stdout().lock();
        for answer in answers {
            left_out.add(&answer);
            let written = writeln!(out, "{}", answer.line()).and_then(|()| out.flush());
            written.map_err(|e| Failure::output(&e))?;
        }
    }
    if documents == 0 {
        return Err(nothing_in(&args.files));
    }
    left_out.tell();
    Ok(ExitCode::SUCCESS)
}
