//! `newleaf tokenizer segment`, `newleaf augment`, and why `newleaf train` takes no stop words.

use crate::common::{self, Place, json, json_lines, newleaf_in, stdout};
use assert_cmd::Command;
use std::fs;
use std::path::Path;

fn newleaf(arguments: &[&str]) -> Command {
    let mut command = common::newleaf();
    command.args(arguments);
    command
}

/// In the folder, whose files it names, the command is refused.
fn refuses(folder: &Path, command: &mut Command, words: &[&str]) {
    common::refuses(folder, command.current_dir(folder), words);
}

#[test]
fn text_on_stdin_becomes_words() {
    let text = "我们去图书馆。\n\nOK，3.5公里";
    let words = stdout(newleaf(&["tokenizer", "segment"]).write_stdin(text));
    assert_eq!(words, "我们 去 图书馆 。\n\nOK ， 3.5 公里\n");
    let words = stdout(newleaf(&["tokenizer", "segment", "--json"]).write_stdin("去图书馆\n"));
    assert_eq!(words, "[\"去\",\"图书馆\"]\n");
    assert_eq!(stdout(newleaf(&["tokenizer", "segment"]).write_stdin("")), "");
}

#[test]
fn a_dictionary_or_gold_text_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let dict = file("dict.txt", "研究 50 v\n研究生 10 n\n生命 40 n\n命 5\n起源 20\n");
    let segment = |method: &str| {
        stdout(
            newleaf(&["tokenizer", "segment", "--dict", &dict, "--method", method])
                .write_stdin("研究生命起源"),
        )
    };
    assert_eq!(segment("fmm"), "研究生 命 起源\n");
    assert_eq!(segment("dag"), "研究 生命 起源\n");
    let gold = file("gold.txt", "研究 生命 起源\n");
    let report = json(&mut newleaf(&["tokenizer", "segment", "--dict", &dict, "--eval", &gold, "--json"]));
    assert_eq!(report["dag"]["f1"], 1.0);
    assert_eq!(report["fmm"]["correct_words"], 1);
    assert_eq!(
        stdout(newleaf(&["tokenizer", "segment", "--train", &gold]).write_stdin("起源研究")),
        "起源 研究\n"
    );
}

#[test]
fn folds_report_all_methods() {
    let report = json(&mut newleaf(&["tokenizer", "segment", "--folds", "5", "--json"]));
    let f1 = |method: &str| report[method]["f1"].as_f64().unwrap();
    assert!(f1("dag+hmm") >= f1("fmm").max(f1("bmm")) + 0.02, "{report}");
    assert_eq!(report["dag"]["f1_of_folds"].as_array().unwrap().len(), 5);
}

#[test]
fn bad_segmentation_input() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("counts.txt", "图书馆 many n\n".as_bytes());
    write("raw.txt", "他去图书馆\n我在家\n".as_bytes());
    write("short.txt", "他 去\n".as_bytes());
    write("gbk.txt", b"\xcd\xbc\xca\xe9\xb9\xdd 3\n");
    let segment = |arguments: &[&str], words: &[&str]| {
        let mut command = newleaf(&["tokenizer", "segment"]);
        refuses(folder.path(), command.args(arguments).write_stdin("字"), words);
    };
    segment(&["--dict", "counts.txt"], &["counts.txt, line 1", "many", "图书馆 120 n"]);
    segment(&["--dict", "gone.txt"], &["gone.txt: no such file"]);
    segment(&["--dict", "gbk.txt"], &["gbk.txt", "byte offset", "iconv"]);
    segment(&["--train", "raw.txt"], &["raw.txt", "no space in any line", "--dict"]);
    segment(&["--train", "short.txt", "--folds", "5"], &["--folds 5", "1 sentences"]);
    segment(&["--method", "best"], &["method", "\"best\"", "dag+hmm"]);
    segment(&["--dict", "counts.txt", "--train", "raw.txt"], &["--dict", "--train"]);
    // The lines before the bad one have been written by then.
    let mut command = newleaf(&["tokenizer", "segment"]);
    let words = ["standard input, byte 6, line 2", "iconv"];
    common::fails(command.write_stdin(b"ok\nok \xff\n".to_vec()), 2, &words);
}

#[test]
fn augmentation_keeps_examples_labels_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("a.tsv"), "review\tlabel\nThe food was not good at all\tneg\n味道很好，老板热情\tpos\n")
        .unwrap();
    let run = |out: &str, seed: &str| {
        let report = json(&mut newleaf(&[
            "augment",
            "--in",
            &path("a.tsv"),
            "--out",
            &path(out),
            "--text-column",
            "review",
            "--eda",
            "a=.2,n=3",
            "--seed",
            seed,
            "--json",
        ]));
        (report, fs::read_to_string(path(out)).unwrap())
    };
    let (report, text) = run("b.tsv", "1");
    let variants = report["variants"].as_u64().unwrap() as usize;
    assert_eq!(report["examples"], 2);
    assert!((4..=6).contains(&variants), "{report}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 2 + variants);
    assert_eq!(lines[..2], ["review\tlabel", "The food was not good at all\tneg"]);
    let label = |line: &str| line.split('\t').nth(1).unwrap().to_string();
    for line in &lines[1..] {
        let chinese = line.contains('，');
        assert_eq!(label(line), if chinese { "pos" } else { "neg" }, "{line}");
        assert!(chinese || line.contains(" not "), "{line}");
    }
    assert_eq!(run("c.tsv", "1").1, text, "the same seed");
    assert_ne!(run("c.tsv", "2").1, text, "another seed");

    fs::write(path("a.jsonl"), "{\"id\":7,\"text\":\"The big dog ran down the road\"}\n").unwrap();
    stdout(&mut newleaf(&["augment", "--in", &path("a.jsonl"), "--out", &path("b.jsonl")]));
    let values = json_lines(Path::new(&path("b.jsonl")));
    assert_eq!(values.len(), 5);
    assert!(values.iter().all(|value| value["id"] == 7 && value["text"].is_string()));

    fs::write(path("a.txt"), "word\n").unwrap();
    fs::write(path("mine.tsv"), "word\tterm\n").unwrap();
    stdout(&mut newleaf(&[
        "augment",
        "--in",
        &path("a.txt"),
        "--out",
        &path("b.txt"),
        "--synonyms",
        &path("mine.tsv"),
    ]));
    let text = fs::read_to_string(path("b.txt")).unwrap();
    assert!(text.starts_with("word\n") && text.contains("\nterm\n"), "{text}");
}

/// Every format of rows, with quoted tabs and line ends: the variants have the fields of their example.
#[test]
fn augmentation_reads_what_the_other_commands_read() {
    let place = Place::new();
    let text = "the \"big\"\tdog ran,\ndown the road";
    let quoted = format!("\"{}\"", text.replace('"', "\"\""));
    for (name, more, content) in [
        ("a.csv", "", format!("label,text,id\nbig,{quoted},7\n")),
        ("b.csv", "", format!("sep=;\nlabel;text;id\nbig;{quoted};7\n")),
        ("c.tsv", "", format!("label\ttext\tid\nbig\t{quoted}\t7\n")),
        ("d.jsonl", "", serde_json::json!({"label": "big", "text": text, "id": "7"}).to_string() + "\n"),
        ("e.tsv", "--quotes none", "label\ttext\tid\nbig\t\"the big dog ran\t7\n".to_string()),
    ] {
        place.write(name, content);
        let out = format!("out-{name}");
        stdout(
            newleaf_in(place.folder(), &["augment", "--in", name, "--out", &out])
                .args(more.split_whitespace()),
        );
        let options = data::read::Options {
            delimiter: (name == "b.csv").then_some(b';'),
            quotes: if more.is_empty() { data::read::Quotes::Double } else { data::read::Quotes::None },
            ..Default::default()
        };
        let rows: Vec<_> =
            data::read::Documents::open(place.path(&out), &options).unwrap().map(Result::unwrap).collect();
        assert!(rows.len() > 1, "{name}");
        assert_eq!(rows[0].text, if more.is_empty() { text } else { "\"the big dog ran" }, "{name}");
        assert!(rows[1..].iter().all(|row| row.text != rows[0].text), "{name}");
        assert!(rows.iter().all(|row| row.fields["label"] == "big" && row.fields["id"] == "7"), "{name}");
    }
    let mut command =
        newleaf_in(place.folder(), &["augment", "--in", "-", "--format", "jsonl", "--out", "stdin.jsonl"]);
    stdout(command.write_stdin("{\"text\":\"the big dog ran\"}\n"));
    assert!(json_lines(&place.path("stdin.jsonl")).len() > 1);
}

#[test]
fn bad_augmentation_input() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.tsv", "pos\tgood food\nneg\n");
    write("a.jsonl", "{\"text\":\"good\"}\n{\"text\":7}\n");
    write("broken.jsonl", "{\"text\":\n");
    write("ragged.tsv", "label\ttext\npos\tgood food\nneg\n");
    write("column.csv", "id,text\n17,the big dog\n");
    write("good.txt", "good food\n");
    write("list.tsv", "lonely\n");
    let augment = |arguments: &[&str], words: &[&str]| {
        refuses(folder.path(), newleaf(&["augment", "--out", "out"]).args(arguments), words);
    };
    augment(&["--in", "a.tsv"], &["a.tsv, line 1", "\"text\"", "\"pos\", \"good food\"", "--text-column"]);
    augment(&["--in", "a.tsv", "--text-column", "review"], &["line 1", "\"review\"", "\"pos\""]);
    augment(&["--in", "ragged.tsv"], &["ragged.tsv, line 3", "2 fields"]);
    augment(&["--in", "a.jsonl"], &["a.jsonl, line 2", "a string in the field \"text\""]);
    augment(&["--in", "broken.jsonl"], &["broken.jsonl, line 1", "JSON"]);
    augment(
        &["--in", "column.csv", "--text-column", "id"],
        &["column.csv", "not one of 1 examples", "--text-column"],
    );
    augment(&["--in", "gone.txt"], &["gone.txt: no such file"]);
    augment(&["--in", "good.txt", "--text-column", "2"], &["good.txt", "--text-column", "the format lines"]);
    augment(&["--in", "good.txt", "--eda", "a=2"], &["alpha is 2"]);
    augment(&["--in", "good.txt", "--eda", "a=.1,n=0"], &["--eda", "a=.1,n=4"]);
    augment(&["--in", "good.txt", "--eda", "strong"], &["--eda strong"]);
    augment(&["--in", "good.txt", "--synonyms", "list.tsv"], &["list.tsv, line 1", "two or more"]);
    augment(&["--in", "good.txt", "--protect", "list.tsv"], &["list.tsv, line 1", "negation"]);
    refuses(folder.path(), &mut newleaf(&["augment", "--in", "good.txt", "--out", "."]), &["directory"]);
    refuses(folder.path(), &mut newleaf(&["augment", "--in", "good.txt", "--out", "no/b"]), &["no/b"]);
    refuses(folder.path(), &mut newleaf(&["augment", "--in", "good.txt", "--out", "good.txt"]), &["replace"]);
}

#[test]
fn training_takes_no_stop_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = newleaf(&["train", "--stop-words", "mine.txt", "--out", "run"]);
    refuses(folder.path(), &mut command, &["--stop-words", "needs the frequent words", "leave the flag out"]);
}

#[test]
fn help_has_examples() {
    for arguments in [&["augment", "--help"][..], &["tokenizer", "segment", "--help"]] {
        let example = if arguments[0] == "augment" {
            "\n  newleaf augment --in"
        } else {
            " | newleaf tokenizer segment"
        };
        assert!(stdout(&mut newleaf(arguments)).contains(example));
    }
}
