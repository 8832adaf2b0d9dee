//! What goes wrong beside a training does not stop it, and what stops it loses nothing that was good.

use super::stopping::{Session, bits, saved, train_text, val_text, weights_after};
use super::*;
use gpt::run_dir::RunDir;
use gpt::train::{History, Stopped, TimeLimit};
use std::fs;
use std::path::Path;

fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = tiny();
    let usual =
        [("max_iters", "20"), ("eval_interval", "5"), ("eval_iters", "0"), ("checkpoint_interval", "0")];
    usual.iter().chain(settings).for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

fn steps(path: &Path) -> Vec<u64> {
    History::open(&RunDir::open_for_resume(path).unwrap().checkpoints(), 2).unwrap().steps().unwrap()
}

#[test]
fn checkpoints_by_time_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let expected = weights_after(&config(&[]), 20);
    // Never, at every update, and with the first only where the first best/ needs one.
    for (minutes, number) in [("0", 2), ("1e-9", 20), ("1000", 2)] {
        let path = folder.path().join(minutes);
        let session = Session::run(&config(&[("checkpoint_minutes", minutes)]), &path, None);
        assert_eq!(session.saved.len(), number, "{minutes}: {:?}", session.saved);
        assert!(bits(&saved(&path, "last")) == bits(&expected), "checkpoints every {minutes} minutes");
    }
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("log_interval", "1")]);
    Session::run(&config, &path, Some(10));
    fs::remove_file(path.join("metrics.jsonl")).unwrap();
    fs::create_dir(path.join("metrics.jsonl")).unwrap();
    let session = Session::run(&config, &path, None);
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 20)));
    let unwritten = session.outcome.unwrap().unwritten;
    assert_eq!(unwritten.log_entries, 10 + 3, "ten updates, three evaluations");
    assert!(unwritten.files.is_empty());
    assert!(
        matches!(&session.warnings[..], [one] if one.contains("metrics.jsonl")),
        "{:?}",
        session.warnings
    );
}

/// As on a full disk: the checkpoint cannot be written, the one before stays, and the next is tried again.
#[test]
fn a_checkpoint_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("checkpoint_interval", "4")]);
    Session::run(&config, &path, Some(10));
    let block = |name: &str| {
        fs::create_dir_all(path.join(name)).unwrap();
        fs::write(path.join(name).join("notes"), "").unwrap();
        fs::write(path.join(name).join("manifest.json"), "").unwrap();
    };
    block("checkpoints/step-12");
    let stopped = Session::run(&config, &path, Some(13)).outcome.unwrap();
    assert!(matches!(stopped.stopped, Stopped::Signal(_)));
    assert!(stopped.unwritten.files.is_empty(), "written at 13");
    block("checkpoints/step-20");
    block("last");
    let session = Session::run(&config, &path, None);
    let outcome = session.outcome.unwrap();
    assert_eq!(outcome.stopped, Stopped::Finished);
    let names: Vec<_> = outcome.unwritten.files.keys().copied().collect();
    assert_eq!(names, ["checkpoint", "last"]);
    assert_eq!(session.saved, [16]);
    assert!(session.warnings.iter().any(|warning| warning.contains("step-20")), "{:?}", session.warnings);
}

#[test]
fn a_best_that_cannot_be_written_is_not_remembered_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::create_dir_all(&path).unwrap();
    let config = config(&[]);
    let session = Session::run_after(&config, &path, None, || {
        fs::create_dir(path.join("best")).unwrap();
        fs::write(path.join("best/notes"), "mine").unwrap();
    });
    let outcome = session.outcome.unwrap();
    assert_eq!(outcome.unwritten.files.keys().copied().collect::<Vec<_>>(), ["best"]);
    let first = session.evaluations[0].val_loss;
    assert_eq!(outcome.best_val_loss, Some(first), "that of update 0, which is never written");
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 20)));
}

/// Weights after which nothing is finite are of no use to go on from, and take no checkpoint's place.
#[test]
fn weights_that_compute_nothing_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("learning_rate", "1e38"), ("warmup_iters", "6"), ("grad_clip", "0")]);
    let session = Session::run(&config, &path, None);
    let error = session.outcome.expect_err("it diverges");
    let TrainError::NonFinite { iter, .. } = error else { panic!("{error}") };
    assert!(iter > 0, "not at once");
    assert!(session.saved.is_empty() && steps(&path).is_empty(), "{:?}", session.saved);
}

/// A batch that cannot be read: what was learned before it is saved.
#[test]
fn the_state_before_a_failed_update_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[]);
    let session = Session::limited(&config, &path, (None, None), Some(3), false, || {});
    assert!(matches!(session.outcome, Err(TrainError::Data(_))));
    let iter = steps(&path)[0];
    assert!(iter > 0, "not at once");
    let saved = History::open(&RunDir::open_for_resume(&path).unwrap().checkpoints(), 2)
        .unwrap()
        .latest_verified()
        .unwrap();
    assert!(bits(&saved.checkpoint.model) == bits(&weights_after(&config, iter)));
}

/// A signal before the first `best/` leaves the weights as they are, and the training that goes on ends the same.
#[test]
fn a_signal_before_the_first_best_leaves_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("eval_interval", "15")]);
    let stopped = Session::run(&config, &path, Some(4)).outcome.unwrap();
    assert!(matches!(stopped.stopped, Stopped::Signal(_)));
    assert!(!path.join("best").exists());
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 4)));
    Session::run(&config, &path, Some(16)).outcome.unwrap();
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 4)), "now there is best/");
    Session::run(&config, &path, None).outcome.unwrap();
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 20)));
}

/// A signal ends an evaluation, however long it would be; it is made again when the training goes on.
#[test]
fn a_signal_ends_an_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("eval_iters", "4")]);
    let session = Session::limited(&config, &path, (None, None), None, true, || {});
    let outcome = session.outcome.unwrap();
    assert!(matches!(outcome.stopped, Stopped::Signal(_)));
    assert_eq!((outcome.iter, session.evaluations.len()), (0, 0), "the first evaluation has several batches");
    let session = Session::run(&config, &path, None);
    assert_eq!(session.evaluations.len(), 5);
    assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 20)));
}

/// A training that is out of time ends as one does that has made all updates, and can go on from there to the same bits.
#[test]
fn a_time_limit_ends_a_training_properly() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&[]);
    let limited = |name: &str, seconds: f64, end_s: f64| {
        let limit = TimeLimit { seconds, end_s };
        let path = folder.path().join(name);
        let session = Session::limited(&config, &path, (None, Some(limit)), None, false, || {});
        (path, session.outcome.unwrap())
    };
    let whole = weights_after(&config, 20);
    let (path, outcome) = limited("enough", 1e6, 1.0);
    assert_eq!((outcome.stopped, outcome.iter), (Stopped::Finished, 20));
    assert!(bits(&saved(&path, "last")) == bits(&whole));
    for (name, seconds, end_s) in [("none", 0.0, 0.0), ("for its end", 1e6, 1e6)] {
        let (path, outcome) = limited(name, seconds, end_s);
        assert_eq!((outcome.stopped, outcome.iter), (Stopped::OutOfTime, 0), "{name}");
        assert_eq!(outcome.val_losses.len(), 1, "{name}: it was measured");
        assert!(bits(&saved(&path, "last")) == bits(&weights_after(&config, 0)), "{name}");
        Session::run(&config, &path, None).outcome.unwrap();
        assert!(bits(&saved(&path, "last")) == bits(&whole), "{name}");
    }
}

/// `eval_iters` batches choose the best model, also at the end, where all of the validation part is reported.
#[test]
fn the_best_is_chosen_by_the_same_batches_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = config(&[("eval_iters", "1")]);
    let session = Session::run(&config, &path, None);
    let (outcome, val) = (session.outcome.unwrap(), val_text(&config));
    let mut trainer = Trainer::new(&config, &train_text()[..]).unwrap();
    let mut least = f64::INFINITY;
    for at in [0, 5, 10, 15, 20] {
        while trainer.iter < at {
            trainer.step(&train_text()).unwrap();
        }
        least = least.min(evaluate(&trainer.model, &trainer.params, &val, 1).unwrap());
    }
    assert_eq!(outcome.best_val_loss, Some(least));
    let all = evaluate(&trainer.model, &trainer.params, &val, 0).unwrap();
    assert_eq!(session.evaluations.last().unwrap().val_loss, all);
    assert!(all != evaluate(&trainer.model, &trainer.params, &val, 1).unwrap(), "the two can be told apart");
}
