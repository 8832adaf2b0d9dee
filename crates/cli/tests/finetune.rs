//! `newleaf finetune` and `newleaf classify`: from a model and a table to labels, and what is refused.

use crate::common::{Place, contents, finetune, float, json, json_file, newleaf, reviews, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

fn classify(place: &Place, model: &str, lines: &str) -> Command {
    let mut command = newleaf();
    command.args(["classify", "--model"]).arg(place.path(model)).write_stdin(lines);
    command
}

#[test]
fn from_a_table_to_labels() {
    let place = reviews();
    let short: &[&str] = &["--epochs", "12"];
    let long: &[&str] = &["--epochs", "40", "--learning-rate", "1e-2", "--patience", "0"];
    for (out, method, settings) in [
        ("whole", "full", short),
        ("small", "lora:r=4,alpha=8,targets=qkvofp", short),
        ("adapters", "adapter:width=8", long),
    ] {
        let result = json(finetune(&place, out, &["--peft", method, "--json"]).args(settings));
        assert!(float(&result["test"]["accuracy"]) > 0.9, "{method}: {result}");
        assert_eq!(json_file(&place.path(out).join("result.json")), result);
        for field in ["trainable_parameters", "seconds", "updates", "best_update"] {
            assert!(result[field].is_number(), "{field}: {result}");
        }
        assert_eq!((&result["labels"][1], &result["method"].as_str()), (&"pos".into(), &Some(method)));
        // Labels of lines, whether or not all characters are known, and of none.
        let lines = "the soup was good today with the egg\nthe soup was bad today with the egg\n雪\n\n";
        let answers = stdout(&mut classify(&place, out, lines));
        let long = classify(&place, out, &"the soup was bad today ".repeat(18)).output().unwrap(); // transformers 1666
        let said = String::from_utf8(long.stderr).unwrap();
        assert!(said.contains("1 texts are longer than the model's context"), "{said}");
        assert!(answers.ends_with("\n\n"), "an empty line for an empty line: {answers:?}");
        let answers: Vec<(&str, f64)> = answers
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.split_once('\t').unwrap())
            .map(|(label, p)| (label, p.parse().unwrap()))
            .collect();
        assert_eq!(answers.len(), 3);
        assert_eq!((answers[0].0, answers[1].0), ("pos", "neg"), "{method}: {answers:?}");
        assert!(answers.iter().all(|(_, p)| (0.5..=1.0).contains(p)));
        let one = json(classify(&place, out, "a cake was fine\n").arg("--json"));
        assert!((float(&one["p"]["pos"]) + float(&one["p"]["neg"]) - 1.0).abs() < 1e-9, "{one}");
        assert_eq!(stdout(&mut classify(&place, out, "")), "");
    }
    // What is not read is counted.
    let long = format!("{}\n雪\n", "the soup was good today ".repeat(200));
    let output = classify(&place, "small", &long).assert().success().get_output().clone();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("1 texts are longer") && told.contains("1 characters are not"), "{told}");
    // An adapter is small, and lies beside no copy of the model.
    assert!(place.path("whole").join("model.safetensors").exists());
    assert!(!place.path("small").join("model.safetensors").exists());
}

/// K texts of each label to learn from and K to choose by, other ones with another seed.
#[test]
fn from_a_few_texts_of_each_label() {
    let place = reviews();
    let few = |seed: &str, out: &str| {
        let more = ["--k-shot", "8", "--seed", seed, "--epochs", "2", "--peft", "head", "--json"];
        json(&mut finetune(&place, out, &more))
    };
    let result = few("13", "few");
    assert_eq!((&result["train_texts"], &result["validation"]["texts"]), (&16.into(), &16.into()));
    assert_eq!(result["k_shot"], 8);
    // Few texts make small batches, unless the flag says otherwise.
    assert_eq!(result["settings"]["batch_size"], 4);
    let more = ["--k-shot", "8", "--batch-size", "16", "--epochs", "1", "--peft", "head", "--json"];
    assert_eq!(json(&mut finetune(&place, "asked", &more))["settings"]["batch_size"], 16);
    let head = |out: &str| std::fs::read(place.path(out).join("classifier.safetensors")).unwrap();
    few("13", "again");
    few("21", "other");
    assert!(head("few") == head("again") && head("few") != head("other"));
    // A pattern that is looked for: its words are the labels, which are words.
    let more = ["--k-shot", "8", "--pattern", "auto", "--epochs", "1", "--json"];
    let found = finetune(&place, "pattern", &more).assert().success();
    let told = String::from_utf8_lossy(&found.get_output().stderr).into_owned();
    assert!(told.contains("--pattern '{text} ") && told.contains("--verbalizer neg=neg,pos=pos"), "{told}");
    let result: Value = serde_json::from_slice(&found.get_output().stdout).unwrap();
    assert_eq!(result["classifier"]["head"]["words"]["words"], serde_json::json!(["neg", "pos"]), "{result}");
    let told = stdout(&mut classify(&place, "pattern", "the soup was good today with the tea\n"));
    assert!(["pos", "neg"].contains(&told.split('\t').next().unwrap()), "{told}");
    place.refuses(&mut finetune(&place, "out", &["--k-shot", "300"]), &["train.csv", "300", "neg has"]);
    // Texts of which most characters are unknown are none.
    let chinese = place.read("train.csv").replace("was", &"天".repeat(100));
    place.write("train.csv", chinese);
    let refused = ["train.csv: ", "% of the characters are not in the model's vocabulary", "--kind bpe"];
    place.refuses(&mut finetune(&place, "out", &[]), &refused);
}

/// How many words a review has: a number that can be counted.
#[test]
fn from_a_table_to_numbers() {
    let place = reviews();
    for part in ["train.csv", "dev.csv", "test.csv"] {
        let rows = place.read(part);
        let number = |line: &str| {
            let text = line.split(',').next().unwrap();
            format!("{text},{}\n", 10 * text.split(' ').count())
        };
        let rows: String = rows.lines().skip(1).map(number).collect();
        place.write(part, format!("review,words\n{rows}"));
    }
    let regress = |more: &[&str]| {
        let mut command = newleaf();
        command.args(["finetune", "regress", "--text-column=review", "--label-column=words", "--model"]);
        command.arg(place.path("base")).arg("--out").arg(place.path("out"));
        for part in ["train", "dev", "test"] {
            command.arg(format!("--{part}")).arg(place.path(&format!("{part}.csv")));
        }
        command.args(more);
        command
    };
    let result = json(&mut regress(&["--epochs", "20", "--json"]));
    let said = stdout(newleaf().arg("report").arg(place.path("out")));
    let page = place.read("out.html");
    assert!(said.contains("correlate") && page.contains("<h2>The worst errors</h2>"), "{said}");
    assert!(page.contains("the number that is predicted"), "{page}");
    let test = &result["test"];
    assert!(float(&test["pearson"]) > 0.8, "{result}");
    assert!(
        float(&test["mean_absolute_error"]) < float(&test["mean_absolute_error_of_the_mean"]),
        "{result}"
    );
    let told = stdout(&mut classify(&place, "out", "the soup was good today with the tea\n"));
    assert!((50.0..110.0).contains(&told.trim().parse::<f64>().unwrap()), "{told}");
    place.write("dev.csv", "review,words\nnew soup,many\n");
    place.refuses(&mut regress(&[]), &["dev.csv", "expected a number", "\"many\""]);
}

/// The same numbers on any number of threads.
#[test]
fn threads_do_not_matter() {
    let place = reviews();
    let run = |out: &str, threads: &str| {
        finetune(&place, out, &["--epochs", "2", "--threads", threads]).assert().success();
        std::fs::read(place.path(out).join("model.safetensors")).unwrap()
    };
    assert_eq!(run("one", "1"), run("three", "3"));
}

/// A fine-tuning that is told to stop, or whose process dies, goes on with the same flags to the same bits; without --resume
/// it is neither overwritten nor mistaken for a finished one.
#[cfg(unix)]
#[test]
fn an_interrupted_fine_tuning_is_resumed() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    let place = reviews();
    let flags = ["--epochs=5", "--patience=0", "--checkpoint-minutes=0", "--ema=0.9", "--micro-batch=5"];
    let again = |out: &str, more: &[&str]| {
        let mut command = finetune(&place, out, &flags);
        command.args(more);
        command
    };
    again("whole", &[]).assert().success();
    assert!(!place.path("whole.unfinished").exists());
    for out in ["stopped", "killed"] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"));
        command.args(again(out, &[]).get_args()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().starts_with("epoch  2.00")).expect("it learns").unwrap();
        if out == "killed" {
            child.kill().unwrap()
        } else {
            super::common::signal(&child, "TERM")
        }
        let last = lines.map_while(Result::ok).last().unwrap_or_default();
        let status = child.wait().unwrap();
        if out == "stopped" {
            assert!(status.code() == Some(143) && last.contains("stopped.unfinished: go on"), "{last}");
        } else {
            assert_eq!(status.signal(), Some(9));
        }
        assert!(!place.path(out).exists(), "it was interrupted before its end");
        let words = [&format!("{out}.unfinished")[..], "--resume", "remove it"];
        place.refuses(&mut again(out, &[]), &words);
        place.refuses(&mut again(out, &["--resume", "--seed=2"]), &["other settings"]);
        place.refuses(&mut again(out, &["--resume", "--pool=last"]), &["another model, method or file"]);
        place.refuses(&mut again(out, &["--resume", "--tune=2"]), &["is of one fine-tuning", "leave --tune"]);
        again(out, &["--resume"]).assert().success();
        for file in ["model.safetensors", "classifier.safetensors"] {
            let [whole, resumed] =
                ["whole", out].map(|out| std::fs::read(place.path(out).join(file)).unwrap());
            assert!(whole == resumed, "{out}: {file} differs");
        }
        assert!(!place.path(&format!("{out}.unfinished")).exists());
        place.refuses(&mut again(out, &["--resume"]), &["there is no", "leave --resume out"]);
    }
}

/// Several settings are tried, the given ones first; the result is that of the best of them, and an interrupted search
/// goes on to the same bits.
#[cfg(unix)]
#[test]
fn settings_are_tried() {
    use std::io::{BufRead, BufReader};
    let place = reviews();
    let tune = |out: &str, more: &[&str]| {
        let mut command =
            finetune(&place, out, &["--epochs=2", "--tune=4", "--wide=0", "--checkpoint-minutes=0"]);
        command.args(more);
        command
    };
    let result = json(tune("whole", &[]).arg("--json"));
    let trials = result["trials"].as_array().unwrap();
    let score = |trial: &Value| trial["score"].as_f64().unwrap();
    let best = trials.iter().map(score).fold(f64::MIN, f64::max);
    let first = trials.iter().position(|trial| score(trial) == best).unwrap();
    assert_eq!((trials.len(), &result["settings"]), (4, &trials[first]["settings"]));
    assert_eq!(float(&result["validation"]["score"]), best);
    let given = float(&trials[0]["settings"]["learning_rate"]);
    assert_eq!(float(&trials[1]["settings"]["learning_rate"]), 2.0 * given);
    assert!(!place.path("whole.unfinished").exists());
    stdout(newleaf().arg("report").arg(place.path("whole")));
    let page = place.read("whole.html");
    assert!(page.contains("What was tried") && page.contains("learning_rate 0.002"), "{page}");
    // The winner alone gives the same model.
    let settings = &trials[first]["settings"];
    let alone = [
        format!("--learning-rate={}", settings["learning_rate"]),
        format!("--epochs={}", settings["epochs"]),
        format!("--layer-decay={}", settings["layer_decay"]),
        "--tune=1".to_string(),
    ];
    finetune(&place, "alone", &["--wide=0"]).args(alone).assert().success();
    let model = |out: &str| std::fs::read(place.path(out).join("model.safetensors")).unwrap();
    assert!(model("alone") == model("whole"));
    for (out, at) in [("second", "trial 2"), ("last", "trial 4")] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"));
        command.args(tune(out, &[]).get_args()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().starts_with(at)).expect("it tries").unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        place.refuses(
            &mut tune(out, &[]),
            &["second.unfinished", "--resume"].map(|w| w.replace("second", out)).each_ref().map(|w| &w[..]),
        );
        place.refuses(
            &mut tune(out, &["--resume", "--pool=last"]),
            &["trials.json", "another model, method or file"],
        );
        let one = ["--epochs=2", "--wide=0", "--resume"];
        place.refuses(&mut finetune(&place, out, &one), &["with --tune or --time", "give them again"]);
        tune(out, &["--resume"]).assert().success();
        assert!(model(out) == model("whole"), "{out}");
        assert!(!place.path(&format!("{out}.unfinished")).exists());
    }
}

#[test]
fn bad_tables_are_refused() {
    let place = reviews();
    let table = |name: &str, rows: &str| {
        place.write(name, rows);
    };
    table("train.csv", &"good soup,pos\n".repeat(3));
    let refused = |words: &[&str]| place.refuses(&mut finetune(&place, "out", &[]), words);
    refused(&["train.csv", "review"]);
    let rows: String = (0..60).map(|i| format!("soup {i},pos\n")).collect();
    table("train.csv", &format!("review,label\n{rows}"));
    refused(&["train.csv", "at least two labels", "\"pos\""]);
    let rows: String =
        (0..60).map(|i| format!("soup {i},{}\n", if i % 2 == 0 { "pos" } else { "neg" })).collect();
    table("train.csv", &format!("review,label\n{rows}"));
    table("dev.csv", "review,label\nnew soup,neutral\n");
    refused(&["dev.csv", "\"neutral\"", "\"neg\", \"pos\""]);
    table("dev.csv", "review,grade\nnew soup,pos\n");
    refused(&["dev.csv", "label", "grade"]);
    table("dev.csv", "review,label\nsoup 1,neg\n"); // stands in the training file
    refused(&["a validation", "0"]);
}

#[test]
fn bad_settings_are_refused() {
    let place = reviews();
    for (more, words) in [
        (["--peft", "lora:r=0"], "lora r"),
        (["--peft", "tiny"], "there is no method \"tiny\""),
        (["--peft", "prompt:tokens=60"], "half of the context"),
        (["--learning-rate", "-1"], "--learning-rate -1: expected more than 0"),
        (["--learning-rate", "nan"], "--learning-rate"),
        (["--dropout", "1"], "--dropout 1"),
        (["--layer-decay", "0"], "--layer-decay 0"),
        (["--metric", "f3"], "macro-f1"),
        (["--micro-batch", "0"], "--micro-batch"),
        (["--ema", "1"], "--ema 1: expected from 0 to less than 1"),
        (["--spike-guard", "inf"], "--spike-guard inf: expected 0 or more"),
        (["--checkpoint-minutes", "nan"], "--checkpoint-minutes NaN: expected from 0"),
    ] {
        let more = more.map(|word| if word == "-1" { "=-1" } else { word });
        let more = if more[1].starts_with('=') {
            vec![format!("{}{}", more[0], more[1])]
        } else {
            more.map(String::from).to_vec()
        };
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        place.refuses(&mut finetune(&place, "out", &more), &[words]);
    }
    place.refuses(
        &mut finetune(&place, "out", &["--peft", "ia3", "--unfreeze"]),
        &["--unfreeze is for --peft full"],
    );
    place.refuses(&mut finetune(&place, "base/best", &[]), &["would replace what it is made of"]);
    place.refuses(&mut classify(&place, "base", ""), &["classifier.json", "newleaf finetune classify"]);
}

/// The base of an adapter may move, but not change.
#[test]
fn an_adapter_knows_its_base() {
    let place = reviews();
    finetune(&place, "small", &["--peft", "lora", "--epochs", "2"]).assert().success();
    let line = "the soup was good today\n";
    let expected = stdout(&mut classify(&place, "small", line));
    std::fs::rename(place.path("base"), place.path("moved")).unwrap();
    place.refuses(&mut classify(&place, "small", line), &["base"]);
    let moved = |base: &Path| {
        let mut command = classify(&place, "small", line);
        command.arg("--base").arg(base);
        command
    };
    let base = place.path("moved/best");
    assert_eq!(stdout(&mut moved(&base)), expected);
    let mut command = newleaf();
    command
        .args(["train", "--resume", "--max-iters", "70", "--out"])
        .arg(place.path("moved"))
        .assert()
        .success();
    place.refuses(&mut moved(&place.path("moved/last")), &["sha256", "trained on"]);
}

/// Texts without labels teach, those that have one or are measured on do not, and everything is counted.
#[test]
fn texts_without_labels_teach() {
    let place = reviews();
    // A text has three of its label's ten words and three that say nothing: what the few labelled lack, the others teach.
    let mut state = 11_u64;
    let mut pick = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + ((state >> 33) % n) as u8)
    };
    let mut text = |i: usize| {
        let own = ["g", "b"][i % 2];
        let words: Vec<String> = (0..6)
            .map(|j| format!("{}{}", if j < 3 { own } else { "w" }, pick(if j < 3 { 10 } else { 26 })))
            .collect();
        (words.join(" "), ["pos", "neg"][i % 2])
    };
    let mut table = |n: usize| -> Vec<(String, &str)> { (0..n).map(&mut text).collect() };
    let (train, dev, test, more) = (table(8), table(20), table(40), table(400));
    for (name, rows) in [("train.csv", &train), ("dev.csv", &dev), ("test.csv", &test)] {
        let rows: String = rows.iter().map(|(text, label)| format!("{text},{label}\n")).collect();
        place.write(name, format!("review,label\n{rows}"));
    }
    let known = [&train[0], &dev[0], &test[0], &more[0]];
    let texts: Vec<&str> = more.iter().chain(known).map(|(text, _)| &text[..]).collect();
    let more = place.write("more.txt", texts.join("\n\n"));
    let few = |out: &str, more: &[&str]| {
        let mut command = finetune(&place, out, &["--epochs", "2", "--peft", "head", "--json"]);
        command.args(more);
        command
    };
    let output =
        few("more", &["--unlabelled", more.to_str().unwrap()]).assert().success().get_output().clone();
    let told = String::from_utf8(output.stderr).unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let taught = result["unlabelled"]["taught"].as_u64().unwrap();
    assert!((80..=120).contains(&taught), "three in ten of 400: {result}");
    assert_eq!(result["train_texts"].as_u64().unwrap(), 8 + taught, "{result}");
    assert!(told.contains("404 texts without labels: 4 were there before or have a label, 400 of"), "{told}");
    assert!(told.contains("neg: ") && told.contains("pos: ") && told.contains("as 0.3 of a text"), "{told}");
    let alone = json(&mut few("few", &[]));
    assert!(alone["unlabelled"].is_null());
    let beside = result["beside"].as_object().unwrap();
    assert_eq!(
        beside["words of the labelled alone"]["accuracy"],
        alone["beside"]["logistic regression, words"]["accuracy"]
    );
    let words = |of: &serde_json::Value| float(&of["beside"]["logistic regression, words"]["accuracy"]);
    assert!(words(&result) > words(&alone) + 0.05, "{result} {alone}");
    // Where the validation texts say the contrary, the surest are wrong, and left out.
    let rows: String = dev
        .iter()
        .map(|(text, label)| format!("{text},{}\n", if *label == "pos" { "neg" } else { "pos" }))
        .collect();
    place.write("dev.csv", format!("review,label\n{rows}"));
    let output =
        few("none", &["--unlabelled", more.to_str().unwrap()]).assert().success().get_output().clone();
    assert!(String::from_utf8(output.stderr).unwrap().contains("they are left out"));
    place.refuses(&mut few("no", &["--unlabelled", "absent.txt"]), &["absent.txt"]);
}

/// The words count as the validation texts say, in the directory as in the result, and not at all with --wide 0.
#[test]
fn words_are_mixed_in() {
    let place = reviews();
    let short: &[&str] = &["--epochs", "1", "--peft", "head", "--json"];
    let mixed = json(finetune(&place, "mixed", &[]).args(short));
    let alone = json(finetune(&place, "alone", &["--wide", "0"]).args(short));
    assert_eq!(mixed["beside"]["the model alone"]["accuracy"], alone["test"]["accuracy"]);
    assert!(float(&mixed["test"]["accuracy"]) >= float(&alone["test"]["accuracy"]), "{mixed}");
    assert!(float(&mixed["wide"]["mixture"][1]) > 0.1, "one word decides: {mixed}");
    assert_eq!((&alone["wide"], alone["beside"].as_object().unwrap().len()), (&serde_json::Value::Null, 2));
    assert_eq!(mixed["beside"].as_object().unwrap().len(), 4);
    // The same labels again, from the directory.
    let files = ["train.csv", "dev.csv", "test.csv"].map(|name| place.read(name));
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for (part, file) in files.iter().enumerate() {
        for (text, label) in file.lines().skip(1).map(|line| line.rsplit_once(',').unwrap()) {
            // What was there before was left out.
            if seen.insert(text) && part == 2 {
                rows.push((text, label));
            }
        }
    }
    let texts: String = rows.iter().map(|(text, _)| text.trim_matches('"').to_string() + "\n").collect();
    for (name, result) in [("mixed", &mixed), ("alone", &alone)] {
        let answers = stdout(&mut classify(&place, name, &texts));
        let labels = answers.lines().map(|line| line.split_once('\t').unwrap().0);
        let right = labels.zip(&rows).filter(|(label, (_, expected))| label == expected).count();
        let accuracy = float(&result["test"]["accuracy"]);
        assert!(
            (right as f64 / rows.len() as f64 - accuracy).abs() < 1e-9,
            "{name}: {right} of {}",
            rows.len()
        );
    }
    // The word that decides is named; a model without words cannot say.
    let explain = |name: &str| {
        let mut command = classify(&place, name, "the soup was bad today\n");
        command.args(["--explain", "1"]);
        command
    };
    let answer = stdout(&mut explain("mixed"));
    let because = answer.trim().split('\t').nth(2).unwrap();
    assert!(answer.starts_with("neg\t") && because.contains("bad") && because.contains('+'), "{answer}");
    place.refuses(&mut explain("alone"), &["--explain", "looks at no words", "--wide 0"]);
    // A file that is not what was saved is refused by its name, and without it the model answers alone.
    for (name, text) in [
        ("wide.json", r#"{"mixture":[-1],"regressions":[]}"#),
        (
            "wide.json",
            r#"{"mixture":[1,1],"regressions":[{"counted":{"words":0},"documents":1,"features":[]}]}"#,
        ),
        (
            "wide.json",
            r#"{"mixture":[1,1],"regressions":[{"counted":{"words":1},"documents":1,"features":[["a",1]]}]}"#,
        ),
        ("wide.safetensors", "short"),
    ] {
        let good = fs::read(place.path("mixed").join(name)).unwrap();
        place.write(&format!("mixed/{name}"), text);
        place.refuses(&mut classify(&place, "mixed", "the soup\n"), &["mixed/wide."]);
        place.write(&format!("mixed/{name}"), good);
    }
    let config = place.read("mixed/classifier.json");
    place.write("mixed/classifier.json", config.replace("\"pieces\": 8", "\"pieces\": 0"));
    place.refuses(&mut classify(&place, "mixed", "the soup\n"), &["mixed/classifier.json", "pieces"]);
    place.write("mixed/classifier.json", config);
    fs::remove_file(place.path("mixed/wide.json")).unwrap();
    assert_eq!(
        stdout(&mut classify(&place, "mixed", &texts)),
        stdout(&mut classify(&place, "alone", &texts))
    );
}

/// What could not be written afterwards is refused before anything is computed: other people's files, and what a run goes on
/// from.
#[test]
fn outputs_are_looked_at_before_the_work() {
    let place = reviews();
    for out in ["foreign", "run/best", "run/checkpoints/step-1"] {
        fs::create_dir_all(place.path(out)).unwrap();
    }
    for (name, text) in [("foreign/x", ""), ("file", ""), ("run/run.json", "{}")] {
        place.write(name, text);
    }
    for (out, words) in [
        ("foreign", "found \"x\" in it"),
        ("file", "expected a directory"),
        ("no/out", "cannot make this directory"),
        ("run/best", "goes on from what is there"),
        ("run/last", "goes on from what is there"),
        ("run/checkpoints/step-1", "goes on from what is there"),
        ("base/best", "the result would replace what it is made of"),
        ("base", "found \"best\" in it"),
    ] {
        let before = contents(place.folder());
        let output = finetune(&place, out, &[]).assert().code(2).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words) && !said.contains("epoch"), "{said}");
        let mut export = newleaf();
        export.args(["export", "--format", "newleaf", "--model"]).arg(place.path("base"));
        place.refuses(export.arg("--out").arg(place.path(out)), &[words]);
        assert!(before == contents(place.folder()));
    }
    let mut tokenizer = newleaf();
    tokenizer.args(["tokenizer", "train", "--data", "absent", "--kind", "char", "--out"]);
    place.refuses(tokenizer.arg(place.path("file")), &["file: expected a directory for a tokenizer"]);
}

#[test]
fn an_adapter_is_shown_merged_and_taken_apart() {
    let place = reviews();
    let trained =
        json(&mut finetune(&place, "small", &["--peft", "lora:r=2,targets=qv", "--epochs", "2", "--json"]));
    let peft = |arguments: &[&str]| {
        let mut command = newleaf();
        command.arg("peft").args(arguments).current_dir(place.folder());
        command
    };
    let info = json(&mut peft(&["info", "small", "--json"]));
    assert_eq!(info["method"], "lora:r=2,alpha=4,targets=qv");
    assert_eq!(info["base_sha256"], trained["base"]["sha256"]);
    // Two layers, rank 4 for queries and values in one: (4, 32) and (96, 4).
    assert_eq!(info["parameters"], 2 * 4 * (32 + 96));
    assert!(stdout(&mut peft(&["info", "small"])).contains("c_attn.lora_B.weight [96, 4]"));
    let merged = stdout(&mut peft(&["merge", "--adapter", "small", "--out", "merged"]));
    assert!(merged.contains("merged: lora:r=2"), "{merged}");
    let loss = |model: &str| {
        let mut command = newleaf();
        command
            .args(["eval", "--json", "--data"])
            .arg(place.path("text.txt"))
            .arg("--model")
            .arg(place.path(model));
        float(&json(&mut command)["loss"])
    };
    assert_ne!(loss("merged"), loss("base"));
    stdout(&mut peft(&["unmerge", "--model", "merged", "--out", "apart"]));
    let weights = |model: &str| std::fs::read(place.path(model).join("model.safetensors")).unwrap();
    assert!(weights("apart") == weights("base/best"), "other weights");
    place.refuses(&mut peft(&["merge", "--adapter", "small", "--out", "small"]), &["would replace"]);
    place.refuses(&mut peft(&["unmerge", "--model", "base/best", "--out", "x"]), &["newleaf peft merge"]);
    place.refuses(&mut peft(&["info", "base/best"]), &["adapter_config.json"]);
    place
        .refuses(&mut peft(&["merge", "--adapter", "small", "--model", "merged", "--out", "x"]), &["sha256"]);
}
