//! Whole runs of the program: what they write, that they can be interrupted, and that text comes out.

use crate::common::{self, dataset, fails, float, json, json_file, json_lines, newleaf, stdout};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const TINY: [&str; 7] = [
    "--n-layer=1",
    "--n-head=2",
    "--n-embd=16",
    "--block-size=16",
    "--batch-size=4",
    "--eval-iters=2",
    "--sample-length=40",
];

#[test]
fn a_run_writes_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let trained = newleaf()
        .args(["train", "--max-iters=20", "--eval-interval=10", "--log-interval=1", "--out"])
        .arg(&run)
        .args(TINY)
        .assert()
        .success();
    assert!(trained.get_output().stdout.len() > 20, "samples on stdout");
    let metrics = json_lines(&run.join("metrics.jsonl"));
    let steps: Vec<_> = metrics.iter().filter(|line| line.get("train_loss").is_some()).collect();
    let evaluations: Vec<_> = metrics.iter().filter(|line| line.get("val_loss").is_some()).collect();
    assert_eq!(steps.len(), 20);
    assert_eq!(evaluations.iter().map(|e| e["iter"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 10, 20]);
    for name in ["iter", "tokens", "elapsed_s", "lr", "train_loss", "grad_norm", "step_ms", "tokens_per_s"] {
        assert!(steps.iter().all(|line| line[name].is_number()), "{name}");
    }
    assert!(evaluations.iter().all(|line| line["val_bits_per_char"].is_number()));
    let info = json_file(&run.join("run.json"));
    for name in ["command", "config", "data", "seed", "version", "machine"] {
        assert!(!info[name].is_null(), "{name}");
    }
    for model in ["best", "last"] {
        for file in
            ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "README.md"]
        {
            assert!(run.join(model).join(file).is_file(), "{model}/{file}");
        }
    }
    assert!(run.join("samples.txt").is_file());

    let sample = |seed: &str| {
        let sample =
            newleaf().args(["sample", "--max-new-tokens=50", "--seed", seed, "--model"]).arg(&run).assert();
        sample.success().get_output().stdout.clone()
    };
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
    let text = folder.path().join("text.txt");
    fs::write(&text, "the cat and the dog went to the market and came home again").unwrap();
    let eval = json(newleaf().args(["eval", "--json", "--data"]).arg(&text).arg("--model").arg(&run));
    assert_eq!(eval["targets"], 57);
    assert!(eval["loss"].as_f64().unwrap() > 0.0 && eval["bits_per_char"].is_number());
    newleaf().args(["info", "--json"]).arg(&run).assert().success();

    // Going on with a finished run evaluates its last iteration again, and logs it once.
    newleaf().args(["train", "--resume", "--out"]).arg(&run).assert().success();
    assert_eq!(json_lines(&run.join("metrics.jsonl")).len(), metrics.len());
}

#[test]
fn chinese_text_comes_out_as_valid_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    newleaf()
        .args(["train", "--max-iters=10", "--out"])
        .arg(&run)
        .arg("--data")
        .arg(dataset("stories-zh.txt"))
        .args(TINY)
        .assert()
        .success();
    let text = stdout(newleaf().args(["sample", "--max-new-tokens=200", "--model"]).arg(&run)); // valid UTF-8
    assert!(text.chars().any(|c| ('一'..='鿿').contains(&c)), "{text}");
}

/// Interrupted by Ctrl-C and resumed, a run ends with the same weights as one that was left alone.
#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str| {
        let mut args: Vec<String> =
            ["train", "--max-iters=1500", "--eval-interval=100", "--out"].map(String::from).into();
        args.push(folder.path().join(out).display().to_string());
        args.extend(TINY.map(String::from));
        args
    };
    newleaf().args(train("whole")).assert().success();

    let program = assert_cmd::cargo::cargo_bin("newleaf");
    let mut child = std::process::Command::new(program)
        .args(train("cut"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("iter   200")).expect("it trains").unwrap();
    common::signal(&child, "INT");
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!folder.path().join("cut/last").exists(), "it was stopped before its end");

    newleaf().args(["train", "--resume", "--out"]).arg(folder.path().join("cut")).assert().success();
    for file in ["last/model.safetensors", "best/model.safetensors"] {
        let [whole, cut] = ["whole", "cut"].map(|run| fs::read(folder.path().join(run).join(file)).unwrap());
        assert!(whole == cut, "{file} differs");
    }
    let steps = |run: &str| -> Vec<u64> {
        let lines = json_lines(&folder.path().join(run).join("metrics.jsonl"));
        lines.iter().filter(|l| l.get("train_loss").is_some()).map(|l| l["iter"].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("whole"), steps("cut"));
    let samples = |run: &str| fs::read_to_string(folder.path().join(run).join("samples.txt")).unwrap();
    assert!(samples("whole").contains("=== iteration 1400 ==="), "a sample at every evaluation");
    assert_eq!(samples("cut").matches("=== iteration ").count(), 16, "none is written twice");
}

/// Whatever ends a training of the default preset, it goes on from its latest checkpoint to the weights of one that was
/// left alone: a kill that nobody can see coming, and a terminal that is closed.
#[cfg(unix)]
#[test]
fn a_killed_run_of_the_default_preset_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"));
        command
            .args(["train", "--max-iters=3000", "--eval-interval=3000", "--out"])
            .arg(folder.path().join(out));
        command.args(TINY).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(train("whole").status().unwrap().success());
    let weights = |out: &str| fs::read(folder.path().join(out).join("last/model.safetensors")).unwrap();
    for (signal, minutes, code) in [("KILL", "0.002", None), ("HUP", "5", Some(129))] {
        // Under nohup a closed terminal ends nothing, here neither.
        if signal == "HUP" && common::ignores_hangup() {
            continue;
        }
        let run = folder.path().join(signal);
        let mut child = train(signal).args(["--checkpoint-minutes", minutes]).spawn().unwrap();
        let reached = || match signal {
            "KILL" => fs::read_dir(run.join("checkpoints")).is_ok_and(|mut steps| {
                steps.any(|step| step.unwrap().file_name().to_string_lossy().starts_with("step-"))
            }),
            _ => fs::read_to_string(run.join("metrics.jsonl")).is_ok_and(|text| text.lines().count() > 5),
        };
        while !reached() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was stopped");
        }
        common::signal(&child, signal);
        assert_eq!(child.wait().unwrap().code(), code);
        // A signal before the first evaluation leaves a model, a kill does not.
        assert_eq!(run.join("last").exists(), signal == "HUP");
        assert!(signal == "KILL" || weights(signal) != weights("whole"), "it was stopped before its end");
        newleaf().args(["train", "--resume", "--out"]).arg(&run).assert().success();
        assert!(weights(signal) == weights("whole"), "{signal}");
    }
}

/// A run that died before its first checkpoint begins again by the same command, which `--resume` says.
#[cfg(unix)]
#[test]
fn a_run_without_a_checkpoint_begins_again() {
    let place = common::Place::new();
    let run = place.path("run");
    let command = || {
        let mut command = newleaf();
        command.args(["train", "--max-iters=8", "--out"]).arg(&run).args(TINY);
        command
    };
    command().assert().success();
    for name in ["best", "last", "checkpoints"] {
        fs::remove_dir_all(run.join(name)).unwrap(); // as if it had been killed
    }
    fs::create_dir(run.join("checkpoints")).unwrap();
    let mut resume = newleaf();
    resume.args(["train", "--resume", "--out"]).arg(&run);
    common::fails(&mut resume, 2, &["no checkpoint", "leaving out --resume"]);
    command().assert().success();
    let steps = json_lines(&run.join("metrics.jsonl"));
    assert_eq!(steps.iter().filter(|line| line["iter"] == 0).count(), 1, "nothing of the first is left");
    common::fails(&mut command(), 2, &["another run", "--resume"]);
}

/// A log on a disk that is full: the training goes on, warns once, and says at the end what is lost.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_of_the_log_stops_nothing() {
    let place = common::Place::new();
    let run = place.path("run");
    let train = |max_iters: &str| {
        let mut command = newleaf();
        command.args(["train", "--log-interval=1", max_iters, "--out"]).arg(&run).args(TINY);
        command
    };
    train("--max-iters=4").assert().success();
    for name in ["metrics.jsonl", "samples.txt"] {
        fs::remove_file(run.join(name)).unwrap();
        std::os::unix::fs::symlink("/dev/full", run.join(name)).unwrap();
    }
    let mut resume = newleaf();
    resume.args(["train", "--resume", "--max-iters=9", "--out"]).arg(&run);
    let output = resume.assert().success().get_output().clone();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.matches("goes on without it").count(), 1, "{message}");
    // Updates 5 to 9 and the evaluation at the end; no sample is due on the way.
    assert!(message.contains("6 entries of metrics.jsonl and samples.txt could not be written"), "{message}");
    assert!(message.contains("learning rate now falls over 9 updates and not over 4"), "{message}");
}

#[test]
fn every_command_explains_itself() {
    for command in ["train", "sample", "eval", "info", "report"] {
        let text = stdout(newleaf().args([command, "--help"]));
        assert!(text.contains(&format!("newleaf {command}")), "{command} --help has an example");
    }
}

/// A mixture of objectives: a loss for each, its special tokens in the tokenizer, and none of them in a sample.
#[test]
fn a_mixture_of_objectives_is_trained_and_measured_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut command = newleaf();
    command
        .args([
            "train",
            "--objective",
            "mix=clm:.5,mlm:.25,span:.25",
            "--json",
            "--max-iters=20",
            "--eval-interval=10",
        ])
        .arg("--out")
        .arg(&run)
        .args(TINY.iter().filter(|flag| !flag.starts_with("--block-size")))
        .arg("--block-size=32");
    let summary = json(&mut command);
    let lines = json_lines(&run.join("metrics.jsonl"));
    let evaluations: Vec<_> = lines.iter().filter(|line| line.get("val_loss").is_some()).collect();
    assert_eq!(evaluations.len(), 3);
    for name in ["val_loss_clm", "val_loss_mlm", "val_loss_span"] {
        assert!(evaluations.iter().all(|line| line[name].is_number()), "{name}");
        assert_eq!(summary[name], evaluations[2][name]);
    }
    let clm = evaluations[2]["val_loss_clm"].as_f64().unwrap() / std::f64::consts::LN_2;
    assert!((evaluations[2]["val_bits_per_char"].as_f64().unwrap() - clm).abs() < 1e-9);
    let tokenizer = fs::read_to_string(run.join("best/tokenizer.json")).unwrap();
    assert!(tokenizer.contains("[MASK]") && tokenizer.contains("<extra_id_0>"));
    let text = stdout(newleaf().args(["sample", "--max-new-tokens=300", "--model"]).arg(&run));
    assert!(!text.contains("[MASK]") && !text.contains("extra_id"), "{text}");
    newleaf().args(["train", "--resume", "--max-iters=25", "--out"]).arg(&run).assert().success();
}

/// What `eval` says of a run's last model is what the run says, with the numbers that it was trained with. Away from its
/// run nobody knows them.
#[test]
fn eval_measures_the_objectives_that_a_run_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = dataset("stories-en.txt");
    let objective = "mix=clm:.5,mlm:.25,span:.25";
    let mut command = newleaf();
    command
        .args([
            "train",
            "--json",
            "--max-iters=10",
            "--eval-interval=10",
            "--mask-rate=.3",
            "--mask-split=1,0,0",
        ])
        .args(["--objective", objective, "--out"])
        .arg(&run)
        .args(TINY.iter().filter(|flag| !flag.starts_with("--block-size")))
        .arg("--block-size=32");
    let summary = json(&mut command);
    let eval = |model: &Path, objective: &str| -> (Value, String) {
        let mut command = newleaf();
        command.args(["eval", "--json", "--split=val", "--objective", objective, "--data"]).arg(&data);
        let output = command.arg("--model").arg(model).assert().success().get_output().clone();
        (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let number = |value: &Value| value.as_f64().unwrap();
    let close = |a: &Value, b: f64| (number(a) - b).abs() < 1e-12;

    let (measured, notes) = eval(&run.join("last"), objective);
    for name in ["clm", "mlm", "span"] {
        assert_eq!(measured[format!("loss_{name}")], summary[format!("val_loss_{name}")], "{name}");
    }
    let [clm, mlm, span] = ["clm", "mlm", "span"].map(|name| number(&measured[format!("loss_{name}")]));
    assert!(close(&measured["loss"], 0.5 * clm + 0.25 * mlm + 0.25 * span), "{measured}");
    assert_eq!(notes, "");
    let (plain, _) = eval(&run.join("last"), "clm");
    assert!(close(&plain["loss"], clm) && plain["loss"] == plain["loss_clm"], "{plain}");
    for bits in ["bits_per_char", "bits_per_byte"] {
        assert!(close(&measured[bits], number(&plain[bits])), "{measured} {plain}");
    }

    let copy = folder.path().join("copy");
    fs::rename(run.join("last"), &copy).unwrap();
    let (usual, notes) = eval(&copy, "mlm");
    assert!(notes.contains("usual numbers"), "{notes}");
    assert!(number(&usual["loss_mlm"]) != mlm && usual.get("bits_per_char").is_none(), "{usual}");
}

/// A model becomes a GPT-2 and a directory of ours again; one with settings that GPT-2 does not have is refused by name.
#[test]
fn models_are_written_in_each_format() {
    let folder = tempfile::tempdir().unwrap();
    let trained = |out: &str, more: &[&str]| {
        let arguments =
            ["train", "--preset=nano-cpu", "--max-iters=2", "--activation=gelu_tanh", "--out", out];
        let _ = stdout(newleaf().current_dir(&folder).args(arguments).args(TINY).args(more));
    };
    let export = |model: &str, out: &str, format: &str| {
        let arguments = ["export", "--model", model, "--out", out, "--format", format];
        let mut command = newleaf();
        command.current_dir(&folder).args(arguments);
        command
    };
    trained("run", &[]);
    assert!(stdout(&mut export("run", "theirs", "gpt2")).starts_with("theirs: GPT-2 with "));
    assert!(stdout(&mut export("theirs", "ours", "newleaf")).starts_with("ours: newleaf model with "));
    let model_type =
        |out: &str| json_file(&folder.path().join(out).join("config.json"))["model_type"].clone();
    assert_eq!([model_type("theirs"), model_type("ours")], ["gpt2", "newleaf-gpt"]);
    let loss = |model: &str| {
        let eval = ["eval", "--json", "--model", model, "--data"];
        json(newleaf().current_dir(&folder).args(eval).arg(dataset("stories-en.txt")))["loss"].clone()
    };
    let (before, after) = (float(&loss("run")), float(&loss("ours")));
    assert!((before - after).abs() < 1e-5, "{before} {after}");
    trained("other", &["--soft-cap=15", "--window=4"]);
    fails(&mut export("other", "out", "gpt2"), 2, &["soft_cap 15.0", "window 4", "no GPT-2"]);
    fails(&mut export("run", "out", "gguf"), 2, &["gguf", "newleaf, gpt2"]);
}
