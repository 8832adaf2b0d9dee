//! `newleaf score`: the numbers that `data::metrics` proves, as a person and a program see them, and what it refuses.

use crate::common::{Place, float, json, newleaf, stdout};
use assert_cmd::Command;

fn score(place: &Place, metric: &str, files: &[(&str, &str)], more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["score", metric]);
    for (flag, name) in files {
        command.arg(flag).arg(place.path(name));
    }
    command.args(more);
    command
}

const FILES: &[(&str, &str)] = &[("--hypothesis", "mine.txt"), ("--reference", "right.txt")];

fn place(mine: &str, right: &str) -> Place {
    let place = Place::new();
    place.write("mine.txt", mine);
    place.write("right.txt", right);
    place
}

#[test]
fn translations() {
    let place = place("the cat sat on the mat\n\n", "the cat sat on a mat\na dog\n");
    place.write("also.txt", "the cat sat on the mat\ndog\n");
    let one = json(&mut score(&place, "bleu", FILES, &["--json"]));
    assert!(one["bleu"]["signature"].as_str().unwrap().starts_with("nrefs:1|case:mixed|eff:no|tok:13a"));
    // Lengths 6 and 8, of n-grams 5/6, 3/5, 2/4 and 1/3.
    let expected =
        100.0 * (1.0_f64 - 8.0 / 6.0).exp() * (5.0 / 6.0 * 3.0 / 5.0 * 2.0 / 4.0 / 3.0_f64).powf(0.25);
    assert!((float(&one["bleu"]["score"]) - expected).abs() < 1e-9, "{one}");
    let both = [FILES, &[("--reference", "also.txt")]].concat();
    let two = json(&mut score(&place, "bleu", &both, &["--json"]));
    assert!(float(&two["bleu"]["score"]) > expected && two["segments"] == 2, "{two}");
    let text = stdout(&mut score(&place, "chrf", FILES, &[]));
    assert!(text.starts_with("chrf") && text.contains("nc:6") && text.ends_with("2 segments\n"), "{text}");
    let rouge = json(&mut score(&place, "rouge", FILES, &["--json"]));
    for name in ["rouge1", "rouge2", "rougeL"] {
        assert!((0.0..=50.0).contains(&float(&rouge[name]["score"])), "{rouge}");
    }
}

#[test]
fn a_better_system_is_seen_and_an_equal_one_is_not() {
    let right: String = (0..60).map(|i| format!("the boat number {i} is on the river\n")).collect();
    let good = right.replace("number 1", "numbers 1");
    let place = place(&good, &right);
    place.write("old.txt", good.replace("on the river", "at this lake"));
    let compare = |metric: &str, name: &str| {
        let files = [FILES, &[("--baseline", name)]].concat();
        json(&mut score(&place, metric, &files, &["--json", "--draws", "200"]))[metric]["comparison"].clone()
    };
    for metric in ["bleu", "chrf"] {
        let found = compare(metric, "old.txt");
        assert!(float(&found["p_value"]) < 0.01 && float(&found["interval"][0]) > 0.0, "{found}");
        let same = compare(metric, "mine.txt");
        assert!(float(&same["p_value"]) > 0.9 && float(&same["difference"]) == 0.0, "{same}");
    }
}

#[test]
fn labels_and_numbers() {
    let place = place("good\ngood\nbad\n坏\n", "good\nbad\nbad\n坏\n");
    let found = json(&mut score(&place, "accuracy", FILES, &["--json"]));
    assert_eq!((&found["accuracy"], &found["labels"][2]), (&0.75.into(), &"坏".into()));
    assert!((float(&found["macro_f1"]) - (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12, "{found}");
    assert_eq!(found["confusion"][0][1], 1); // bad, told good
    let text = stdout(&mut score(&place, "accuracy", FILES, &[]));
    assert!(text.contains("bad: bad 1, good 1"), "{text}");
    place.write("mine.txt", "1\n2\n4\n");
    place.write("right.txt", "10\n20\n30\n");
    let found = json(&mut score(&place, "correlation", FILES, &["--json"]));
    assert!(float(&found["spearman"]) == 1.0 && float(&found["pearson"]) < 1.0, "{found}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = place("a\nb\n", "a\nb\nc\n");
    place.refuses(&mut score(&place, "bleu", FILES, &[]), &["right.txt", "3 lines", "mine.txt has 2"]);
    place.write("mine.txt", "1\nx\n3\n");
    place.write("right.txt", "1\n2\n3\n");
    place.refuses(&mut score(&place, "correlation", FILES, &[]), &["mine.txt, line 2", "\"x\""]);
    place.write("mine.txt", "2\n2\n2\n");
    place.refuses(&mut score(&place, "correlation", FILES, &[]), &["equal"]);
    place.refuses(&mut score(&place, "accuracy", FILES, &["--tokenize", "zh"]), &["--tokenize is for bleu"]);
    place.refuses(&mut score(&place, "bleu", FILES, &["--tokenize", "en"]), &["13a, zh"]);
    let two = [FILES, &[("--reference", "mine.txt")]].concat();
    place.refuses(&mut score(&place, "accuracy", &two, &[]), &["one --reference"]);
    place.refuses(
        &mut score(&place, "bleu", &[("--hypothesis", "no.txt"), ("--reference", "right.txt")], &[]),
        &["no.txt"],
    );
}
