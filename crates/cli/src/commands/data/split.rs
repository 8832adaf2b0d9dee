//! `newleaf data split`: train, validation and test parts by document.

use crate::screen::byte_progress::{ByteProgress, megabytes};
use crate::screen::failure::Failure;
use data::dataset::{PartReport, SplitRule, split_file};
use data::read::{RecordEnd, Records, usual_record_end};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Divides a file into train, validation and test parts by document

  newleaf data split --in stories.txt --by doc --mark '* * *' --frac .8,.1,.1 --out parts
  newleaf data split --in reviews.csv --by doc --out parts         records, the header in every part
  newleaf data split --in book.txt --by paragraph --frac .9,.1 --out parts

A document's part depends on its own words and the seed alone: adding documents moves none, and equal
documents stay together. The parts are in UTF-8, whatever the file is in.";

/// What is a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    /// By the file's name: records of .csv and .tsv below their header, lines of .jsonl, else what --mark separates
    Doc,
    /// What empty lines separate
    Paragraph,
    /// Every line that is not empty
    Line,
}

/// How documents are found.
#[derive(Debug, clap::Args)]
pub(super) struct DocumentArgs {
    /// The line that stands between the documents of a text
    #[arg(long, value_name = "TEXT", default_value = "<|endoftext|>")]
    mark: String,
    /// The encoding, if it cannot be found: UTF-8, UTF-16LE, GB18030, Big5, Shift_JIS, windows-1252, ...
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<String>,
}

impl DocumentArgs {
    pub(super) fn open(&self, by: By, input: &Path) -> Result<Records, Failure> {
        if self.mark.trim_end().is_empty() || self.mark.contains(['\n', '\r']) {
            return Err(Failure::input(format!(
                "--mark {:?}: expected one line with something in it",
                self.mark
            )));
        }
        let end = match by {
            By::Doc => usual_record_end(input, self.mark.trim_end()),
            By::Paragraph => RecordEnd::EmptyLine,
            By::Line => RecordEnd::Line,
        };
        let records = Records::open(input, end, self.encoding.as_deref())?;
        eprintln!("{}: {}", input.display(), records.encoding());
        Ok(records)
    }
}

/// What `newleaf data split` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// What is a document
    #[arg(long, value_name = "WHAT", default_value = "doc")]
    by: By,
    #[command(flatten)]
    documents: DocumentArgs,
    /// Which share goes to train, validation and test; two numbers: no test part
    #[arg(long, value_name = "F,F,F", default_value = ".8,.1,.1", allow_hyphen_values = true)]
    frac: String,
    /// Another seed, other parts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// A new directory for the parts
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// One JSON object: {"train": {"path": .., "documents": .., "bytes": ..}, ..}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let rule = SplitRule::new(fractions(&args.frac)?, args.seed)?;
    let documents = args.documents.open(args.by, &args.input)?;
    let bar = ByteProgress::new("splitting", 0, std::fs::metadata(&args.input).ok().map(|m| m.len()));
    let reports = split_file(documents, &rule, &args.out, &mut |done, _| bar.set(done))?;
    eprintln!("{}", bar.finish(reports.iter().map(|report| report.bytes).sum()));
    let text = if args.json {
        let part = |r: &PartReport| {
            let path = r.path.display().to_string();
            (r.part.to_string(), json!({"path": path, "documents": r.documents, "bytes": r.bytes}))
        };
        serde_json::Value::Object(reports.iter().map(part).collect()).to_string()
    } else {
        let all: u64 = reports.iter().map(|report| report.documents).sum();
        let line = |r: &PartReport| {
            let share = 100.0 * r.documents as f64 / all as f64;
            format!("{}: {} documents ({share:.1} %), {}", r.path.display(), r.documents, megabytes(r.bytes))
        };
        reports.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    super::print(&text)
}

/// `.8,.1,.1` or `.9,.1`.
fn fractions(text: &str) -> Result<[f64; 3], Failure> {
    let wrong =
        || Failure::input(format!("--frac {text:?}: expected two or three numbers, such as .8,.1,.1"));
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    match numbers.map_err(|_| wrong())?[..] {
        [train, val] => Ok([train, val, 0.0]),
        [train, val, test] => Ok([train, val, test]),
        _ => Err(wrong()),
    }
}
