//! `newleaf data split`: train, validation and test parts by document.

use crate::flags::reading::{ReadArgs, Reading, is_stdin};
use crate::screen::byte_progress::megabytes;
use crate::screen::failure::Failure;
use data::dataset::{PartReport, SplitRule, split_documents};
use data::read::{Options, Wanted};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Divides a file into train, validation and test parts by document

  newleaf data split --in clean.txt --out parts                     documents between blank lines
  newleaf data split --in stories.txt --mark '* * *' --frac .8,.1,.1 --out parts
  newleaf data split --in reviews.csv --text-column review --out parts     rows, the header in every part
  newleaf data split --in reviews.tsv --group product --out parts   all reviews of a product in one part

A document's part depends on its own text (or its group) and the seed alone: adding documents moves none, and
equal texts stay together. The parts are in UTF-8, whatever the file is in.";

/// Other names of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    /// By the file's name
    Doc,
    /// --format text
    Paragraph,
    /// --format lines
    Line,
}

impl By {
    /// The format that is meant, if it is not that of the file.
    pub(super) fn format(self) -> Option<String> {
        match self {
            By::Doc => None,
            By::Paragraph => Some("text".into()),
            By::Line => Some("lines".into()),
        }
    }
}

/// What `newleaf data split` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file, - for the standard input
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Another way to say --format
    #[arg(long, value_name = "WHAT", hide = true, conflicts_with = "format")]
    by: Option<By>,
    #[command(flatten)]
    read: ReadArgs,
    /// Which share goes to train, validation and test; two numbers: no test part
    #[arg(long, value_name = "F,F,F", default_value = ".8,.1,.1", allow_hyphen_values = true)]
    frac: String,
    /// Another seed, other parts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// Documents with the same value in this column stay together
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// A new directory for the parts
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// One JSON object: {"train": {"path": .., "documents": .., "bytes": ..}, ..}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let rule = SplitRule::new(fractions(&args.frac)?, args.seed)?;
    let mut options = Options { wanted: Wanted::TextOrRow, ..args.read.options()? };
    options.format = args.by.and_then(By::format).or(options.format);
    let reading = Reading::open(std::slice::from_ref(&args.input), &options)?;
    let layout = reading.layout();
    let name = match is_stdin(&args.input) {
        true => {
            PathBuf::from("-").with_extension(if layout.between.is_some() { "txt" } else { layout.format })
        }
        false => args.input.clone(),
    };
    let report = split_documents(reading, &name, &layout, &rule, args.group.as_deref(), &args.out)?;
    if report.torn > 0 {
        eprintln!(
            "warning: {} documents have the same text as one of another group, in another part; remove duplicates \
             first: newleaf clean --dedup exact",
            report.torn
        );
    }
    let text = if args.json {
        let part = |r: &PartReport| {
            let path = r.path.display().to_string();
            (r.part.to_string(), json!({"path": path, "documents": r.documents, "bytes": r.bytes}))
        };
        serde_json::Value::Object(report.parts.iter().map(part).collect()).to_string()
    } else {
        let all: u64 = report.parts.iter().map(|part| part.documents).sum();
        let line = |r: &PartReport| {
            let share = 100.0 * r.documents as f64 / all as f64;
            format!("{}: {} documents ({share:.1} %), {}", r.path.display(), r.documents, megabytes(r.bytes))
        };
        report.parts.iter().map(line).collect::<Vec<_>>().join("\n")
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
