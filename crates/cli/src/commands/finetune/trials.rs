//! `--tune` and `--time`: several settings are tried, one after the other, and the weights of the best are the result.

use super::fitting::{FitArgs, Fitted, watched};
use super::tried::{Tried, begin, remove_all_but, trial_dir, write};
use crate::screen::failure::Failure;
use gpt::tune::{Keep, Metric, Task, Trial, TuneConfig, best_trial, next_trial};
use serde_json::{Value, json};
use std::time::Instant;
use tensor::{ParamId, Params};

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
        // This line before the states of the others are removed: a trial without it is resumed at its end.
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

    #[test]
    fn what_differs_is_named() {
        let given = TuneConfig::default();
        assert_eq!(difference(&given, &given), "the settings as given");
        let other = TuneConfig { epochs: 20, ema: 0.99, ..given.clone() };
        assert_eq!(difference(&given, &other), "epochs 20, ema 0.99");
    }
}
