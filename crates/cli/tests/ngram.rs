//! `newleaf ngram`: known losses, and refusals. `newleaf train`: what counting reaches, beside its own loss.

use crate::common::{float, json, newleaf_in, refuses};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `n` letters that no context helps to predict: the high bits of a linear congruential generator.
fn noise(n: usize, letters: &[u8]) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        letters[((state >> 33) % letters.len() as u64) as usize] as char
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn a_cycle_costs_nothing_and_noise_its_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("cycle.txt"), "abcdefgh".repeat(500)).unwrap();
    fs::write(path.join("noise.txt"), noise(20_000, b"abcd")).unwrap();
    let cycle = json(&mut newleaf_in(path, &["ngram", "--train", "cycle.txt", "--json"]));
    assert!(float(&cycle["nats_per_char"]) < 0.02, "{cycle}");
    assert_eq!((&cycle["train_chars"], &cycle["test_chars"]), (&3600.into(), &400.into()));
    let noise = json(&mut newleaf_in(
        path,
        &["ngram", "--train", "noise.txt", "--order", "3", "--json", "--per-order"],
    ));
    let per_order: Vec<f64> = noise["per_order"].as_array().unwrap().iter().map(float).collect();
    assert_eq!((per_order.len(), per_order[2]), (3, float(&noise["nats_per_char"])));
    for nats in per_order {
        assert!((nats - 4_f64.ln()).abs() < 0.01, "{nats} instead of ln 4");
    }
    assert!((float(&noise["bits_per_char"]) - 2.0).abs() < 0.015, "{noise}");
}

#[test]
fn another_text_is_predicted_and_its_new_characters_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.txt"), "the cat sat on the mat. ".repeat(50)).unwrap();
    fs::write(path.join("b.txt"), "the cat sat on the Ü!").unwrap();
    let found = json(&mut newleaf_in(path, &["ngram", "--train", "a.txt", "--test", "b.txt", "--json"]));
    assert_eq!((&found["oov_chars"], &found["test_chars"]), (&2.into(), &21.into()));
    assert!(float(&found["nats_per_char"]).is_finite());
    // The sample has the asked length, the figures go to stderr, and the same seed writes the same.
    let sample = || {
        newleaf_in(path, &["ngram", "--train", "a.txt", "--sample", "60"])
            .assert()
            .success()
            .get_output()
            .clone()
    };
    assert_eq!(sample().stdout, sample().stdout);
    assert_eq!(String::from_utf8(sample().stdout).unwrap().chars().count(), 61);
    assert!(String::from_utf8(sample().stderr).unwrap().contains("nats a character"));
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("good.txt"), "one line and no blank ones ".repeat(20)).unwrap();
    fs::write(path.join("empty.txt"), "").unwrap();
    fs::write(path.join("broken.txt"), b"good text \xff\xfe more").unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--train", "no.txt"], &["no.txt"]),
        (&["--train", "."], &[".", "director"]),
        (&["--train", "empty.txt"], &["empty.txt", "empty"]),
        (&["--train", "broken.txt"], &["broken.txt", "byte offset 10"]),
        (&["--train", "good.txt", "--test", "broken.txt"], &["broken.txt", "byte offset 10"]),
        (&["--train", "good.txt", "--test", "no.txt"], &["no.txt"]),
        (&["--train", "good.txt", "--order", "0"], &["order", "0", "from 1 to 64"]),
        (&["--train", "good.txt", "--order", "65"], &["order", "65", "from 1 to 64"]),
        (&["--train", "good.txt", "--order", "many"], &["--order", "many"]),
        (&["--train", "good.txt", "--split", "shuffled"], &["good.txt", "passages", "--split"]),
        (&["--train", "good.txt", "--split", "odd"], &["--split", "odd", "shuffled"]),
        (&["--train", "good.txt", "--test", "good.txt", "--split", "shuffled"], &["--test", "--split"]),
        (&[], &["--train"]),
    ];
    for (arguments, words) in cases {
        refuses(path, newleaf_in(path, &["ngram"]).args(*arguments), words);
    }
}

/// A training of a tiny model.
fn train(folder: &Path, data: &str, more: &[&str]) -> Command {
    let mut command =
        newleaf_in(folder, &["train", "--data", data, "--out", "run", "--n-layer=1", "--n-head=2"]);
    command.args([
        "--n-embd=16",
        "--block-size=16",
        "--batch-size=8",
        "--eval-interval=50",
        "--sample-length=10",
    ]);
    command.args(more);
    command
}

/// The loss of counting beside a run is that of `newleaf ngram` on the same text.
#[test]
fn a_run_says_what_counting_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = "the cat sat on the mat, and the dog ran to the man; the man sat and the cat ran. ".repeat(40);
    fs::write(path.join("text.txt"), &text).unwrap();
    let trained =
        train(path, "text.txt", &["--max-iters=3", "--json"]).assert().success().get_output().clone();
    let summary: Value = serde_json::from_slice(&trained.stdout).unwrap();
    let count_loss = float(&summary["count_loss"]);
    let ngram = json(&mut newleaf_in(path, &["ngram", "--train", "text.txt", "--order", "5", "--json"]));
    // `ngram` also predicts the first character of the part, from nothing: that is the whole difference.
    let n = float(&ngram["test_chars"]);
    let first = n * float(&ngram["nats_per_char"]) - (n - 1.0) * count_loss;
    assert!(first > 0.0 && first < 10.0, "{first}: {summary} {ngram}");
    let told = String::from_utf8(trained.stderr).unwrap();
    let line =
        format!("to beat: an n-gram model (Kneser-Ney, order 5) reaches validation loss {count_loss:.4}\n");
    assert!(told.contains(&line), "{told}");
    assert!(told.contains("the n-gram model predicts this text better"), "after three updates: {told}");
}

/// In noise the counts see patterns that the next part does not have: there a model that has learnt nothing is better,
/// and is not told otherwise.
#[test]
fn a_model_that_beats_counts_is_left_in_peace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("noise.txt"), noise(6000, b"abcdefghijklmnop")).unwrap();
    let trained = train(path, "noise.txt", &["--max-iters=10", "--learning-rate=1e-4", "--json"])
        .assert()
        .success()
        .get_output()
        .clone();
    let summary: Value = serde_json::from_slice(&trained.stdout).unwrap();
    let told = String::from_utf8(trained.stderr).unwrap();
    assert!(float(&summary["best_val_loss"]) < float(&summary["count_loss"]), "{told}");
    assert!(!told.contains("the n-gram model predicts"), "{told}");
}
