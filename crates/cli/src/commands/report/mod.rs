//! `newleaf report`: a page about one or several training runs, or a fine-tuning.

mod compare;
mod figures;
mod page;
mod planned;
mod record;
mod series;
mod summary;
mod tuned;
mod verdict;
mod words;
mod written;

use super::print;
use crate::screen::failure::Failure;
use data::NewFile;
use figures::Figure;
use record::Record;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use words::MARKER;
use written::Report;

pub(crate) const ABOUT: &str = "Write a page about runs or a fine-tuning

  newleaf report my                              writes my/report.html
  newleaf report my other --out both.html        both in one picture, and what differs between them
  newleaf report my --svg pictures               the pictures as files of their own, for a README
  newleaf report my --floor 1.2 --json           with the least loss that is possible; the figures as JSON
  newleaf report reviews                         of newleaf finetune, writes reviews.html: scores beside simple
                                                 methods, confusions, the worst errors and what led to them

The page is one file that loads nothing. A run that is still going on is shown as far as it is. A file that this command did
not write is never replaced.";

/// More runs than letters cannot be told apart.
const MOST_RUNS: usize = 26;

/// What `newleaf report` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directories of runs, as newleaf train --out makes them, or one of newleaf finetune --out
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page goes [default: report.html, in the run's directory if it is one run; DIR.html for a fine-tuning]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write each picture as a file in this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// The entropy of the text in nats per token, as newleaf synth tells it: no loss can be below
    #[arg(long, value_name = "NATS", allow_hyphen_values = true)]
    floor: Option<f64>,
    /// One JSON object on stdout: {"out": .., "pictures": [..], "runs": [..], "differences": {..}}, or of a fine-tuning
    /// "result" instead of the last two
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    check(args)?;
    let tuned = tuned::named(&args.runs, args.floor)?;
    let out = args.out.clone().unwrap_or_else(|| match (tuned, &args.runs[..]) {
        (Some(dir), _) => tuned::page_beside(dir),
        (None, [run]) => run.join("report.html"),
        _ => PathBuf::from("report.html"),
    });
    let report = match tuned {
        Some(dir) => tuned::report(dir)?,
        None => of_runs(args)?,
    };
    let pictures: Vec<PathBuf> = match &args.svg {
        Some(folder) => {
            report.figures.iter().map(|figure| folder.join(format!("{}.svg", figure.name))).collect()
        }
        None => Vec::new(),
    };
    check_output(&out, args.svg.as_deref(), &pictures)?;
    write(&out, &report.page, args.svg.as_deref(), &pictures, &report.figures)?;
    let text = match args.json {
        true => {
            let mut object = json!({
                "out": out.display().to_string(),
                "pictures": pictures.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            });
            if let (Some(object), Value::Object(more)) = (object.as_object_mut(), report.json) {
                object.extend(more);
            }
            object.to_string()
        }
        false => {
            let files: String =
                pictures.iter().map(|path| format!("picture: {}\n", path.display())).collect();
            format!("{}report: {}\n{files}", report.lines, out.display())
        }
    };
    print(&text)
}

fn of_runs(args: &Args) -> Result<Report, Failure> {
    let records = args.runs.iter().map(|path| Record::read(path)).collect::<Result<Vec<_>, _>>()?;
    let figures = figures::all(&records, args.floor);
    Ok(Report {
        page: page::page(&records, &figures, args.floor),
        figures,
        lines: records.iter().map(summary::line).collect(),
        json: json!({
            "runs": records.iter().map(|record| summary::json(record, args.floor)).collect::<Vec<_>>(),
            "differences": compare::json(&records),
        }),
    })
}

/// What can be said of the command line alone.
fn check(args: &Args) -> Result<(), Failure> {
    if let Some(floor) = args.floor.filter(|floor| !(floor.is_finite() && *floor >= 0.0)) {
        return Err(Failure::input(format!("--floor {floor}: expected a loss in nats per token, 0 or more")));
    }
    if args.runs.len() > MOST_RUNS {
        let found = args.runs.len();
        return Err(Failure::input(format!(
            "{found} runs: expected at most {MOST_RUNS}, to be told apart; leave some out"
        )));
    }
    let mut seen = Vec::new();
    for run in &args.runs {
        let real = run.canonicalize().unwrap_or_else(|_| run.clone());
        if seen.contains(&real) {
            return Err(Failure::input(format!("{}: this run is named twice: name it once", run.display())));
        }
        seen.push(real);
    }
    Ok(())
}

/// Refuses what could not be written, or would replace something else, before anything is written.
fn check_output(out: &Path, folder: Option<&Path>, pictures: &[PathBuf]) -> Result<(), Failure> {
    replaceable(out)?;
    pictures.iter().try_for_each(|path| Failure::if_one_file(out, path))?;
    match folder {
        Some(folder) if folder.is_dir() => pictures.iter().try_for_each(|path| replaceable(path)),
        Some(folder) if folder.symlink_metadata().is_ok() => Err(Failure::input(format!(
            "--svg {}: expected a directory, found a file: give another path",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// An error if a file has the name that is not one of ours. An empty one is nobody's loss.
fn replaceable(path: &Path) -> Result<(), Failure> {
    NewFile::check(path)?;
    let mut begin = Vec::new();
    if let Ok(file) = File::open(path) {
        let read = file.take(1024).read_to_end(&mut begin);
        read.map_err(|e| Failure::input(format!("{}: cannot be read: {e}", path.display())))?;
    }
    let begin = String::from_utf8_lossy(&begin);
    let marks = [format!("<meta name=\"generator\" content=\"{MARKER}\"/>"), format!("<desc>{MARKER}: ")];
    if begin.is_empty() || marks.iter().any(|mark| begin.contains(mark)) {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{}: expected no file or a report of newleaf, found another file: give another path, or remove it",
        path.display()
    )))
}

/// Writes the page and the pictures: each whole or not at all, and none if there is no room for all.
fn write(
    out: &Path,
    page: &str,
    folder: Option<&Path>,
    pictures: &[PathBuf],
    figures: &[Figure],
) -> Result<(), Failure> {
    if let Some(folder) = folder {
        fs::create_dir_all(folder)
            .map_err(|e| Failure::input(format!("--svg {}: cannot be made: {e}", folder.display())))?;
    }
    let mut files = vec![(NewFile::create(out)?, page.to_string())];
    for (path, figure) in pictures.iter().zip(figures) {
        files.push((NewFile::create(path)?, figure.picture().standalone()));
    }
    for (file, content) in &mut files {
        file.write_all(content.as_bytes()).map_err(|e| file.unwritable(e))?;
    }
    files.into_iter().try_for_each(|(file, _)| Ok(file.finish()?))
}
