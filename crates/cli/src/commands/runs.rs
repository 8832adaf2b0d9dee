//! `newleaf runs`: which trainings there are.

use super::print;
use crate::screen::failure::Failure;
use gpt::run_dir::{Metrics, RunInfo};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "List training runs: text, size, loss, date

  newleaf runs                   those in this directory and in runs/
  newleaf runs experiments --json

A run is a directory that newleaf train made. Runs that still go on are listed too.";

/// What `newleaf runs` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directories to look in, and in their directories
    #[arg(value_name = "DIR", default_value = ".")]
    directories: Vec<PathBuf>,
    /// One JSON object a run: {"path": .., "text": .., "parameters": .., "updates": .., "validation_loss": .., ..}
    #[arg(long)]
    json: bool,
}

/// How deep runs may lie below the directory that is named: runs/1 below the current one.
const DEPTH: usize = 2;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut paths = Vec::new();
    for directory in &args.directories {
        fs::read_dir(directory).map_err(|e| Failure::input(format!("{}: {e}", directory.display())))?;
        find(directory, DEPTH, &mut paths);
    }
    let mut runs: Vec<Value> = paths.iter().map(|path| described(path)).collect();
    runs.sort_by_key(|run| run["started"].as_str().unwrap_or("").to_string());
    if args.json {
        return print(&runs.iter().map(|run| format!("{run}\n")).collect::<String>());
    }
    if runs.is_empty() {
        eprintln!("no runs here; begin one: newleaf train --data my.txt --out my");
        return Ok(ExitCode::SUCCESS);
    }
    print(&table(&runs))
}

/// The directories with a `run.json`, in the order of their names.
fn find(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if directory.join("run.json").is_file() {
        found.push(directory.to_path_buf());
        return;
    }
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    below.sort();
    if depth > 0 {
        below.iter().for_each(|directory| find(directory, depth - 1, found));
    }
}

/// What is known of a run.
fn described(path: &Path) -> Value {
    let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let info = match RunInfo::read(path) {
        Ok(info) => info,
        Err(error) => return json!({ "path": name, "error": error.to_string() }),
    };
    let (updates, best) = progress(&path.join("metrics.jsonl"));
    let outcome = info.outcome.as_ref();
    let best = best.filter(|_| path.join("best").exists()); // else it is the loss of random weights
    json!({
        "path": name, "text": info.data.path, "started": info.started,
        "parameters": parameters(&info), "updates": updates, "max_iters": info.config.train.max_iters,
        "validation_loss": outcome.and_then(|outcome| outcome.best_val_loss).or(best), "ngram_loss": info.count_loss,
        "finished": outcome.is_some(),
    })
}

/// The number of parameters, without believing shapes that nothing could hold.
fn parameters(info: &RunInfo) -> Option<u64> {
    let model = &info.config.model;
    if info.config.validate().is_err() || model.n_layer > 1 << 16 {
        return None;
    }
    let size = |shape: &[usize]| shape.iter().try_fold(1_u64, |n, &k| n.checked_mul(k as u64));
    model.parameter_shapes().iter().try_fold(0_u64, |n, (_, shape)| n.checked_add(size(shape)?))
}

/// The latest update and the least validation loss in `metrics.jsonl`; lines that cannot be read are passed over.
fn progress(path: &Path) -> (u64, Option<f64>) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Metrics>(line).ok());
    lines.fold((0, None), |(updates, best), line| {
        let best = [best, line.val_loss].into_iter().flatten().min_by(f64::total_cmp);
        (line.iter.max(updates), best)
    })
}

fn table(runs: &[Value]) -> String {
    let mut rows =
        vec![["run", "text", "parameters", "updates", "loss", "n-gram", "started"].map(String::from)];
    for run in runs {
        let text = |name: &str| run[name].as_str().unwrap_or("").to_string();
        let loss = |name: &str| run[name].as_f64().map_or("-".into(), |loss| format!("{loss:.4}"));
        let count = |name: &str| run[name].as_u64().map_or("-".into(), |count| count.to_string());
        let updates = match run["finished"].as_bool() {
            Some(true) => count("updates"),
            Some(false) => format!("{}/{}", count("updates"), count("max_iters")),
            None => "unreadable".into(),
        };
        let file = Path::new(run["text"].as_str().unwrap_or("-"))
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let (file, started) =
            (file.unwrap_or_else(|| text("text")), text("started").chars().take(16).collect());
        let parameters = count("parameters");
        rows.push([
            text("path"),
            file,
            parameters,
            updates,
            loss("validation_loss"),
            loss("ngram_loss"),
            started,
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let line =
        |row: &[String; 7]| {
            let cells: Vec<String> =
                row.iter()
                    .zip(&widths)
                    .enumerate()
                    .map(|(i, (cell, &width))| {
                        if (2..6).contains(&i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
                    })
                    .collect();
            cells.join("  ").trim_end().to_string() + "\n"
        };
    rows.iter().map(line).collect()
}
