//! Labels as words: `newleaf finetune classify --pattern`, `newleaf fewshot`, and what is refused.

use crate::common::{Place, finetune, float, json, json_file, newleaf, reviews, stdout};
use assert_cmd::Command;

const PATTERN: &str = "{text}. it was {mask} at noon";

fn fewshot(place: &Place, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["fewshot", "--text-column", "review", "--model"]).arg(place.path("base"));
    command.arg("--train").arg(place.path("train.csv")).arg("--test").arg(place.path("test.csv")).args(more);
    command
}

#[test]
fn labels_are_learned_as_words() {
    let place = reviews();
    for (out, method) in [("whole", "full"), ("small", "lora:r=8,targets=qkvofp")] {
        let words = ["--pattern", PATTERN, "--verbalizer", "pos=fine,neg=poor", "--peft", method, "--json"];
        let result = json(finetune(&place, out, &words).args(["--epochs", "30"]));
        assert!(float(&result["test"]["accuracy"]) > 0.9, "{method}: {result}");
        assert_eq!(json_file(&place.path(out).join("result.json")), result);
        let head = serde_json::json!({ "words": { "pattern": PATTERN, "words": ["poor", "fine"] } });
        assert_eq!(result["classifier"]["head"], head);
        assert!(!place.path(out).join("classifier.safetensors").exists());
        let mut classify = newleaf();
        classify.args(["classify", "--model"]).arg(place.path(out));
        classify
            .write_stdin("the soup was good today with the tea\nthe soup was bad today with the tea\n雪\n\n");
        let answers = stdout(&mut classify);
        let labels: Vec<&str> = answers.lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect();
        assert_eq!((labels.len(), &labels[..2]), (3, &["pos", "neg"][..]), "{method}: {answers}");
    }
    // Without a verbalizer a label is its own word; few texts are enough to begin with.
    let result =
        json(&mut finetune(&place, "few", &["--pattern", "{text}. {mask}", "--k-shot", "4", "--json"]));
    assert_eq!(result["classifier"]["head"]["words"]["words"], serde_json::json!(["neg", "pos"]));
    assert_eq!((&result["train_texts"], &result["k_shot"]), (&8.into(), &4.into()));
    // A saved head that does not go with its labels.
    let config = place.read("few/classifier.json");
    for (from, to, word) in [
        ("{mask}", "", "no {mask}"),
        ("{text}", "雪{text}", "雪"),
        ("\"words\": [", "\"words\": [\"a\", ", "one for each label"),
    ] {
        place.write("few/classifier.json", config.replacen(from, to, 1));
        let mut classify = newleaf();
        classify.args(["classify", "--model"]).arg(place.path("few"));
        place.refuses(&mut classify, &["classifier.json", word]);
    }
}

#[test]
fn examples_are_read_before_the_question() {
    let place = reviews();
    let more = [
        "--pattern",
        PATTERN,
        "--verbalizer",
        "pos=fine,neg=poor",
        "--k",
        "0,1,2",
        "--seeds",
        "13,21",
        "--json",
    ];
    let result = json(&mut fewshot(&place, &more));
    let rows = result["k"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["k"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((&rows[0]["sd"], rows[0]["seeds"].as_array().unwrap().len()), (&serde_json::Value::Null, 0));
    assert_eq!((&result["labels"][0], &result["words"][0]), (&"neg".into(), &"poor".into()));
    for row in &rows[1..] {
        let seeds: Vec<f64> =
            row["seeds"].as_array().unwrap().iter().map(|seed| float(&seed["accuracy"])).collect();
        let (mean, sd) = ((seeds[0] + seeds[1]) / 2.0, (seeds[0] - seeds[1]).abs() / 2_f64.sqrt());
        assert!(
            (float(&row["accuracy"]) - mean).abs() < 1e-12 && (float(&row["sd"]) - sd).abs() < 1e-12,
            "{row}"
        );
        assert_eq!(row["order_sd"], serde_json::Value::Null);
        assert!(float(&row["shots_read"]) < 1.0, "64 characters have no room for an example: {row}");
    }
    // Two orders of the same examples, which are short here.
    let short = |name: &str, rows: &str| place.write(name, format!("review,label\n{rows}"));
    short("train.csv", "good,pos\nfine,pos\nbad,neg\npoor,neg\n");
    let more =
        ["--k", "2", "--seeds", "1,2", "--orders", "3", "--calibrate", "--content-free", "the", "--json"];
    let result = json(&mut fewshot(&place, &[&more[..], &["--pattern", "{text} {mask}"]].concat()));
    let row = &result["k"][0];
    assert!(float(&row["order_sd"]) >= 0.0 && float(&row["shots_read"]) > 0.5, "{row}");
    assert_eq!(row["seeds"][1]["orders"].as_array().unwrap().len(), 3);
    let again =
        json(&mut fewshot(&place, &[&more[..], &["--pattern", "{text} {mask}", "--threads", "1"]].concat()));
    assert_eq!(result, again);
    let table = stdout(&mut fewshot(&place, &["--pattern", "{text} {mask}", "--k", "0,1", "--normalize"]));
    assert!(table.starts_with("60 texts in \"{text} {mask}\"\n") && table.lines().count() == 4, "{table}");
}

#[test]
fn bad_patterns_are_refused() {
    let place = reviews();
    let pattern = |text: &'static str| ["--pattern", text];
    let words = |text: &'static str| ["--pattern", PATTERN, "--verbalizer", text];
    for (more, found) in [
        (&pattern("{text} it was good")[..], "no {mask}"),
        (&pattern("it was {mask}"), "no {text}"),
        (&pattern("{text} {mask} {mask}"), "{mask} 2 times"),
        (&pattern("{mask}: {text}"), "at the very beginning"),
        (&pattern("{text} 雪 {mask}"), "雪"),
        (
            &pattern("{text} the soup was good the soup was good the soup was good the soup was {mask}"),
            "room for a text",
        ),
        (&words("pos=fine"), "none for \"neg\""),
        (&words("pos=fine,neg=poor,so=so"), "the label \"so\""),
        (&words("pos=fine,neg=fine"), "the word \"fine\""),
        (&words("pos=fine,neg"), "\"neg\""),
        (&words("pos=fine,neg=雪"), "雪"),
    ] {
        place.refuses(&mut finetune(&place, "out", more), &[found]);
        place.refuses(&mut fewshot(&place, more), &[found]);
    }
    let refused = |more: &[&str], words: &[&str]| place.refuses(&mut finetune(&place, "out", more), words);
    refused(&["--pattern", PATTERN, "--pool", "last"], &["--pool"]);
    refused(&["--verbalizer", "pos=fine,neg=poor"], &["--pattern"]);
    refused(
        &["--pattern", PATTERN, "--verbalizer", "pos=fine,neg=poor", "--peft", "head"],
        &["nothing of this model"],
    );
    let refused = |more: &[&str], words: &[&str]| {
        place.refuses(fewshot(&place, &["--pattern", "{text} {mask}"]).args(more), words);
    };
    refused(&["--k", "900"], &["train.csv", "900", "neg"]);
    refused(&["--k", "two"], &["two"]);
    refused(&["--orders", "0"], &["--orders"]);
    refused(&["--content-free", "the"], &["--calibrate"]);
    refused(&["--separator", "雪"], &["雪"]);
    refused(&["--test", "train.csv"], &["--test"]);
    place.write("test.csv", "review,label\nnew soup,neutral\n");
    refused(&[], &["test.csv", "\"neutral\"", "\"neg\", \"pos\""]);
    let train = place.read("train.csv");
    place.write("test.csv", &train);
    refused(&[], &["test.csv", "texts that --train does not have"]);
    place.write("train.csv", "review,label\nsoup,pos\n");
    refused(&[], &["train.csv", "at least two labels"]);
}
