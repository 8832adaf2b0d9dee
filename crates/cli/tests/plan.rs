//! `newleaf plan`, and trainings that follow a plan. They measure the machine, so no other test runs beside them.

#[allow(dead_code, reason = "the other tests need the rest")]
mod common;

use common::{fails, json, json_file, newleaf, newleaf_in, refuses};

#[test]
fn a_plan_names_a_model_and_what_it_takes() {
    let facts = json(newleaf().args(["plan", "--time", "90s", "--json"]));
    for name in
        ["n_layer", "n_head", "n_embd", "block_size", "batch_size", "max_iters", "tokens", "parameters"]
    {
        assert!(facts[name].as_u64().unwrap() > 0, "{name} in {facts}");
    }
    let seconds = facts["seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds <= 90.0, "{seconds}");
    assert!(facts["bytes"].as_u64().unwrap() > 10_000_000);
    let (expected, counted) =
        (facts["expected_loss"].as_f64().unwrap(), facts["count_loss"].as_f64().unwrap());
    assert!(expected > 0.5 * counted && expected < 4.2, "{expected}, counting {counted}");
}

#[test]
fn what_cannot_be_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, told) in [
        (["--time", "6s", "--memory", "1MB"], "allow more with --memory"),
        (["--time", "1s", "--memory", "4GB"], "give more with --time"),
        (["--time", "soon", "--memory", "4GB"], "such as 90s, 30m or 1.5h"),
        (["--time", "6s", "--memory", "lots"], "such as 500MB or 4GB"),
    ] {
        refuses(folder.path(), newleaf_in(folder.path(), &["plan"]).args(arguments), &[told]);
    }
}

/// The n-gram tables are as large as the text makes them, not as the settings allow at most: then a model fits into little
/// memory.
#[test]
fn a_small_model_fits_into_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let plan = ["plan", "--json", "--time", "10m", "--memory", "150MB"];
    let plan = json(&mut newleaf_in(folder.path(), &plan));
    assert!(plan["bytes"].as_f64().unwrap() < 165e6, "{plan}");
}

/// The context of a base is as long as the texts that it will be fine-tuned on, of `plan` and of `train --time`.
#[test]
fn texts_ahead_say_how_long_the_context_is() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|i| format!("{},{}\n", "a cold soup ".repeat(7 + i % 2), i % 2)).collect();
    std::fs::write(folder.path().join("reviews.csv"), format!("review,label\n{rows}")).unwrap();
    let labelled = ["--labelled", "reviews.csv", "--text-column", "review"];
    let plan =
        newleaf_in(folder.path(), &["plan", "--json", "--time", "60s"]).args(labelled).assert().success();
    let output = plan.get_output();
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["block_size"], 96, "{facts}"); // 83 or 95 characters, without the spaces at their ends
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("reviews.csv: 40 of 40 texts") && said.contains("--kind bpe"), "{said}");
    let plan = newleaf_in(folder.path(), &["plan", "--time", "60s"]).args(labelled).assert().success();
    let start = String::from_utf8_lossy(&plan.get_output().stdout).into_owned();
    assert!(start.contains("train --labelled reviews.csv --text-column review --time"), "{start}");
    for more in [&["--max-iters", "1"][..], &["--time", "60s", "--n-layer", "1"]] {
        let mut train = newleaf_in(folder.path(), &["train"]);
        refuses(folder.path(), train.args(labelled).args(more), &["--labelled", "--time", "--block-size"]);
    }
}

/// A limit on the process counts as the machine's memory does.
#[cfg(target_os = "linux")]
#[test]
fn a_training_that_ulimit_forbids_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = assert_cmd::Command::new("sh");
    let train = "ulimit -v 2000000; exec \"$0\" train --threads 2 --preset nano-cpu --block-size 9000 --batch-size 8 \
                 --micro-batch 8 --max-iters 1";
    shell.current_dir(folder.path()).args(["-c", train]).arg(assert_cmd::cargo::cargo_bin("newleaf"));
    refuses(folder.path(), &mut shell, &["this training needs about", "are free"]);
}

#[test]
fn a_training_follows_its_plan_and_says_how_wrong_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // A model of one's own: only its length is planned.
    let small = ["--n-layer=1", "--n-head=2", "--n-embd=32", "--block-size=32", "--sample-length=20"];
    let trained = newleaf().args(["train", "--time=5s", "--out"]).arg(&run).args(small).assert().success();
    let stderr = String::from_utf8_lossy(&trained.get_output().stderr).into_owned();
    assert!(stderr.contains("plan:  ") && stderr.contains(" s expected, "), "{stderr}");
    let info = json_file(&run.join("run.json"));
    assert_eq!(info["config"]["model"]["n_embd"], 32);
    for name in ["seconds", "bytes", "expected_loss"] {
        assert!(info["plan"][name].is_number(), "{name} in {}", info["plan"]);
    }
    assert!(info["outcome"]["seconds"].as_f64().unwrap() > 0.0);
    assert!(info["outcome"]["best_val_loss"].as_f64().unwrap() < 4.0);
    let limit = info["plan"]["time_limit_s"].as_f64().unwrap();
    assert!(limit < 5.0 && info["plan"]["seconds"].as_f64().unwrap() < limit, "{}", info["plan"]);
    // On a machine that others use, the limit may come before the last update: then both say so.
    let max_iters = info["config"]["train"]["max_iters"].as_u64().unwrap();
    let out_of_time = info["outcome"]["out_of_time"] == true;
    assert_eq!(stderr.contains("stopped at the limit of --time"), out_of_time, "{stderr}");
    assert_eq!(stderr.contains(&format!("done:  {max_iters} updates")), !out_of_time, "{stderr}");

    // A plan for a model that is there already has no expectation of its loss.
    let from = ["train", "--from=run", "--time=6s", "--out=more", "--sample-length=20", "--peft=lora:r=2"];
    newleaf_in(folder.path(), &from).assert().success();
    let more = json_file(&folder.path().join("more/run.json"));
    assert!(
        more["plan"]["seconds"].is_number() && more["plan"].get("expected_loss").is_none(),
        "{}",
        more["plan"]
    );

    // Where the run cannot begin is said before anything is measured.
    let measured = |out: &str| {
        let mut train = newleaf_in(folder.path(), &["train", "--time=60s", "--out", out]);
        let told = fails(train.args(small), 2, &["another run"]);
        told.contains("measuring")
    };
    assert!(!measured("run"));
}
