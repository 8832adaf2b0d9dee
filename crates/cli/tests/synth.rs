//! `newleaf synth`: what it writes, what it says, what it refuses.

use crate::common::{self, newleaf, refuses};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;

fn synth(args: &[&str]) -> Command {
    let mut command = newleaf();
    command.arg("synth").args(args);
    command
}

fn json(args: &[&str]) -> Value {
    common::json(&mut synth(args))
}

#[test]
fn json_has_the_promised_fields_and_the_file_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("markov.txt");
    let out = out.to_str().unwrap();
    let report = json(&["markov-k", "--tokens", "50000", "--seed", "7", "--out", out, "--json"]);
    let number = |name: &str| report[name].as_f64().unwrap();
    assert!((number("floor_nats") - 0.909637).abs() < 1e-6);
    assert!((number("mean_nats") - number("floor_nats")).abs() < 4.0 * number("standard_error"));
    assert_eq!(fs::read(out).unwrap().len(), 50_000);
    assert_eq!(report["bytes"], 50_000);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    // The same on standard output, and without --out only the object.
    let same =
        synth(&["markov-k", "--tokens", "50000", "--seed", "7"]).assert().success().get_output().clone();
    assert_eq!(same.stdout, fs::read(out).unwrap());
    assert!(String::from_utf8(same.stderr).unwrap().contains("floor 0.909637"));
    assert_eq!(json(&["markov-k", "--tokens", "50000", "--seed", "7", "--json"])["sha256"], report["sha256"]);
    assert_ne!(json(&["markov-k", "--tokens", "50000", "--seed", "8", "--json"])["sha256"], report["sha256"]);
}

#[test]
fn costs_are_those_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let args =
        ["sentiment", "--tokens", "3000", "--out", &path("a.tsv"), "--costs", &path("c.tsv"), "--json"];
    let report = json(&args);
    let costs = fs::read_to_string(path("c.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = costs.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len() as u64, report["tokens"].as_u64().unwrap());
    assert_eq!(rows.len(), fs::read_to_string(path("a.tsv")).unwrap().chars().count());
    let counted: Vec<f64> =
        rows.iter().filter(|row| row[3] == "1").map(|row| row[2].parse().unwrap()).collect();
    let mean = counted.iter().sum::<f64>() / counted.len() as f64;
    assert!((mean - report["mean_nats"].as_f64().unwrap()).abs() < 1e-12);
    assert_eq!(report["facts"]["bayes_accuracy"], 0.95);
}

#[test]
fn records_and_list() {
    let output =
        synth(&["slots", "--tokens", "500", "--format", "records"]).assert().success().get_output().clone();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["messages"].is_array());
    }
    let list = synth(&["--list"]).assert().success().get_output().clone();
    let list = String::from_utf8(list.stdout).unwrap();
    for words in ["markov-k", "storygen", "--set eta=0.05", "from 0 to 1"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(json(&["--list", "--json"]).as_array().unwrap().len() >= 20);
}

#[test]
fn a_specification_describes_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.json");
    synth(&["golden-mean", "--tokens", "20000", "--spec", path.to_str().unwrap()]).assert().success();
    let spec: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let report = json(&["golden-mean", "--tokens", "20000", "--json"]);
    assert_eq!(spec["full"]["sha256"], report["sha256"]);
    assert_eq!(spec["mean_nats"], report["mean_nats"]);
    assert_eq!(spec["method"], "closed");
}

#[test]
fn mistakes_are_explained_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.txt");
    let out = out.to_str().unwrap();
    let inside = folder.path().join("no/such/out.txt");
    let cases: &[(&[&str], &str)] = &[
        (&["nothing", "--out", out], "expected one of iid-zipf"),
        (&["markov-k", "--set", "order=2", "--out", out], "set chain=1"),
        (&["markov-k", "--set", "order", "--out", out], "expected PARAMETER=VALUE"),
        (&["markov-k", "--set", "depth=2", "--out", out], "expected order, symbols, chain, alpha"),
        (&["sentiment", "--set", "eta=0.5", "--out", out], "less than 0.5"),
        (&["sentiment", "--set", "eta=1e-3", "--out", out], "at most six decimals"),
        (&["dyck-1", "--tokens", "0", "--out", out], "0 is not in"),
        (&["dyck-1", "--out", folder.path().to_str().unwrap()], "found a directory"),
        (&["dyck-1", "--out", inside.to_str().unwrap()], "cannot be written"),
        (&["pcfg", "--set", "p=1", "--spec", out], "expected no parameters"),
        (&["mess3", "--set", "x=0.5", "--spec", out], "less than 0.5"),
        (&["pcfg", "--spec", out, "--out", out], "cannot be used with"),
        (&["pcfg", "--out", out, "--costs", out], "one output would replace the other"),
        (&[], "NAME"),
    ];
    for (args, words) in cases {
        refuses(folder.path(), &mut synth(args), &[words]);
    }
}

/// Scripts that call the command by its old name go on; the help does not mention it.
#[test]
fn the_old_name_still_works() {
    let args = ["golden-mean", "--tokens", "1000"];
    let old = newleaf().arg("generate").args(args).assert().success().get_output().stdout.clone();
    assert_eq!(old, synth(&args).assert().success().get_output().stdout);
    let help = newleaf().arg("--help").assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    assert!(help.contains(" synth ") && !help.contains(" generate "), "{help}");
}

/// What was begun is removed, and the file that had the name stays.
#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.txt");
    fs::write(&out, "old").unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"))
        .args(["synth", "markov-k", "--tokens", "1000000000000", "--out", out.to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let files = || fs::read_dir(folder.path()).unwrap();
    let has_begun = || files().any(|file| file.unwrap().metadata().is_ok_and(|file| file.len() > 1000));
    while !has_begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    common::signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files().count(), 1, "no temporary file is left");
    assert_eq!(fs::read_to_string(out).unwrap(), "old");
}
