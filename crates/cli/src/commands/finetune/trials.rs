//! `--tune` and `--time`: several settings are tried, one after the other, and the weights of the best are the result.
//!
//! | in OUT.unfinished | |
//! |---|---|
//! | `trials.json` | the settings that were tried, and what each reached |
//! | `trial-3` | the state of a fine-tuning: of the one that runs, and of the best that has ended |

use super::fitting::{FitArgs, Fitted, watched};
use crate::screen::failure::Failure;
use data::NewFile;
use gpt::tune::{Keep, Metric, Task, Trial, TuneConfig, best_trial, next_trial};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tensor::{ParamId, Params};

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
    fn allow_after(self, trials: &[Trial]) -> bool {
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
struct Tried {
    /// What is fine-tuned on what, and the settings that were given.
    of: String,
    trials: Vec<Trial>,
}

/// The data of the parameters that are trained.
type Weights = Vec<(ParamId, Vec<f32>)>;

fn restore(params: &mut Params, weights: &Weights) {
    weights.iter().for_each(|(id, data)| params.data_mut(*id).copy_from_slice(data));
}

/// Fine-tunes with the given settings, and with others if the flags want it; `params` are those of the best then. `of` says
/// what is fine-tuned on what: a state of something else is not gone on with.
pub(super) fn tuned(
    args: &FitArgs,
    params: &mut Params,
    task: &impl Task,
    given: &TuneConfig,
    of: &str,
    measure: Metric,
) -> Result<Fitted, Failure> {
    let dir = args.unfinished();
    if !args.trials.are_several() {
        let fitted = watched(args, params, task, given, args.keep(&dir, of), measure)?;
        return match &fitted.diverged {
            Some(why) if fitted.score().is_none() => Err(Failure::other(why.clone())),
            _ => Ok(fitted),
        };
    }
    let trained = params.ids().filter(|&id| params.is_trainable(id)).collect::<Vec<_>>();
    let weights =
        |params: &Params| -> Weights { trained.iter().map(|&id| (id, params.data(id).to_vec())).collect() };
    let start = weights(params);
    let run = |params: &mut Params, settings: &TuneConfig, trial: usize| {
        restore(params, &start);
        let dir = trial_dir(&dir, trial);
        let keep = Keep { at_end: true, resume: dir.exists(), ..args.keep(&dir, of) };
        watched(args, params, task, settings, keep, measure)
    };
    let described = format!("{of}, beginning with {}", json!(given));
    let mut trials = begin(&dir, &described)?;
    let mut best = match best_trial(&trials) {
        None => None,
        Some(place) => {
            eprintln!("{} settings were tried before", trials.len());
            Some((run(params, &trials[place].settings, place)?, weights(params)))
        }
    };
    while args.trials.allow_after(&trials) {
        let (number, settings, begun) = (trials.len(), next_trial(given, &trials), Instant::now());
        eprintln!("trial {}: {}", number + 1, difference(given, &settings));
        let fitted = run(params, &settings, number)?;
        trials.push(Trial { settings, score: fitted.score(), seconds: begun.elapsed().as_secs_f64() });
        if best_trial(&trials) == Some(number) {
            best = Some((fitted, weights(params)));
        }
        // What was tried first: without its state a trial is made again, without that line for ever.
        if let Err(error) = write(&dir, &Tried { of: described.clone(), trials: trials.clone() }) {
            eprintln!("warning: {error}");
        }
        remove_all_but(&dir, best_trial(&trials), trials.len());
    }
    let Some((fitted, weights)) = best else {
        return Err(Failure::other(
            "no settings gave numbers that are finite: lower --learning-rate, or look at the examples",
        ));
    };
    restore(params, &weights);
    eprintln!("{}", table(given, &trials).trim_end());
    Ok(Fitted { trials, ..fitted })
}

/// What was tried before an interruption; nothing at the beginning.
fn begin(dir: &Path, of: &str) -> Result<Vec<Trial>, Failure> {
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

fn trial_dir(dir: &Path, trial: usize) -> PathBuf {
    dir.join(format!("trial-{}", trial + 1))
}

fn write(dir: &Path, tried: &Tried) -> Result<(), data::DataError> {
    let mut file = NewFile::create(dir.join(TRIALS))?;
    let bytes = serde_json::to_vec_pretty(tried).expect("an object");
    file.write_all(&bytes).map_err(|e| file.unwritable(e))?;
    file.finish()
}

/// Removes the states of trials, but that of the best one. What cannot be removed now is with the whole at the end.
fn remove_all_but(dir: &Path, best: Option<usize>, count: usize) {
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

/// The settings that differ, as people read them.
fn difference(given: &TuneConfig, tried: &TuneConfig) -> String {
    changes(&json!(given), &json!(tried))
}

/// The same of settings in a record.
pub(crate) fn changes(given: &Value, tried: &Value) -> String {
    let fields = tried.as_object().into_iter().flatten();
    let changed = fields.filter(|(name, value)| given.get(name) != Some(value));
    let changed: Vec<String> = changed.map(|(name, value)| format!("{name} {value}")).collect();
    if changed.is_empty() { "the settings as given".into() } else { changed.join(", ") }
}

/// What was tried, and what it reached.
fn table(given: &TuneConfig, trials: &[Trial]) -> String {
    let best = best_trial(trials);
    let row = |(i, trial): (usize, &Trial)| {
        let score = trial.score.map_or("not finite".into(), |score| format!("{:.4}", score.abs()));
        let mark = if best == Some(i) { "  (the result)" } else { "" };
        format!(
            "{:>3} {score:>10} {:>7.0} s  {}{mark}\n",
            i + 1,
            trial.seconds,
            difference(given, &trial.settings)
        )
    };
    trials.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_differs_is_named() {
        let given = TuneConfig::default();
        assert_eq!(difference(&given, &given), "the settings as given");
        let other = TuneConfig { epochs: 20, ema: 0.99, ..given.clone() };
        assert_eq!(difference(&given, &other), "epochs 20, ema 0.99");
    }
}
