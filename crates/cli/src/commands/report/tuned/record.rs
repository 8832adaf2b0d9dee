//! Reading what a fine-tuning has written.

use crate::commands::finetune::PREDICTIONS;
use crate::screen::failure::Failure;
use data::DataError;
use gpt::tune::{Measured, Metric};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const RESULT: &str = "result.json";

/// A text of the test part, and what was predicted.
pub(super) struct Labelled {
    pub(super) text: String,
    /// The number of its label.
    pub(super) label: usize,
    /// The number of the one that was predicted.
    pub(super) predicted: usize,
    /// Of every label.
    pub(super) p: Vec<f64>,
}

impl Labelled {
    pub(super) fn is_right(&self) -> bool {
        self.predicted == self.label
    }
}

/// The same as it stands in the file.
#[derive(Deserialize)]
struct LabelledLine {
    text: String,
    label: String,
    predicted: String,
    p: Vec<f64>,
}

impl LabelledLine {
    /// With numbers for the names; `None` if there are other names, or not as many probabilities.
    fn numbered(self, names: &[String]) -> Option<Labelled> {
        let number = |name: &str| names.iter().position(|known| known == name);
        let (label, predicted) = (number(&self.label)?, number(&self.predicted)?);
        (self.p.len() == names.len()).then_some(Labelled { text: self.text, label, predicted, p: self.p })
    }
}

/// A text of the test part with a number.
#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) text: String,
    pub(super) number: f64,
    pub(super) predicted: f64,
}

/// A source of the test part, and what was answered.
#[derive(Deserialize)]
pub(super) struct Answered {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) answer: String,
}

/// What was predicted of the test part.
pub(super) enum Predictions {
    Labels {
        names: Vec<String>,
        texts: Vec<Labelled>,
    },
    Numbers(Vec<Numbered>),
    Answers(Vec<Answered>),
    /// A dialogue has no test part.
    None,
}

/// A fine-tuning.
pub(super) struct Record {
    pub(super) path: PathBuf,
    /// `result.json`.
    pub(super) result: Value,
    pub(super) history: Vec<Measured>,
    /// By which the weights were chosen.
    pub(super) metric: Metric,
    pub(super) predictions: Predictions,
}

impl Record {
    /// Reads a directory of `newleaf finetune`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let at = path.join(RESULT);
        let text = data::read_text(&at)?;
        let expected = "the record of a fine-tuning, with its task and history";
        let malformed = |found: String| -> Failure {
            DataError::Malformed {
                what: at.display().to_string(),
                place: String::new(),
                found,
                expected: expected.into(),
                remedy: "fine-tune again with this version of newleaf, or get the file from a backup".into(),
            }
            .into()
        };
        let result: Value = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
        let field = |name: &str| (!result[name].is_null()).then(|| result[name].clone());
        let task = field("task").ok_or_else(|| malformed("no task".into()))?;
        let history = field("history").ok_or_else(|| malformed("no history".into()))?;
        let history: Vec<Measured> =
            serde_json::from_value(history).map_err(|e| malformed(format!("a history: {e}")))?;
        // Answers in words are chosen by their loss, and say nothing of it.
        let metric = field("metric").map_or(Ok(Metric::Loss), serde_json::from_value);
        let metric = metric.map_err(|e| malformed(format!("a metric: {e}")))?;
        let predictions = match task.as_str() {
            Some("classify") => {
                let names: Vec<String> = serde_json::from_value(result["labels"].clone())
                    .map_err(|e| malformed(format!("labels: {e}")))?;
                let numbered = |(i, line): (usize, LabelledLine)| {
                    line.numbered(&names).ok_or_else(|| of_other_labels(path, i))
                };
                let texts = lines(path)?.into_iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
                Predictions::Labels { names, texts }
            }
            Some("regress") => Predictions::Numbers(lines(path)?),
            Some("seq2seq") => Predictions::Answers(lines(path)?),
            Some("chat") => Predictions::None,
            _ => return Err(malformed(format!("task {task}"))),
        };
        Ok(Self { path: path.to_path_buf(), history, metric, predictions, result })
    }

    /// A number of the test part.
    pub(super) fn test(&self, name: &str) -> f64 {
        self.result["test"][name].as_f64().unwrap_or(f64::NAN)
    }

    /// The measurement that the weights are of.
    pub(super) fn best(&self) -> Option<&Measured> {
        let update = self.result["best_update"].as_u64()?;
        self.history.iter().find(|measured| measured.update as u64 == update)
    }
}

/// The objects of the file of predictions, a line each.
fn lines<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>, Failure> {
    let at = dir.join(PREDICTIONS);
    let text = data::read_text(&at)?;
    let line = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let (what, place) = (at.display().to_string(), format!("line {}", i + 1));
            let expected = "a text of the test part and what was predicted".to_string();
            let remedy = "take the line out, or fine-tune again".to_string();
            DataError::Malformed { what, place, found: e.to_string(), expected, remedy }.into()
        })
    };
    text.lines().enumerate().map(line).collect()
}

fn of_other_labels(dir: &Path, line: usize) -> Failure {
    let at = dir.join(PREDICTIONS);
    Failure::input(format!(
        "{}, line {}: a label or a number of probabilities that {RESULT} does not know: use the files of one fine-tuning",
        at.display(),
        line + 1
    ))
}
