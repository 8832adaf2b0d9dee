//! How much `--tune` and `--time` allow to be tried, and what is kept of it until the result is written.
//!
//! | in OUT.unfinished | |
//! |---|---|
//! | `trials.json` | the settings that were tried, and what each reached |
//! | `trial-3` | the state of a fine-tuning: of the one that runs, and of the best that has ended |

use crate::screen::failure::Failure;
use data::NewFile;
use gpt::tune::Trial;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How much may be tried.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct TrialArgs {
    /// Try N settings (learning rates first, then epochs and others) and keep the best by the validation part
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tune: Option<u32>,
    /// Try settings as long as there is time for another one: 10m, 1.5h
    #[arg(long, value_name = "TIME", value_parser = crate::work::planning::parse_time)]
    time: Option<f64>,
}

impl TrialArgs {
    /// Whether there may be more than one trial.
    pub(super) fn are_several(self) -> bool {
        self.time.is_some() || self.tune.is_some_and(|trials| trials > 1)
    }

    /// Whether another trial is to be made: it takes as long as the longest so far, perhaps.
    pub(super) fn allow_after(self, trials: &[Trial]) -> bool {
        let used: f64 = trials.iter().map(|trial| trial.seconds).sum();
        let longest = trials.iter().map(|trial| trial.seconds).fold(0.0, f64::max);
        trials.is_empty()
            || self.tune.is_none_or(|most| trials.len() < most as usize)
                && self.time.is_none_or(|seconds| used + longest <= seconds)
    }
}

/// `trials.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tried {
    /// What is fine-tuned on what, and the settings that were given.
    pub(super) of: String,
    pub(super) trials: Vec<Trial>,
}

/// What was tried before an interruption; nothing at the beginning.
pub(super) fn begin(dir: &Path, of: &str) -> Result<Vec<Trial>, Failure> {
    let unwritable = |e: std::io::Error| Failure::other(format!("{}: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    let path = dir.join(TRIALS);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(&path).map_err(unwritable)?;
    let refuse = |why: String| {
        Failure::input(format!(
            "{}: {why}\n  give the same flags and files as before, or remove the directory to begin again",
            path.display()
        ))
    };
    let tried: Tried = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
    if tried.of != of {
        return Err(refuse(
            "what was tried is of another model, method or file, or of other settings".into(),
        ));
    }
    Ok(tried.trials)
}

const TRIALS: &str = "trials.json";

/// Whether what was interrupted tried several settings.
pub(super) fn is_of_several(dir: &Path) -> bool {
    let is_ours = |name: &str| name == TRIALS || name.starts_with("trial-");
    let mut names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(is_ours))
}

pub(super) fn trial_dir(dir: &Path, trial: usize) -> PathBuf {
    dir.join(format!("trial-{}", trial + 1))
}

pub(super) fn write(dir: &Path, tried: &Tried) -> Result<(), data::DataError> {
    let mut file = NewFile::create(dir.join(TRIALS))?;
    let bytes = serde_json::to_vec_pretty(tried).expect("an object");
    file.write_all(&bytes).map_err(|e| file.unwritable(e))?;
    file.finish()
}

/// Removes the states of trials, but that of the best one. What cannot be removed now is with the whole at the end.
pub(super) fn remove_all_but(dir: &Path, best: Option<usize>, count: usize) {
    for trial in (0..count).filter(|trial| Some(*trial) != best) {
        let _ = std::fs::remove_dir_all(trial_dir(dir, trial));
    }
}

/// Removes all of it, when the result is written.
pub(super) fn clear(dir: &Path) -> std::io::Result<()> {
    let tried: Tried = serde_json::from_slice(&std::fs::read(dir.join(TRIALS))?)?;
    remove_all_but(dir, None, tried.trials.len());
    std::fs::remove_file(dir.join(TRIALS))?;
    std::fs::remove_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpt::tune::TuneConfig;

    /// The first trial is always made, and another one while there are trials left and time for one as long as the longest.
    #[test]
    fn trials_end_with_their_number_or_their_time() {
        let trial = |seconds| Trial { settings: TuneConfig::default(), score: Some(0.0), seconds };
        let made = |args: TrialArgs, seconds: &[f64]| {
            let trials: Vec<Trial> = seconds.iter().copied().map(trial).collect();
            (0..=trials.len()).take_while(|&count| args.allow_after(&trials[..count])).count()
        };
        let times = [30.0, 10.0, 40.0, 10.0, 10.0];
        assert_eq!(made(TrialArgs { tune: Some(3), time: None }, &times), 3);
        assert_eq!(made(TrialArgs { tune: None, time: Some(5.0) }, &times), 1);
        // After 80 s there are no 40 left.
        assert_eq!(made(TrialArgs { tune: None, time: Some(119.0) }, &times), 3);
        assert_eq!(made(TrialArgs { tune: None, time: Some(120.0) }, &times), 4);
        assert_eq!(made(TrialArgs { tune: Some(2), time: Some(120.0) }, &times), 2);
    }
}
