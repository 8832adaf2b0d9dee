//! `newleaf drift`: what it says of two texts, the picture it draws, and what it refuses.

use crate::common::{float, is_well_formed, json, newleaf_in, refuses, stdout};
use assert_cmd::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn drift(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = newleaf_in(folder, &["drift"]);
    command.args(arguments);
    command
}

/// Sentences in a fixed disorder; `names` decides who acts.
fn story(sentences: u64, names: &[&str], seed: u64) -> String {
    let mut state = seed;
    let mut pick = |of: &[&str]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        of[((state >> 33) % of.len() as u64) as usize].to_string()
    };
    let things = ["the boat", "a lamp", "the old road", "rain", "a letter", "bread", "the hill", "a song"];
    let verbs = ["sees", "finds", "leaves", "wants", "hears of", "looks for", "paints", "forgets"];
    (0..sentences).map(|_| format!("{} {} {}.\n", pick(names), pick(&verbs), pick(&things))).collect()
}

/// A folder with a training text, one like it and one with other names.
fn texts() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let old = ["Ann", "Bo", "Cara", "Dan", "Eve", "Finn"];
    fs::write(folder.path().join("train.txt"), story(1500, &old, 1)).unwrap();
    fs::write(folder.path().join("same.txt"), story(500, &old, 2)).unwrap();
    fs::write(folder.path().join("other <&>.txt"), story(500, &["Zoë", "Xaver", "Quin"], 3)).unwrap();
    folder
}

#[test]
fn a_shift_is_told_from_none() {
    let folder = texts();
    let path = folder.path();
    let report = |test: &str| {
        json(&mut drift(path, &["--train", "train.txt", "--test", test, "--order", "4", "--json"]))
    };
    let (same, other) = (report("same.txt"), report("other <&>.txt"));
    assert_eq!(same["vocabulary"]["oov_words_percent"], 0.0);
    assert!(same["remedies"][0].as_str().unwrap().contains("No shift"), "{same}");
    assert!(float(&other["vocabulary"]["oov_words_percent"]) > 15.0, "{other}");
    assert!(float(&other["perplexity"]["gap"]) > 0.1 && float(&other["domain"]["auc"]) > 0.95, "{other}");
    for (same, other) in
        same["divergence"].as_array().unwrap().iter().zip(other["divergence"].as_array().unwrap())
    {
        assert!(
            float(&other["kl"]) > float(&other["floor_95"]) && float(&other["kl"]) > 5.0 * float(&same["kl"])
        );
    }
    let text = stdout(&mut drift(path, &["--train", "train.txt", "--test", "same.txt", "--order", "4"]));
    for word in ["words:", "characters:", "3-grams:", "perplexity:", "classifier:", "what helps:"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn the_picture_is_whole_and_needs_nothing_from_elsewhere() {
    let folder = texts();
    let path = folder.path();
    let pictures = ["--svg", "drift.svg", "--html", "drift.html", "--order", "4"];
    drift(path, &["--train", "train.txt", "--test", "other <&>.txt"]).args(pictures).assert().success();
    let svg = fs::read_to_string(path.join("drift.svg")).unwrap();
    let html = fs::read_to_string(path.join("drift.html")).unwrap();
    assert!(is_well_formed(&svg), "{svg}");
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")
            && svg.contains("other &lt;&amp;&gt;.txt")
    );
    assert!(!is_well_formed("<a><b></a>") && !is_well_formed("<a>&</a>"), "the check itself can fail");
    for number in ["NaN", "inf"] {
        assert!(!svg.contains(&format!("\"{number}")), "{number} as a coordinate");
    }
    let shapes = &svg[svg.find("</style>").unwrap() + "</style>".len()..];
    assert!(shapes.contains("<circle") && html.contains(shapes), "the page holds the picture");
    for foreign in ["<script", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert_eq!(fs::read_dir(path).unwrap().count(), 5, "no temporary file stays");
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let folder = texts();
    let path = folder.path();
    fs::write(path.join("short.txt"), "too short").unwrap();
    fs::write(path.join("empty.txt"), "").unwrap();
    fs::write(path.join("broken.txt"), b"good text \xff\xfe more").unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--train", "no.txt", "--test", "same.txt"], &["no.txt"]),
        (&["--train", "train.txt", "--test", "no.txt"], &["no.txt"]),
        (&["--train", "train.txt", "--test", "folder"], &["folder", "director"]),
        (&["--train", "empty.txt", "--test", "same.txt"], &["empty.txt", "empty"]),
        (&["--train", "broken.txt", "--test", "same.txt"], &["broken.txt", "byte offset 10"]),
        (
            &["--train", "short.txt", "--test", "same.txt"],
            &["short.txt", "the training text", "at least 2000", "9 char"],
        ),
        (
            &["--train", "train.txt", "--test", "short.txt"],
            &["short.txt", "the test text", "at least 200", "longer"],
        ),
        (&["--train", "train.txt", "--test", "same.txt", "--order", "0"], &["order", "from 1 to 64"]),
        (&["--train", "train.txt", "--test", "same.txt", "--svg", "no/a.svg"], &["no/a.svg", "directory"]),
        (&["--train", "train.txt", "--test", "same.txt", "--html", "folder"], &["folder", "a directory"]),
        (
            &["--train", "train.txt", "--test", "same.txt", "--html", "./same.txt"],
            &["same.txt", "would replace"],
        ),
        (
            &["--train", "train.txt", "--test", "same.txt", "--html", "a.x", "--svg", "./a.x"],
            &["a.x", "one file", "two paths"],
        ),
        (&["--train", "train.txt"], &["--test"]),
    ];
    for (arguments, words) in cases {
        let pictures: &[&str] = if arguments.contains(&"--html") { &[] } else { &["--html", "drift.html"] };
        refuses(path, drift(path, arguments).args(pictures), words);
    }
}
