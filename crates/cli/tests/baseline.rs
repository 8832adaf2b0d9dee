//! `newleaf baseline`: labels told from words, the files it reads, and what it refuses.

use crate::common::{float, json, newleaf_in, refuses, stdout};
use assert_cmd::Command;
use std::fs;
use std::path::Path;

fn baseline(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = newleaf_in(folder, &["baseline"]);
    command.args(arguments);
    command
}

/// Different reviews, two in three of them good; one word of each tells which.
fn reviews() -> Vec<(String, &'static str)> {
    let (good, bad) = (["fine", "tasty", "warm"], ["cold", "late", "stale"]);
    (0..600)
        .map(|i| {
            let (word, label) = match i % 3 {
                2 => (bad[i / 3 % 3], "0"),
                _ => (good[i / 3 % 3], "1"),
            };
            (format!("order {i}: the soup, \"again\",\nwas {word}"), label)
        })
        .collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn words_that_tell_the_label_are_found_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let table = |separator: &str, end: &str| -> String {
        let rows =
            reviews().into_iter().map(|(text, label)| format!("{label}{separator}{}{end}", quoted(&text)));
        format!("label{separator}review{end}") + &rows.collect::<String>()
    };
    fs::write(path.join("a.csv"), table(",", "\n")).unwrap();
    fs::write(path.join("a.tsv"), table("\t", "\n")).unwrap();
    let line = |(text, label): (String, &str)| {
        serde_json::json!({"review": text, "label": label}).to_string() + "\n"
    };
    fs::write(path.join("a.jsonl"), reviews().into_iter().map(line).collect::<String>()).unwrap();
    let figures = ["a.csv", "a.tsv", "a.jsonl"].map(|file| {
        let mut found = json(&mut baseline(path, &["--train", file, "--text-column", "review", "--json"]));
        for kind in ["majority", "naive_bayes", "logistic_regression", "logistic_regression_characters"] {
            found[kind].as_object_mut().unwrap().remove("seconds");
        }
        found
    });
    assert!(figures[0] == figures[1] && figures[0] == figures[2], "{figures:?}");
    // The encoding and what separates fields may be others.
    let chinese = table(";", "\r\n").replace("soup", "汤");
    let rows = |bytes: &[u8], encoding: &str| {
        fs::write(path.join("b.csv"), bytes).unwrap();
        let flags = ["--train", "b.csv", "--text-column", "review", "--delimiter", ";", "--json"];
        json(baseline(path, &flags).args(["--encoding", encoding]))["rows"].take()
    };
    let gb18030 = encoding_rs::GB18030.encode(&chinese).0.into_owned();
    assert_eq!(rows(&gb18030, "gbk"), rows(chinese.as_bytes(), "utf-8"));
    let found = &figures[0];
    let rows = ["train", "validation", "test"].map(|part| found["rows"][part].as_u64().unwrap());
    assert_eq!(rows.iter().sum::<u64>(), 600);
    assert!(rows[1] > 30 && rows[2] > 30, "{rows:?}");
    assert_eq!(found["labels"], serde_json::json!(["0", "1"]));
    assert!(
        (float(&found["majority"]["accuracy"]) - 0.667).abs() < 0.15
            && float(&found["majority"]["macro_f1"]) < 0.5
    );
    for kind in ["naive_bayes", "logistic_regression"] {
        assert_eq!(
            (float(&found[kind]["accuracy"]), float(&found[kind]["macro_f1"])),
            (1.0, 1.0),
            "{kind}: {found}"
        );
    }
    let text = stdout(&mut baseline(path, &["--train", "a.csv", "--text-column", "review"]));
    assert!(
        text.contains("majority") && text.contains("naive Bayes") && text.contains("logistic regression"),
        "{text}"
    );
}

#[test]
fn a_text_that_was_there_before_is_neither_learnt_twice_nor_tested() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let line =
        |(text, label): &(String, &str)| serde_json::json!({"text": text, "label": label}).to_string() + "\n";
    let (all, new) = (reviews(), ("the soup was tasty".to_string(), "1"));
    fs::write(path.join("train.jsonl"), all.iter().chain(&all[..50]).map(line).collect::<String>()).unwrap();
    fs::write(path.join("test.jsonl"), all[..7].iter().chain([&new]).map(line).collect::<String>()).unwrap();
    let found = json(&mut baseline(path, &["--train", "train.jsonl", "--test", "test.jsonl", "--json"]));
    assert_eq!((&found["dropped"], &found["rows"]["test"]), (&57.into(), &1.into()));
    assert_eq!(found["naive_bayes"]["accuracy"], 1.0);
}

#[test]
fn files_that_are_not_labelled_texts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "a.csv",
            "label,review\n1,good\n",
            &["a.csv", "line 1", "\"text\"", "\"label\", \"review\"", "--text-column"],
        ),
        ("b.csv", "label,text\n1,good\n1,very, very good\n", &["b.csv", "line 3", "3 fields", "quote"]),
        ("c.csv", "label,text\n1,\"two\nlines\"\n0\n", &["c.csv", "line 4", "found 1 field:"]),
        (
            "d.csv",
            "label,text\n1,fine\n0,\"never closed\n1,x\n",
            &["d.csv", "line 3", "closes the field", "the end of the file"],
        ),
        (
            "e.csv",
            "label,text\n1,\"a\" word quoted\n",
            &["e.csv", "line 2", "after a closing quote", "double"],
        ),
        ("f.csv", "label,text\n", &["f.csv", "no row"]),
        ("g.csv", "label,text\n1,\n0,  \n", &["g.csv", "no row with a text"]),
        ("h.csv", "", &["h.csv", "empty"]),
        ("i.csv", "label,text\n1,good\n0,bad\n", &["i.csv", "at least 50"]),
        ("a.jsonl", "{\"text\":\"x\",\"label\":1}\n{\"text\":\"y\"}\n", &["a.jsonl", "line 2", "\"label\""]),
        ("b.jsonl", "{\"text\":\"x\",\"label\":1}\n\n[1]\n", &["b.jsonl", "line 3", "an object"]),
        ("c.jsonl", "{\"text\":5,\"label\":1}\n", &["c.jsonl", "line 1", "a string"]),
        ("d.jsonl", "{\"text\":\"x\",\"label\":null}\n", &["d.jsonl", "rows without a label", "left out: 1"]),
        ("f.jsonl", "{\"text\":\"x\",\"label\":[1]}\n", &["f.jsonl", "line 1", "[1]"]),
        ("e.jsonl", "{\"text\":\"x\",\n", &["e.jsonl", "line 1", "a JSON object"]),
        ("a.txt", "some text", &["a.txt", ".jsonl", "rename"]),
    ];
    for (name, content, words) in cases {
        fs::write(path.join(name), content).unwrap();
        refuses(path, &mut baseline(path, &["--train", name]), words);
    }
    fs::write(path.join("broken.csv"), b"label,text\n1,\xff\xfe\n").unwrap();
    refuses(path, &mut baseline(path, &["--train", "broken.csv"]), &["broken.csv", "byte offset 13"]);
    refuses(path, &mut baseline(path, &["--train", "no.csv"]), &["no.csv"]);
    refuses(path, &mut baseline(path, &[]), &["--train"]);
}

#[test]
fn a_test_file_and_flags_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rows: String = reviews().iter().map(|(text, label)| format!("{label},{}\n", quoted(text))).collect();
    fs::write(path.join("good.csv"), format!("label,text\n{rows}")).unwrap();
    fs::write(path.join("strange.csv"), "label,text\n1,new and good\nmaybe,new and odd\n").unwrap();
    let words = ["strange.csv", "the test part", "\"maybe\"", "\"0\", \"1\""];
    refuses(path, &mut baseline(path, &["--train", "good.csv", "--test", "strange.csv"]), &words);
    let words = ["at least 50", "not in the other files"];
    refuses(path, &mut baseline(path, &["--train", "good.csv", "--test", "good.csv"]), &words);
    for ngrams in ["0", "6", "x"] {
        refuses(
            path,
            &mut baseline(path, &["--train", "good.csv", "--ngrams", ngrams]),
            &["--ngrams", ngrams],
        );
    }
    let columns = ["--train", "good.csv", "--label-column", "stars"];
    refuses(path, &mut baseline(path, &columns), &["good.csv", "line 1", "\"stars\""]);
}
