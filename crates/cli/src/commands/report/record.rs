//! Reading what a run has written so far. The run may still be going on: it is not locked, and nothing is written.

use crate::screen::failure::Failure;
use data::DataError;
use gpt::config::{Config, Preset};
use gpt::run_dir::{Metrics, RunInfo, Sample};
use serde_json::{Map, Value};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// More losses by objective than this in a line are no run's.
const MOST_OBJECTIVES: usize = 16;

/// What a run has written so far.
pub(super) struct Record {
    pub(super) path: PathBuf,
    pub(super) info: RunInfo,
    /// Lines with the loss of a batch.
    pub(super) steps: Vec<Metrics>,
    /// Lines with a validation loss.
    pub(super) evaluations: Vec<Metrics>,
    pub(super) samples: Vec<Sample>,
    max_iters: u64,
}

impl Record {
    /// Reads the directory of a run.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        if !path.join("run.json").is_file() {
            let found = if path.is_dir() { "a directory without run.json" } else { "no directory" };
            return Err(Failure::input(format!(
                "{}: expected the directory of a run, found {found}: name one that newleaf train --out made",
                path.display()
            )));
        }
        let info = RunInfo::read(path)?;
        let (steps, evaluations) = metrics(&path.join("metrics.jsonl"))?;
        let samples = match fs::read(path.join("samples.txt")) {
            Ok(bytes) => Sample::parse(&String::from_utf8_lossy(&bytes)), // it may end within a character
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(&path.join("samples.txt"), &error)),
        };
        let max_iters = latest_config(path).unwrap_or_else(|| info.config.clone()).train.max_iters as u64;
        Ok(Self { path: path.to_path_buf(), info, steps, evaluations, samples, max_iters })
    }

    /// Its path, as it was given.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The latest line.
    pub(super) fn latest(&self) -> Option<&Metrics> {
        self.steps.last().into_iter().chain(self.evaluations.last()).max_by_key(|line| line.iter)
    }

    /// The evaluation with the least loss.
    pub(super) fn best(&self) -> Option<&Metrics> {
        let loss = |line: &&Metrics| line.val_loss.unwrap_or(f64::INFINITY);
        self.evaluations.iter().min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    /// How many updates it is to make: what the latest checkpoint says, which knows what `--resume --max-iters` was told.
    pub(super) fn max_iters(&self) -> u64 {
        self.max_iters
    }

    /// The preset that its command names, or the one that is taken without a name.
    pub(super) fn preset(&self) -> Preset {
        let words = &self.info.command;
        let after = words.iter().position(|word| word == "--preset").and_then(|i| words.get(i + 1));
        let joined = words.iter().find_map(|word| word.strip_prefix("--preset="));
        let name = after.map(String::as_str).or(joined);
        name.and_then(|name| Preset::from_name(name).ok()).unwrap_or_default()
    }

    /// Its settings as they are without any on the command line.
    pub(super) fn default_config(&self) -> Config {
        self.preset().config(self.info.config.model.vocab_size)
    }

    /// How many numbers the model has learned, or will.
    pub(super) fn parameters(&self) -> usize {
        let shapes = self.info.config.model.parameter_shapes();
        shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

/// The settings of the latest checkpoint. None if there is no checkpoint, or it is removed or replaced at this moment.
fn latest_config(run: &Path) -> Option<Config> {
    let steps = fs::read_dir(run.join("checkpoints")).ok()?.flatten();
    let step =
        |path: PathBuf| Some((path.file_name()?.to_str()?.strip_prefix("step-")?.parse::<u64>().ok()?, path));
    let latest = steps.filter_map(|entry| step(entry.path())).max()?.1;
    let mut text = String::new();
    fs::File::open(latest.join("config.json")).ok()?.take(MAX_CONFIG_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The lines of `metrics.jsonl`: those of updates, and those of evaluations. A last line without its end is still being written, or was cut off by a crash: it does not
/// count.
fn metrics(path: &Path) -> Result<(Vec<Metrics>, Vec<Metrics>), Failure> {
    let malformed = |place: String, expected: &str, found: String, remedy: &str| {
        let what = path.display().to_string();
        Failure::from(DataError::Malformed {
            what,
            place,
            found,
            expected: expected.into(),
            remedy: remedy.into(),
        })
    };
    let remedy = "wait for the first evaluation, or begin the run again";
    let mut file = match fs::File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let found = "no such file".into();
            return Err(malformed(String::new(), "a line for each evaluation", found, remedy));
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    let (mut steps, mut evaluations, mut last) = (Vec::new(), Vec::new(), None);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(|error| unreadable(path, &error))?;
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let place = || format!("line {number}");
        let remedy = "take the line out, or get the file from a backup";
        let read = parse(line).map_err(|(expected, found)| malformed(place(), expected, found, remedy))?;
        if let Some(before) = last.filter(|before| *before > read.iter) {
            let expected = format!("an iteration from {before} on, that of the line before");
            return Err(malformed(place(), &expected, read.iter.to_string(), remedy));
        }
        last = Some(read.iter);
        if read.val_loss.is_some() { evaluations.push(read) } else { steps.push(read) }
    }
    if last.is_none() {
        return Err(malformed(String::new(), "a line for each evaluation", "no whole line".into(), remedy));
    }
    Ok((steps, evaluations))
}

/// One line. Keys that are not known may hold anything. The error: what was expected, and what was found.
fn parse(line: &[u8]) -> Result<Metrics, (&'static str, String)> {
    let excerpt = || {
        let text = String::from_utf8_lossy(line);
        let begin: String = text.chars().take(40).collect();
        format!("{begin:?}{}", if begin.len() < text.len() { " and more" } else { "" })
    };
    let object: Map<String, Value> = serde_json::from_slice(line)
        .map_err(|_| ("one JSON object with iter, tokens and elapsed_s", excerpt()))?;
    let whole = |key: &str| {
        let value = object.get(key).unwrap_or(&Value::Null);
        value.as_u64().ok_or_else(|| ("iter and tokens that are whole numbers", format!("{key} {value}")))
    };
    let number = |key: &str| match object.get(key).unwrap_or(&Value::Null) {
        Value::Null => Ok(None), // not measured, or not finite
        Value::Number(number) => Ok(number.as_f64()),
        other => Err(("numbers", format!("{key} {other}"))),
    };
    let mut metrics = Metrics {
        iter: whole("iter")?,
        tokens: whole("tokens")?,
        elapsed_s: number("elapsed_s")?
            .filter(|s| *s >= 0.0)
            .ok_or_else(|| ("elapsed_s from 0 on", excerpt()))?,
        lr: number("lr")?,
        train_loss: number("train_loss")?,
        grad_norm: number("grad_norm")?,
        step_ms: number("step_ms")?,
        tokens_per_s: number("tokens_per_s")?,
        val_loss: number("val_loss")?,
        val_bits_per_char: number("val_bits_per_char")?,
        val_bits_per_byte: number("val_bits_per_byte")?,
        ..Metrics::default()
    };
    for key in object.keys().filter(|key| key.starts_with("val_loss_")) {
        if let Some(loss) = number(key)? {
            metrics.val_losses.insert(key.clone(), loss);
        }
    }
    if metrics.val_losses.len() > MOST_OBJECTIVES {
        return Err(("at most 16 losses val_loss_...", metrics.val_losses.len().to_string()));
    }
    Ok(metrics)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input(format!("{}: cannot be read: {error}", path.display()))
}
