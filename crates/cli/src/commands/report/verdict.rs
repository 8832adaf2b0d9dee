//! What the figures of a run say, in sentences.

use super::compare::incomparable;
use super::record::Record;
use super::summary::training_loss;
use super::words::{grouped, letter, loss};
use gpt::run_dir::Metrics;

/// A rise or a fall by less than this share of the loss is noise.
const NOISE: f64 = 0.01;
/// Evaluations after the first update without which nothing is said of where the loss goes.
const ENOUGH: usize = 3;

/// The verdict on one run or several, a paragraph each.
pub(super) fn of(records: &[Record], floor: Option<f64>) -> Vec<String> {
    match records {
        [record] => {
            let trend = trend(record).map(|trend| trend.sentence(record));
            [Some(result(record, floor)), explanation(record), trend, below_training(record)]
                .into_iter()
                .flatten()
                .collect()
        }
        _ => {
            let name = |i: usize| format!("{} {}", letter(i), records[i].name());
            let each = (0..records.len())
                .filter_map(|i| Some(format!("{}: {}", name(i), trend(&records[i])?.sentence(&records[i]))));
            let losses = records.iter().map(|record| record.best().and_then(|best| best.val_loss));
            let least = losses
                .enumerate()
                .filter_map(|(i, loss)| Some((i, loss?)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let first = match (incomparable(records), least) {
                (Some(reason), _) => reason,
                (None, Some((i, least))) => format!(
                    "The least validation loss is that of {}: {}. Smaller is better; differences below about 0.01 may be chance.",
                    name(i),
                    loss(least)
                ),
                (None, None) => "No run has an evaluation yet.".to_string(),
            };
            [first].into_iter().chain(each).collect()
        }
    }
}

/// The loss of the best model beside that of the baseline, and the floor.
fn result(record: &Record, floor: Option<f64>) -> String {
    let Some(best) = record.best().and_then(|best| best.val_loss) else {
        return "This run has no evaluation yet: make the report again when it has.".to_string();
    };
    let mut text = format!("Your model's validation loss is {}", loss(best));
    let objective = &record.info.config.train.objective;
    match record.info.count_loss {
        Some(count) if objective.is_clm() => {
            let verdict = match (count - best) / count.abs().max(f64::MIN_POSITIVE) {
                better if better > 0.002 => "the model predicts this text better",
                worse if worse < -0.002 => "the baseline still predicts this text better",
                _ => "both predict this text about equally well",
            };
            text += &format!("; the n-gram baseline reaches {}: {verdict}.", loss(count));
        }
        _ => text += ".",
    }
    if let Some(floor) = floor {
        text += &format!(" No model can be below {}: that is the entropy of the text.", loss(floor));
    }
    text
}

/// What a loss is, at the number of this run.
fn explanation(record: &Record) -> Option<String> {
    let best = record.best()?.val_loss.filter(|best| best.is_finite() && *best >= 0.0)?;
    let percent = 100.0 * (-best).exp();
    let percent = if percent < 1.0 { format!("{percent:.1e}") } else { format!("{percent:.0}") };
    Some(format!(
        "The loss says how much each token of text that the model has never seen surprises it; smaller is better, and 0 would be \
         perfect. A loss of {} means that the right token gets a probability of {percent} % (in the geometric mean).",
        loss(best)
    ))
}

/// Where the validation loss goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trend {
    TooFew,
    Falling,
    Flat,
    /// It rises since an evaluation, while the training loss falls.
    Overfits {
        since: u64,
        from: f64,
        to: f64,
    },
    /// Both losses rise.
    Rises {
        since: u64,
    },
}

/// Of a run that has evaluations.
fn trend(record: &Record) -> Option<Trend> {
    let evaluations: Vec<(u64, f64)> = record
        .evaluations
        .iter()
        .filter(|line| line.iter > 0)
        .filter_map(|line| Some((line.iter, line.val_loss?)))
        .collect();
    record.best()?;
    Some(direction(&evaluations, |iter| training_before(&record.steps, iter)))
}

/// The mean training loss of the tenth of the updates before one.
fn training_before(steps: &[Metrics], iter: u64) -> Option<f64> {
    let after = iter - iter / 10;
    let losses: Vec<f64> = steps
        .iter()
        .filter(|line| (after..=iter).contains(&line.iter))
        .filter_map(|line| line.train_loss)
        .collect();
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

/// Where validation losses (update, loss) go, beside the training loss at an update.
fn direction(evaluations: &[(u64, f64)], training: impl Fn(u64) -> Option<f64>) -> Trend {
    let (Some(last), Some(best)) =
        (evaluations.last(), evaluations.iter().min_by(|a, b| a.1.total_cmp(&b.1)))
    else {
        return Trend::TooFew;
    };
    if evaluations.len() < ENOUGH {
        return Trend::TooFew;
    }
    let share = |from: f64, to: f64| (to - from) / best.1.abs().max(f64::MIN_POSITIVE);
    if share(best.1, last.1) > NOISE {
        let falls = match (training(best.0), training(last.0)) {
            (Some(then), Some(now)) => now < then,
            _ => true,
        };
        return match falls {
            true => Trend::Overfits { since: best.0, from: best.1, to: last.1 },
            false => Trend::Rises { since: best.0 },
        };
    }
    // The last third of the training, or as much of it as has two evaluations.
    let third = evaluations.iter().rposition(|e| e.0 <= last.0 - last.0 / 3).unwrap_or(0);
    if share(last.1, evaluations[third].1) > NOISE { Trend::Falling } else { Trend::Flat }
}

impl Trend {
    fn sentence(self, record: &Record) -> String {
        let (done, most) = (record.latest().map_or(0, |line| line.iter), record.max_iters());
        if done < most && matches!(self, Trend::Falling | Trend::Flat | Trend::TooFew) {
            let state = match self {
                Trend::Falling => "the validation loss is still falling, so that going on will probably help",
                Trend::Flat => "the validation loss hardly falls at the moment",
                _ => "it is too early to say where the loss goes",
            };
            return format!("After {} of {} updates {state}.", grouped(done), grouped(most));
        }
        match self {
            Trend::TooFew => "There are too few evaluations to say whether training longer would help: a smaller \
                              --eval-interval makes more of them."
                .to_string(),
            Trend::Falling => format!(
                "The validation loss was still falling at the end: training longer will probably help, say with \
                 --max-iters {}.",
                most.saturating_mul(2)
            ),
            Trend::Flat => "The validation loss has stopped falling: training longer with these settings will hardly help. More \
                            text or a larger model may."
                .to_string(),
            Trend::Overfits { since, from, to } => format!(
                "The model begins to learn its text by heart (it overfits): the validation loss was least after {} updates, {}, \
                 and has risen to {} while the training loss fell. The model of that moment is kept in best/. More text or \
                 --dropout help; training longer does not.",
                grouped(since),
                loss(from),
                loss(to)
            ),
            Trend::Rises { since } => format!(
                "Both losses have risen since update {}: the learning rate may be too high. Try a smaller --learning-rate.",
                grouped(since)
            ),
        }
    }
}

/// Why the validation loss is below the training loss, if it is.
fn below_training(record: &Record) -> Option<String> {
    let (validation, training) = (record.evaluations.last()?.val_loss?, training_loss(record)?);
    if !(validation < training) {
        return None;
    }
    let model = &record.info.config.model;
    let reason = match model.dropout > 0.0 || model.attn_dropout.is_some_and(|dropout| dropout > 0.0) {
        true => {
            "dropout makes the task harder while the model trains, and is switched off when it is validated"
        }
        false => {
            "the training loss is a mean over the last batches, some of which came before the model was as good, and the \
             validation text may be the easier one"
        }
    };
    Some(format!(
        "The validation loss ({}) is below the training loss ({}). That is no error: {reason}.",
        loss(validation),
        loss(training)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(losses: &[f64], training: &[f64]) -> Trend {
        let at = |i: usize| 100 * (i as u64 + 1);
        let evaluations: Vec<(u64, f64)> =
            losses.iter().enumerate().map(|(i, loss)| (at(i), *loss)).collect();
        direction(&evaluations, |iter| training.get((iter / 100 - 1) as usize).copied())
    }

    #[test]
    fn losses_fall_or_stand_or_rise() {
        assert_eq!(of(&[2.0, 1.8, 1.6, 1.5, 1.45, 1.4], &[]), Trend::Falling);
        assert_eq!(of(&[2.0, 1.6, 1.5, 1.499, 1.498, 1.5], &[]), Trend::Flat);
        let rising = [2.0, 1.6, 1.4, 1.5, 1.6];
        assert_eq!(
            of(&rising, &[2.0, 1.5, 1.2, 1.0, 0.8]),
            Trend::Overfits { since: 300, from: 1.4, to: 1.6 }
        );
        assert_eq!(of(&rising, &[2.0, 1.5, 1.2, 1.4, 1.6]), Trend::Rises { since: 300 });
        assert_eq!(of(&rising, &[]), Trend::Overfits { since: 300, from: 1.4, to: 1.6 });
        assert_eq!((of(&[2.0, 1.6], &[]), of(&[2.0, 1.6, 1.4], &[])), (Trend::TooFew, Trend::Falling));
        assert_eq!(of(&[], &[]), Trend::TooFew);
        assert_eq!(of(&[0.0, 0.0, 0.0, 0.0], &[]), Trend::Flat);
        assert_eq!(
            of(&[1e300, 1e300, -1e300, 1e308], &[]),
            Trend::Overfits { since: 300, from: -1e300, to: 1e308 }
        );
    }
}
