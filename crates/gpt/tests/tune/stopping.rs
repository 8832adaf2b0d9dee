//! When it stops, and which weights it gives back.

use super::*;

/// A task whose scores are written down. Each update adds to its one weight.
struct Scripted {
    scores: Mutex<Vec<f64>>,
    bad_after: usize,
}

impl Task for Scripted {
    fn len(&self) -> usize {
        4
    }

    fn gpt(&self) -> Option<&Gpt> {
        None
    }

    fn tokens(&self, _: usize) -> usize {
        1
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.len() as f32
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize], _: f32) -> Var<'t> {
        let w = tape.param(tape.params().ids().next().unwrap());
        let left = self.scores.lock().unwrap().len();
        let broken = if left < self.bad_after { f32::NAN } else { 1.0 };
        (w * w).sum() * broken
    }

    fn validate(&self, _: &Params) -> f64 {
        self.scores.lock().unwrap().remove(0)
    }
}

/// The weight after each measurement, the outcome, and the weight in the end.
fn scripted(
    scores: &[f64],
    patience: Option<usize>,
    min_delta: f64,
    bad_after: usize,
) -> (Vec<f32>, Result<Outcome, TuneError>, Vec<f32>) {
    let mut params = Params::new();
    let id = params.add("w", [3], |w| w.fill(1.0));
    let task = Scripted { scores: Mutex::new(scores.to_vec()), bad_after };
    let settings =
        TuneConfig { epochs: scores.len() - 1, batch_size: 4, patience, min_delta, ..TuneConfig::default() };
    let updates = RefCell::new(Vec::new());
    let result = fit(&mut params, &task, &settings, |event| {
        if let Event::Score { update, .. } = event {
            updates.borrow_mut().push(update as f32);
        }
        ControlFlow::Continue(())
    });
    let weights = params.data(id).to_vec();
    (updates.into_inner(), result, weights)
}

#[test]
fn stopping_early_gives_back_the_best_weights() {
    let scores = [0.1, 0.5, 0.4, 0.7, 0.6, 0.65, 0.7, 0.9];
    let (measured, result, weights) = scripted(&scores, Some(3), 0.0, 0);
    let outcome = result.unwrap();
    assert_eq!(measured, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]); // the third without an improvement on 0.7
    assert_eq!((outcome.best_update, outcome.best_score, outcome.stopped_early), (3, 0.7, true));
    // The weights are those of a run that had only three updates of the same schedule.
    let mut until = scores;
    until[4..].fill(0.0);
    let (_, _, best) = scripted(&until, None, 0.0, 0);
    assert_eq!(weights, best);
    assert_ne!(weights, scripted(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], None, 0.0, 0).2);
    // An improvement of less than min_delta is none.
    let (measured, result, _) = scripted(&[0.5, 0.505, 0.509, 0.9], Some(2), 0.01, 0);
    assert!(measured.len() == 3 && result.unwrap().best_update == 0);
}

#[test]
fn what_is_not_finite_stops_it_with_the_best_weights() {
    let (_, result, weights) = scripted(&[0.5, 0.6, 0.1, 0.1], None, 0.0, 2);
    let Err(TuneError::NonFinite { update: 2, what, reached }) = &result else { panic!("{result:?}") };
    assert!(what.contains("is not finite") || what.contains("NaN"), "{what}");
    assert_eq!((reached.updates, reached.best_update, reached.best_score), (2, 1, 0.6));
    assert_eq!(weights, scripted(&[0.5, 0.6, 0.1, 0.1], None, 0.0, 0).2);
    assert!(weights.iter().all(|w| w.is_finite() && *w < 1.0));
}

/// Layers thaw from the top: in the first epoch only the new layer moves, then one more block each epoch.
#[test]
fn layers_thaw_from_the_top() {
    let moved = |epochs: usize, unfreeze: bool, layer_decay: f64| -> Vec<(String, f64)> {
        let settings =
            TuneConfig { epochs, unfreeze, layer_decay, patience: None, weight_decay: 0.0, ..settings() };
        let (classifier, before) = classifier("full", Pool::Mean, false, yes_or_no());
        let (texts, targets) = texts(64, 1);
        let task = on_itself(&classifier, &texts, &targets);
        let mut params = before.clone();
        fit(&mut params, &Last(task, Mutex::new(0.0)), &settings, quietly).unwrap();
        let distance = |id| {
            let pairs = params.data(id).iter().zip(before.data(id));
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        params.ids().map(|id| (params.name(id).to_string(), distance(id))).collect()
    };
    for (epochs, first_depth) in [(1, 3), (2, 2), (3, 1), (4, 0)] {
        let (classifier, _) = classifier("full", Pool::Mean, false, yes_or_no());
        for (name, distance) in moved(epochs, true, 1.0) {
            let trains = classifier.gpt.depth(&name) >= first_depth;
            assert_eq!(distance > 0.0, trains, "{epochs} epochs: {name} moved by {distance}");
        }
    }
    // A lower rate in lower layers: the embedding moves less, the classifier as far as before.
    let (one, decayed) = (moved(2, false, 1.0), moved(2, false, 0.3));
    let of = |all: &[(String, f64)], wanted: &str| all.iter().find(|(name, _)| name == wanted).unwrap().1;
    assert!(of(&decayed, "wte.weight") < 0.2 * of(&one, "wte.weight"));
    assert!(of(&decayed, "classifier.weight") > 0.7 * of(&one, "classifier.weight"));
}

/// With an average, that is what is measured and kept; without the guard a spike moves the weights, with it it does not.
#[test]
fn the_average_is_measured_and_spikes_are_left_out() {
    let measured = |ema: f64| {
        let mut params = Params::new();
        let id = params.add("w", [1], |w| w.fill(1.0));
        let task = Rising { seen: Mutex::new(Vec::new()), spike: usize::MAX, made: Mutex::new(0) };
        let settings = TuneConfig { epochs: 10, batch_size: 4, ema, patience: None, ..TuneConfig::default() };
        let outcome = fit(&mut params, &task, &settings, quietly).unwrap();
        (task.seen.into_inner().unwrap(), params.data(id)[0], outcome.best_update)
    };
    let ((plain, last, best), (averaged, last_average, best_average)) = (measured(0.0), measured(0.7));
    assert_eq!((best, best_average), (10, 10), "lower is better here");
    assert_eq!((plain[10], averaged[10]), (last, last_average));
    let (mut sum, mut weight) = (0.0, 0.0);
    for (update, (&w, &average)) in plain.iter().zip(&averaged).enumerate().skip(1) {
        (sum, weight) = (0.7 * sum + 0.3 * f64::from(w), 0.7 * weight + 0.3);
        assert!((sum / weight - f64::from(average)).abs() < 1e-6, "update {update}: {average}");
    }
    let moved = |spike_guard: f64| {
        let mut params = Params::new();
        params.add("w", [1], |w| w.fill(1.0));
        let task = Rising { seen: Mutex::new(Vec::new()), spike: 60, made: Mutex::new(0) };
        let settings = TuneConfig {
            epochs: 70,
            batch_size: 4,
            spike_guard,
            learning_rate: 1e-6,
            patience: None,
            ..TuneConfig::default()
        };
        fit(&mut params, &task, &settings, quietly).unwrap();
        let seen = task.seen.into_inner().unwrap();
        seen[61] != seen[60] // before and after the update of the odd batch
    };
    assert!(moved(0.0) && !moved(6.0));
}

/// One weight that is to be small; the score is the smaller the larger it is.
struct Rising {
    seen: Mutex<Vec<f32>>,
    /// The number of an update whose loss is far above the others.
    spike: usize,
    made: Mutex<usize>,
}

impl Task for Rising {
    fn len(&self) -> usize {
        4
    }
    fn gpt(&self) -> Option<&Gpt> {
        None
    }

    fn tokens(&self, _: usize) -> usize {
        1
    }
    fn total_weight(&self, examples: &[usize]) -> f32 {
        examples.len() as f32
    }
    fn loss<'t>(&self, tape: &'t Tape<'_>, _: &[usize], _: f32) -> Var<'t> {
        let mut made = self.made.lock().unwrap();
        let factor = if *made == self.spike { 1e3 } else { 1.0 };
        *made += 1;
        let w = tape.param(tape.params().ids().next().unwrap());
        (w * w).sum() * factor
    }
    fn validate(&self, params: &Params) -> f64 {
        let w = params.data(params.ids().next().unwrap())[0];
        self.seen.lock().unwrap().push(w);
        -f64::from(w)
    }
}
