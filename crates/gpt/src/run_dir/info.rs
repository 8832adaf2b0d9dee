//! `run.json`: what was run, on what, and what became of it.

use crate::config::Config;
use crate::machine::{Machine, now_utc};
use serde::{Deserialize, Serialize};

/// The contents of `run.json`: enough to run it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Model and training.
    pub config: Config,
    /// The text.
    pub data: DataInfo,
    /// The text for validation, if it is not the end of `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<DataInfo>,
    /// The model whose weights it began with, if not with random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<BaseInfo>,
    /// Where all randomness started.
    pub seed: u64,
    /// newleaf's version.
    pub version: String,
    /// Where it was run.
    pub machine: Machine,
    /// When it began.
    pub started: String,
    /// What the n-gram baseline (Kneser-Ney) reaches on the validation part, in nats a token: known as soon as it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_loss: Option<f64>,
    /// What was expected of it, if it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Estimate>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
}

/// The model that a run began with. The run does not need it any more: its checkpoints hold all weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseInfo {
    /// The path as it was given.
    pub path: String,
    /// [`crate::peft::fingerprint`] of its weights.
    pub sha256: String,
    /// What of it is trained, as [`crate::peft::Method`] writes it.
    pub method: String,
}

/// What a plan expects of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Of training, evaluations and checkpoints included.
    pub seconds: f64,
    /// The most memory at once.
    pub bytes: u64,
    /// The validation loss, in nats a token; a run that begins with the weights of a model has no expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_loss: Option<f64>,
    /// Seconds of training after which the run has to be over, its end included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<f64>,
    /// Seconds of these that its end takes.
    #[serde(default)]
    pub end_s: f64,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOutcome {
    /// Of training, evaluations and checkpoints included, over all sessions.
    pub seconds: f64,
    /// The most memory at once in the last session, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The best validation loss, in nats a token.
    pub best_val_loss: Option<f64>,
    /// Whether the time limit came before the last update.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_time: bool,
}

/// By how many per cent a number is more than was expected; negative if it is less.
#[must_use]
pub fn percent_over(found: f64, expected: f64) -> f64 {
    100.0 * (found / expected - 1.0)
}

impl RunOutcome {
    /// How wrong an estimate was, in a line.
    #[must_use]
    pub fn against(&self, plan: &Estimate) -> String {
        let mut told = format!("{:.0} s expected, {:.0} s taken", plan.seconds, self.seconds);
        if let Some(bytes) = self.bytes {
            told +=
                &format!("; {:.0} MB expected, {:.0} MB taken", plan.bytes as f64 / 1e6, bytes as f64 / 1e6);
        }
        if let (Some(loss), Some(expected)) = (self.best_val_loss, plan.expected_loss) {
            told += &format!("; loss {expected:.3} expected, {loss:.3} reached");
        }
        told
    }
}

/// Which text a run was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataInfo {
    /// The path as it was given, or the name of a text inside the program.
    pub path: String,
    /// Of its bytes.
    pub sha256: String,
    /// How many they are.
    pub bytes: u64,
}

impl RunInfo {
    /// This program, now, on this machine.
    #[must_use]
    pub fn new(command: Vec<String>, config: Config, data: DataInfo) -> Self {
        let seed = config.train.seed;
        let version = env!("CARGO_PKG_VERSION").to_string();
        Self {
            command,
            config,
            data,
            val: None,
            from: None,
            seed,
            version,
            machine: Machine::current(),
            started: now_utc(),
            count_loss: None,
            plan: None,
            outcome: None,
        }
    }
}
