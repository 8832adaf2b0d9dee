//! Settings to try when there is time: which ones, in which order.
//!
//! A walk uphill, one change at a time: from the best settings so far to those of its neighbours that were not tried yet, the
//! learning rate first, because it matters most. When a change is an improvement, the next step starts from there. So a few
//! trials find a better learning rate, and some more whatever else helps; the order is always the same.

use super::TuneConfig;
use serde::{Deserialize, Serialize};

/// Settings that were tried, and what they reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The settings.
    pub settings: TuneConfig,
    /// The best score on the validation part; none if the numbers were not finite before there was a better one than at the start.
    pub score: Option<f64>,
    /// Seconds that it took with all measuring.
    pub seconds: f64,
}

/// The place of the best of some trials: of the first one, if others are as good.
#[must_use]
pub fn best_trial(tried: &[Trial]) -> Option<usize> {
    let scores = tried.iter().enumerate().filter_map(|(i, trial)| Some((i, trial.score?)));
    scores.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(i, _)| i)
}

/// What to try after these: `given`, if there is nothing yet.
#[must_use]
pub fn next_trial(given: &TuneConfig, tried: &[Trial]) -> TuneConfig {
    let untried = |settings: &TuneConfig| tried.iter().all(|trial| trial.settings != *settings);
    let best = best_trial(tried).map_or(given, |best| &tried[best].settings);
    std::iter::once(given.clone())
        .chain(neighbours(best))
        .find(untried)
        .expect("there is always another seed")
}

/// Settings that differ from these in one, without end.
fn neighbours(of: &TuneConfig) -> impl Iterator<Item = TuneConfig> {
    let change = |change: fn(&mut TuneConfig)| {
        let mut changed = of.clone();
        change(&mut changed);
        changed
    };
    let changes = [
        change(|of| of.learning_rate *= 2.0),
        change(|of| of.learning_rate /= 2.0),
        change(|of| of.epochs *= 2),
        change(|of| of.layer_decay = if of.layer_decay < 1.0 { 1.0 } else { 0.8 }),
        change(|of| of.ema = if of.ema > 0.0 { 0.0 } else { 0.99 }),
        change(|of| of.weight_decay = if of.weight_decay < 0.1 { 0.1 } else { 0.01 }),
        change(|of| of.epochs = of.epochs.div_ceil(2)),
    ];
    let of = of.clone();
    let seeds = (1..).map(move |more| TuneConfig { seed: of.seed.wrapping_add(more), ..of.clone() });
    changes.into_iter().chain(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials of a task whose score is a function of the settings.
    fn trials(count: usize, score: impl Fn(&TuneConfig) -> Option<f64>) -> Vec<Trial> {
        let given = TuneConfig::default();
        (0..count).fold(Vec::new(), |mut tried, _| {
            let settings = next_trial(&given, &tried);
            let score = score(&settings);
            tried.push(Trial { settings, score, seconds: 0.0 });
            tried
        })
    }

    #[test]
    fn no_settings_are_tried_twice() {
        for score in
            [|_: &TuneConfig| Some(0.5), |of: &TuneConfig| Some(of.epochs as f64), |_: &TuneConfig| None]
        {
            let tried = trials(40, score);
            assert_eq!(tried[0].settings, TuneConfig::default());
            for (i, trial) in tried.iter().enumerate() {
                assert!(tried[..i].iter().all(|other| other.settings != trial.settings), "{i}");
            }
        }
    }

    /// A hill whose top is at eight times the learning rate and twice the epochs is climbed in a dozen steps.
    #[test]
    fn it_goes_uphill() {
        let hill = |of: &TuneConfig| {
            let lr = random::ln(of.learning_rate / 8e-3).abs();
            let epochs = random::ln(of.epochs as f64 / 20.0).abs();
            Some(-lr - epochs - of.ema)
        };
        let tried = trials(12, hill);
        let best = &tried[best_trial(&tried).unwrap()].settings;
        assert_eq!((best.learning_rate, best.epochs, best.ema), (8e-3, 20, 0.0));
    }

    /// Settings with which the numbers were not finite are nowhere to go on from.
    #[test]
    fn a_trial_that_failed_is_left() {
        let tried = trials(6, |of| (of.learning_rate < 2e-3).then_some(of.learning_rate));
        assert_eq!(best_trial(&tried), Some(0));
        assert_eq!(tried[1].score, None);
        assert_eq!(best_trial(&trials(3, |_| None)), None);
    }
}
