//! `newleaf report`: runs that go on, and the verdict in words.

use crate::common::{json as json_of, newleaf_in};
use crate::report::{TINY, change_info, check_page, copies, train};
use serde_json::json;
use std::fs;

/// A run that goes on with another number of updates is measured by that.
#[test]
fn a_resumed_run_is_measured_by_its_new_length() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", &["--checkpoint-interval=10"]);
    let resume = ["train", "--resume", "--out", "run", "--max-iters=30"];
    newleaf_in(folder.path(), &resume).assert().success();
    let report = json_of(&mut newleaf_in(folder.path(), &["report", "run", "--json"]));
    assert_eq!((&report["runs"][0]["iter"], &report["runs"][0]["max_iters"]), (&json!(30), &json!(30)));
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(page.contains("<tr><th>updates</th><td>30 of 30</td>"), "{page}");
}

/// The evaluation at the end of a run is after its last checkpoint: a training that goes on knows the best model by the run's
/// record, and does not replace it with a worse one.
#[test]
fn a_resumed_run_keeps_its_best_model() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", &[]);
    let best = folder.path().join("run/best/model.safetensors");
    let before = fs::read(&best).unwrap();
    change_info(&folder.path().join("run"), |info| info["outcome"]["best_val_loss"] = json!(1e-3)); // no update reaches it
    let resume = ["train", "--resume", "--out", "run", "--max-iters=60", "--json"];
    let result = json_of(&mut newleaf_in(folder.path(), &resume));
    assert_eq!(result["best_val_loss"], json!(1e-3), "{result}");
    assert!(before == fs::read(&best).unwrap(), "best/ was replaced by a worse model");
}

/// The log, the settings and the samples change while they are read.
#[test]
fn a_run_can_be_shown_while_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    // The same, but for its length and how often it is measured.
    let tiny = TINY
        .into_iter()
        .filter(|flag| !flag.starts_with("--max-iters") && !flag.starts_with("--eval-interval"));
    let mut writer =
        newleaf_in(folder.path(), &["train", "--out", "run", "--max-iters=150", "--eval-interval=1"]);
    writer.args(tiny).args(["--sample-interval=1", "--checkpoint-interval=3"]);
    let writer = std::thread::spawn(move || writer.assert().success());
    let metrics = folder.path().join("run/metrics.jsonl");
    let mut shown = 0;
    while !writer.is_finished() {
        if fs::read_to_string(&metrics).is_ok_and(|text| text.contains('\n')) {
            newleaf_in(folder.path(), &["report", "run", "--out", "page.html"]).assert().success();
            shown += 1;
        }
    }
    writer.join().unwrap();
    assert!(shown > 0, "the training was over at once");
    check_page(&fs::read_to_string(folder.path().join("page.html")).unwrap());
}

/// Losses that fall, that rise again, and that are below those of training: in words.
#[test]
fn a_verdict_follows_from_the_losses() {
    let folder = copies(&["run"]);
    let run = folder.path().join("run");
    let verdict = |validation: &[f64], training: f64, dropout: f64| {
        let line = |(i, loss): (usize, &f64)| {
            let at = json!({"iter": 10 * i, "tokens": i, "elapsed_s": i});
            let (mut step, mut evaluation) = (at.clone(), at);
            step["train_loss"] = json!(training - 0.01 * i as f64);
            evaluation["val_loss"] = json!(loss);
            format!("{step}\n{evaluation}\n")
        };
        fs::write(run.join("metrics.jsonl"), validation.iter().enumerate().map(line).collect::<String>())
            .unwrap();
        change_info(&run, |info| {
            info["count_loss"] = json!(1.52);
            info["config"]["train"]["max_iters"] = json!(10 * (validation.len() - 1));
            info["config"]["model"]["dropout"] = json!(dropout);
        });
        newleaf_in(folder.path(), &["report", "run"]).assert().success();
        let page = fs::read_to_string(run.join("report.html")).unwrap();
        check_page(&page);
        page.split("<h2>").next().unwrap().to_string()
    };
    let falling = verdict(&[4.0, 3.0, 2.5, 2.0, 1.6, 1.42], 1.3, 0.0);
    for part in [
        "Your model's validation loss is 1.4200; the n-gram baseline reaches 1.5200: the model predicts this text better.",
        "a probability of 24 %",
        "training longer will probably help, say with <code>--max-iters</code> 100",
    ] {
        assert!(falling.contains(part), "{part}: {falling}");
    }
    assert!(!falling.contains("below the training loss"));
    let flat = verdict(&[4.0, 2.0, 1.7, 1.6, 1.6, 1.6], 2.0, 0.1);
    for part in [
        "the baseline still predicts this text better",
        "has stopped falling",
        "is below the training loss",
        "dropout",
    ] {
        assert!(flat.contains(part), "{part}: {flat}");
    }
    let rising = verdict(&[4.0, 2.0, 1.6, 1.7, 1.8, 1.9], 1.0, 0.0);
    for part in ["overfits", "least after 20 updates, 1.6000, and has risen to 1.9000"] {
        assert!(rising.contains(part), "{part}: {rising}");
    }
    let few = verdict(&[4.0, 2.0], 1.0, 0.0);
    assert!(few.contains("too few evaluations"), "{few}");
}
