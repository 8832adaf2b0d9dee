//! Documents as people have them: situations of public bug reports, in all commands that read documents.

use crate::common::{Place, fails, json, newleaf_in, refuses, stdout};
use std::fs;

/// What the command says on stderr, if it succeeds.
#[track_caller]
fn said(place: &Place, arguments: &str) -> String {
    let mut command = newleaf_in(place.folder(), &[]);
    let output = command.args(arguments.split_whitespace()).assert().success().get_output().clone();
    String::from_utf8(output.stderr).unwrap()
}

fn report(place: &Place, arguments: &str) -> serde_json::Value {
    json(newleaf_in(place.folder(), &[]).args(arguments.split_whitespace()))
}

fn rows(report: &serde_json::Value) -> u64 {
    ["train", "validation", "test"].iter().map(|part| report["rows"][part].as_u64().unwrap()).sum()
}

/// TSV as GLUE has it: texts that begin with a quotation mark which nothing closes (pytorch/text 612, pandas 22661).
#[test]
fn lone_quotation_marks() {
    let place = Place::new();
    let text = |i: usize| match i % 3 {
        0 => format!("\"I came early {i}."),
        1 => format!("Then I left {i}.\""),
        _ => format!("It was fine {i}."),
    };
    let row = |i: usize| format!("{}\t{}\n", text(i), if i.is_multiple_of(2) { "pos" } else { "neg" });
    place.write("a.tsv", "text\tlabel\n".to_string() + &(0..300).map(row).collect::<String>());
    for quotes in ["auto", "none"] {
        assert_eq!(rows(&report(&place, &format!("baseline --train a.tsv --json --quotes {quotes}"))), 300);
    }
    let notes = said(&place, "baseline --train a.tsv");
    assert!(notes.contains("a.tsv: 100 rows with a quotation mark that opens nothing"), "{notes}");
    let parts = report(&place, "data split --in a.tsv --out parts --json");
    let documents = ["train", "val", "test"].map(|part| parts[part]["documents"].as_u64().unwrap());
    assert_eq!(documents.iter().sum::<u64>(), 300);
    stdout(&mut newleaf_in(
        place.folder(),
        &["clean", "--in", "a.tsv", "--out", "b.tsv", "--quotes", "none"],
    ));
    assert_eq!(fs::read(place.path("a.tsv")).unwrap(), fs::read(place.path("b.tsv")).unwrap());
    // Read as RFC 4180 says, two rows become one; the program says where a field goes on.
    place.write("two.tsv", "label\ttext\nx\t\"one\ntwo\"\n");
    let notes = said(&place, "clean --in two.tsv --out two.jsonl");
    assert!(notes.contains("1 field in quotation marks with a tab or a line end"), "{notes}");
}

/// The vocabulary is that of the decoded texts, whatever the escapes and the other fields (json.dumps; Kiln 95).
#[test]
fn packing_counts_what_it_encodes() {
    let place = Place::new();
    place.write("a.jsonl", "{\"id\":\"Q\",\"text\":\"\\u4f60\\u597d\"}\n{\"id\":\"Q\",\"text\":\"a\\tb\"}\n");
    place.write("a.csv", "id,text\nQ,\"你好\"\nQ,\"a\tb\"\n");
    for name in ["a.jsonl", "a.csv"] {
        let packed = report(&place, &format!("data pack --in {name} --out {name}.bin --json"));
        // 你 好 a b, a tab and a line end.
        assert_eq!(
            (packed["vocab_size"].as_u64(), packed["tokens"].as_u64()),
            (Some(6), Some(9)),
            "{packed}"
        );
    }
    assert_eq!(
        report(&place, "data pack --in a.jsonl --by doc --field text --out b.bin --json")["vocab_size"]
            .as_u64(),
        Some(6)
    );
}

/// A label with one text is in the training part (scikit-learn's "least populated class"; datasets 5532).
#[test]
fn rare_labels_are_learnt() {
    let place = Place::new();
    let row = |i: usize| format!("{},text number {i}\n", if i.is_multiple_of(2) { "good" } else { "bad" });
    for rare in 0..20 {
        let table: String = (0..120).map(row).collect();
        place.write("a.csv", format!("label,text\n{table}rare,the only one {rare}\n"));
        let found = report(&place, "baseline --train a.csv --json");
        assert_eq!(found["labels"], serde_json::json!(["bad", "good", "rare"]));
        assert_eq!(rows(&found), 121);
    }
    let rows: String = (0..1000).map(|i| format!("label {},text number {i}\n", i / 2)).collect();
    place.write("many.csv", format!("label,text\n{rows}"));
    let notes = said(&place, "baseline --train many.csv");
    assert!(
        notes.contains("the first text of each went there") && notes.contains(" more: the first"),
        "{notes}"
    );
    // In files of their own labels stand as they are: all that are unknown are named.
    place.write("test.csv", "label,text\nfine,x\nodd,y\nfine,z\n");
    let words = ["the test part", "\"fine\", \"odd\" (3 of 3 texts)"];
    refuses(
        place.folder(),
        &mut newleaf_in(place.folder(), &["baseline", "--train", "a.csv", "--test", "test.csv"]),
        &words,
    );
}

/// Rows without a label are left out and counted; 1 and 1.0 are one label (flair 2213; an integer column with gaps).
#[test]
fn blank_labels_and_numbers() {
    let place = Place::new();
    let row = |i: usize| match i % 8 {
        0 => format!(",text number {i}\n"),
        1 => format!("1.0,text number {i}\n"),
        n => format!("{},text number {i}\n", n % 2),
    };
    place.write("a.csv", "label,text\n".to_string() + &(0..400).map(row).collect::<String>());
    let found = report(&place, "baseline --train a.csv --json");
    assert_eq!((rows(&found), &found["labels"]), (350, &serde_json::json!(["0", "1"])));
    let notes = said(&place, "baseline --train a.csv");
    assert!(notes.contains("rows without a label, which are left out: 50"), "{notes}");
    assert!(notes.contains("50 labels such as 1.0 are read as 1"), "{notes}");
    let line = |i: usize| match i % 3 {
        0 => format!("{{\"text\":\"text {i}\",\"label\":null}}\n"),
        n => format!("{{\"text\":\"text {i}\",\"label\":{n}}}\n"),
    };
    place.write("a.jsonl", (0..300).map(line).collect::<String>());
    assert_eq!(rows(&report(&place, "baseline --train a.jsonl --json")), 200);
    place.write("test.csv", "label,text\n1.0,new\n0.0,newer\n");
    assert_eq!(report(&place, "baseline --train a.csv --test test.csv --json")["rows"]["test"], 2);
}

/// A validation file and a test file that are the same leave nothing to test on.
#[test]
fn no_text_is_in_two_parts() {
    let place = Place::new();
    let row = |i: usize| format!("{},text number {i}\n", i % 2);
    let table =
        |range: std::ops::Range<usize>| "label,text\n".to_string() + &range.map(row).collect::<String>();
    place.write("a.csv", table(0..100));
    place.write("b.csv", table(100..200));
    let both = ["baseline", "--train", "a.csv", "--dev", "b.csv", "--test", "b.csv"];
    refuses(
        place.folder(),
        &mut newleaf_in(place.folder(), &both),
        &["100, 100 and 0", "not in the other files"],
    );
    place.write("c.csv", table(150..250));
    let found = report(&place, "baseline --train a.csv --dev b.csv --test c.csv --json");
    assert_eq!((&found["rows"]["test"], &found["dropped"]), (&50.into(), &50.into()));
}

/// The same division everywhere: what `data split` puts into the test part is what `baseline` tests on.
#[test]
fn one_rule_of_division() {
    let place = Place::new();
    let row = |i: usize| format!("{},{},p{}\n", i % 2, char::from_u32(0x4e00 + i as u32).unwrap(), i / 40);
    place.write("a.csv", "label,text,product\n".to_string() + &(0..1155).map(row).collect::<String>());
    let parts = report(&place, "data split --in a.csv --out parts --json");
    let found = report(&place, "baseline --train a.csv --json");
    for (part, name) in [("train", "train"), ("val", "validation"), ("test", "test")] {
        assert_eq!(parts[part]["documents"], found["rows"][name], "{part}");
        assert!(found["rows"][name].as_u64().unwrap() > 70);
    }
    let grouped = report(&place, "baseline --train a.csv --group product --json");
    assert_eq!(rows(&grouped), 1155);
    assert!(
        ["validation", "test"].iter().all(|part| grouped["rows"][part].as_u64().unwrap().is_multiple_of(5)),
        "{grouped}"
    );
}

/// One bad row, one bad page (claude-code-log 139): half of a surrogate pair, a line that is no object, a page in another
/// encoding.
#[test]
fn bad_rows_are_counted() {
    let place = Place::new();
    place.write("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two \\ud83d\"}\n");
    let notes = said(&place, "clean --in a.jsonl --out b.jsonl");
    assert!(notes.contains("that became U+FFFD: 1"), "{notes}");
    assert_eq!(
        fs::read_to_string(place.path("b.jsonl")).unwrap(),
        "{\"text\":\"one\"}\n{\"text\":\"two \u{FFFD}\"}\n"
    );
    place.write("c.jsonl", "{\"text\":\"one\"}\n{\"text\":\n{\"id\":1}\n{\"text\":\"two\",\"x\":1e400}\n");
    refuses(
        place.folder(),
        &mut newleaf_in(place.folder(), &["clean", "--in", "c.jsonl", "--out", "d.jsonl"]),
        &["line 2", "--skip-bad"],
    );
    let found = report(&place, "clean --in c.jsonl --out d.jsonl --skip-bad --json");
    assert_eq!((&found["documents_out"], &found["skipped"]), (&2.into(), &2.into()));
    place.write("p.html", "<p>a page</p>");
    fs::write(place.path("q.html"), b"<p>caf\xe9, <b>na\xefve</b>\xff\xfe").unwrap();
    place.write("r.html", "<p>another page</p>");
    let pages = "--in p.html q.html r.html --encoding UTF-8 --out pages.jsonl";
    fails(newleaf_in(place.folder(), &["clean"]).args(pages.split(' ')), 2, &["q.html"]);
    let found = report(&place, &format!("clean {pages} --skip-bad --json"));
    assert_eq!((&found["documents_out"], &found["skipped"]), (&2.into(), &1.into()));
}

/// Pieces of text come from a pipe too.
#[test]
fn standard_input() {
    let place = Place::new();
    let clean = |arguments: &[&str], input: &str| {
        let mut command = newleaf_in(place.folder(), &["clean", "--in", "-", "--out", "out.txt"]);
        stdout(command.args(arguments).write_stdin(input.to_string()));
        fs::read_to_string(place.path("out.txt")).unwrap()
    };
    assert_eq!(clean(&[], "one\n\n\ntwo \n"), "one\n\ntwo\n");
    assert_eq!(clean(&["--format", "jsonl"], "{\"text\":\"one\"}"), "one\n");
    let mut command =
        newleaf_in(place.folder(), &["data", "split", "--in", "-", "--format", "lines", "--out", "parts"]);
    stdout(command.write_stdin((0..200).map(|i| format!("line {i}\n")).collect::<String>()));
    assert_eq!(fs::read_dir(place.path("parts")).unwrap().count(), 3);
}
