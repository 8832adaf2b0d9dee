//! `newleaf leak`: is the test text among what a model was trained on?

use super::print;
use crate::flags::reading::{ReadArgs, Reading, nothing_in};
use crate::screen::failure::Failure;
use data::clean::{LeakCheck, LeakReport};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Find test documents among training documents

  newleaf leak --train train.txt --test test.txt
  newleaf leak --train train.csv --test test.csv --text-column review --json

A test document has leaked if the same text (exact), nearly the same (near, similar by 0.7 or more), or at
least half of its 13-grams (overlap) are in the training text; width, case, punctuation and white space make
no difference. Memory grows with the test text alone.";

/// Leaks that are listed for people; with --json all are.
const LISTED: usize = 10;

/// What `newleaf leak` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text that a model is trained on
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// The text that it is tested on
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Words or Han characters in an n-gram
    #[arg(long, value_name = "N", default_value_t = 13, value_parser = clap::value_parser!(u32).range(1..))]
    ngram: u32,
    /// One JSON object: counts a kind, and all leaks with their lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let options = args.read.options()?;
    let mut check = LeakCheck::new(args.ngram as usize);
    data::read::file_length(&args.train)?; // better said now than after a long test text
    for document in Reading::open(std::slice::from_ref(&args.test), &options)? {
        let document = document?;
        check.add_test(&document.text, document.line);
    }
    for document in Reading::open(std::slice::from_ref(&args.train), &options)? {
        let document = document?;
        check.see_train(&document.text, document.line);
    }
    let report = check.report();
    for (documents, path) in [(report.test_documents, &args.test), (report.train_documents, &args.train)] {
        if documents == 0 {
            return Err(nothing_in(std::slice::from_ref(path)));
        }
    }
    let text = if args.json {
        serde_json::to_string(&report).expect("a report is JSON") + "\n"
    } else {
        for_people(&report)
    };
    print(&text)
}

fn for_people(report: &LeakReport) -> String {
    let percent = |n: u64, of: u64| format!("{n} ({:.2} %)", 100.0 * n as f64 / of.max(1) as f64);
    let documents = |n| percent(n, report.test_documents);
    let mut text = format!(
        "{} test documents, {} training documents\n  exact    {}\n  near     {}\n  overlap  {}\n  \
         {}-grams of the test text in the training text: {}\n",
        report.test_documents,
        report.train_documents,
        documents(report.exact),
        documents(report.near),
        documents(report.overlap),
        report.ngram,
        percent(report.shared_ngrams, report.test_ngrams)
    );
    for leak in report.leaks.iter().take(LISTED) {
        let train = leak.train_line.map_or(String::new(), |line| format!(" = training line {line}"));
        let start = leak.text.replace('\n', " ");
        let _ = writeln!(
            text,
            "  {:?}: test line {}{train} ({:.2}): {start}",
            leak.kind, leak.test_line, leak.similarity
        );
    }
    if report.leaks.len() > LISTED {
        let _ = writeln!(text, "  and {} more (all with --json)", report.leaks.len() - LISTED);
    }
    text
}
