//! `newleaf clean` and `newleaf leak`: what they write, count and say. What they refuse is in malformed/.

use crate::common::{self, Place, json, newleaf, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Cleans a file and answers the report.
#[track_caller]
fn clean(input: &Path, out: &Path, flags: &[&str]) -> Value {
    let mut command = newleaf();
    command.args(["clean", "--json", "--in"]).arg(input).arg("--out").arg(out).args(flags);
    json(&mut command)
}

/// What a rule did: documents changed, documents dropped.
#[track_caller]
fn counts(report: &Value, rule: &str) -> (u64, u64) {
    let rules = report["rules"].as_array().unwrap();
    let found = rules.iter().find(|count| count["rule"] == rule);
    let found = found.unwrap_or_else(|| panic!("no rule {rule} in {report}"));
    (found["changed"].as_u64().unwrap(), found["dropped"].as_u64().unwrap())
}

#[test]
fn a_text_is_cleaned_and_counted() {
    let place = Place::new();
    let dirty = "\u{FEFF}First  line \r\nsec\u{200B}ond line\r\n\r\n\r\n \u{3000}\r\n你好，世界！\r\n\r\n\u{200E}\r\n\r\nFirst line\nsecond line";
    let report = clean(&place.write("a.txt", dirty), &place.path("b.txt"), &["--dedup", "exact"]);
    assert_eq!(place.read("b.txt"), "First line\nsecond line\n\n你好，世界！\n");
    assert_eq!((&report["documents_in"], &report["documents_out"]), (&4.into(), &2.into()));
    assert_eq!(counts(&report, "control-characters"), (2, 0));
    assert_eq!(counts(&report, "whitespace"), (1, 0));
    assert_eq!(counts(&report, "empty"), (0, 1));
    assert_eq!(counts(&report, "exact-duplicates"), (0, 1));
    assert_eq!(report["file_bytes"], dirty.len());
    assert_eq!(place.names(), ["a.txt", "b.txt"]); // nothing is left beside them
}

/// What is clean stays as it is.
#[test]
fn cleaning_twice_changes_nothing() {
    let place = Place::new();
    let dirty = "a  b\u{200B}\n\n\n\n call 13800138000\n\nme@example.org  wrote\r\nthis";
    clean(&place.write("a.txt", dirty), &place.path("b.txt"), &["--mask-pii"]);
    let report = clean(&place.path("b.txt"), &place.path("c.txt"), &["--mask-pii"]);
    assert_eq!(place.read("b.txt"), "a b\n\ncall [PHONE]\n\n[EMAIL] wrote\nthis\n");
    assert_eq!(place.read("b.txt"), place.read("c.txt"));
    assert!(report["rules"].as_array().unwrap().iter().all(|rule| rule["changed"] == 0), "{report}");
}

#[test]
fn tables_keep_their_columns() {
    let place = Place::new();
    let csv = "label,review\r\n1,\"Good,  \"\"really\"\"\"\r\n0,\r\n0,cold\r\n1,cold\r\n";
    let input = place.write("a.csv", csv);
    let flags = ["--text-column", "review", "--dedup", "exact"];
    let report = clean(&input, &place.path("b.csv"), &flags);
    assert_eq!(place.read("b.csv"), "label,review\n1,\"Good, \"\"really\"\"\"\n0,cold\n");
    assert_eq!((counts(&report, "empty"), counts(&report, "exact-duplicates")), ((0, 1), (0, 1)));
    clean(&input, &place.path("b.jsonl"), &flags);
    assert_eq!(
        place.read("b.jsonl"),
        "{\"label\":\"1\",\"review\":\"Good, \\\"really\\\"\"}\n{\"label\":\"0\",\"review\":\"cold\"}\n"
    );
    clean(&input, &place.path("b.txt"), &flags);
    assert_eq!(place.read("b.txt"), "Good, \"really\"\n\ncold\n");
}

#[test]
fn any_encoding_becomes_utf8_and_is_named() {
    let place = Place::new();
    let text = "今天天气很好，我们一起去公园散步。孩子们跑来跑去，笑声不断。\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let gb = encoding_rs::GB18030.encode(text).0.into_owned();
    for (bytes, name) in [(wide, "UTF-16BE"), (gb, "gb18030"), (text.into(), "UTF-8")] {
        let input = place.write("a.txt", bytes);
        let mut command = newleaf();
        command.args(["clean", "--in"]).arg(&input).arg("--out").arg(place.path("b.txt"));
        let said = String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap();
        // What is UTF-8 needs no proof.
        let proof = if name == "UTF-8" { "\n" } else { " (" };
        assert!(said.contains(&format!("text, {name}{proof}")), "{said}");
        assert_eq!(place.read("b.txt"), text);
    }
}

#[test]
fn pages_become_one_text() {
    let place = Place::new();
    let first = place.write("1.html", "<title>A</title><p>a &lt; b<script>x</script>");
    let second = place.write("2.html", "<p>你<b>好</b>");
    let mut command = newleaf();
    command.args(["clean", "--in"]).args([first, second]).arg("--out").arg(place.path("b.jsonl"));
    let said = stdout(&mut command);
    assert_eq!(place.read("b.jsonl"), "{\"text\":\"A\\na < b\"}\n{\"text\":\"你好\"}\n");
    assert!(said.starts_with("documents in ") && said.contains("\ndocuments out "), "{said}");
    // In a text file markup stays, unless it is asked for.
    let text = place.write("c.txt", "<b>bold</b>");
    clean(&text, &place.path("d.txt"), &[]);
    assert_eq!(place.read("d.txt"), "<b>bold</b>\n");
    clean(&text, &place.path("d.txt"), &["--html"]);
    assert_eq!(place.read("d.txt"), "bold\n");
}

/// The drops of all rules and what is left add up to what came in, on a text with something for every rule.
#[test]
fn the_report_adds_up() {
    let place = Place::new();
    let long = "the cat sat quietly under the table while the little dog chased after another butterfly";
    let documents = [
        long,
        long,
        &format!("{long} today"),
        "a b c d e f g h i j k l m n o p",
        "# # # tags and words that are many enough",
        "100 2000 3000 words letters 400",
        "these lines repeat\nthese lines repeat\nthese lines repeat",
        "dam\u{FFFD}ged words of a decent length are here",
        "too short",
        "mail me@example.org or call +49 30 1234567 about 123456789012",
    ];
    let input = place.write("a.txt", documents.join("\n\n"));
    let flags =
        ["--filter=all", "--mask-pii", "--nfkc", "--html", "--min-words=4", "--dedup=exact,minhash:0.7"];
    let report = clean(&input, &place.path("b.txt"), &flags);
    for rule in
        ["word-length", "symbols", "alphabetic", "repeated-lines", "replacement-characters", "too-short"]
    {
        assert_eq!(counts(&report, rule), (0, 1), "{rule}: {report}");
    }
    assert_eq!((counts(&report, "exact-duplicates").1, counts(&report, "near-duplicates").1), (1, 1));
    for mask in ["mask-email", "mask-phone", "mask-number"] {
        assert_eq!(counts(&report, mask), (1, 0), "{mask}: {report}");
    }
    let dropped: u64 =
        report["rules"].as_array().unwrap().iter().map(|r| r["dropped"].as_u64().unwrap()).sum();
    assert_eq!(report["documents_in"], 10);
    assert_eq!(report["documents_out"], 10 - dropped);
    assert_eq!(place.read("b.txt"), format!("{long}\n\nmail [EMAIL] or call [PHONE] about [NUMBER]\n"));
}

/// Rules can be left out, and Chinese punctuation stays unless NFKC is asked for.
#[test]
fn rules_are_chosen() {
    let place = Place::new();
    let input = place.write("a.txt", "你好，  世界！");
    clean(&input, &place.path("b.txt"), &["--without=whitespace"]);
    assert_eq!(place.read("b.txt"), "你好，  世界！\n");
    clean(&input, &place.path("b.txt"), &["--nfkc"]);
    assert_eq!(place.read("b.txt"), "你好, 世界!\n");
}

/// With little memory the duplicates that are far apart stay, and it is said.
#[test]
fn forgetting_is_said() {
    let place = Place::new();
    let numbers: Vec<String> = (0..60_000).chain([0]).map(|i| format!("number {i}")).collect();
    let input = place.write("a.txt", numbers.join("\n"));
    let run = |memory: &str| {
        let mut command = newleaf();
        command.args(["clean", "--json", "--format=lines", "--dedup=exact", memory]);
        command.arg("--in").arg(&input).arg("--out").arg(place.path("b.txt"));
        let output = command.assert().success().get_output().clone();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (report, String::from_utf8(output.stderr).unwrap())
    };
    let (report, said) = run("--dedup-memory=100");
    assert_eq!((&report["documents_out"], &report["dedup_forgotten"]), (&60_000.into(), &0.into()));
    assert!(!said.contains("forgotten"), "{said}");
    let (report, said) = run("--dedup-memory=1");
    assert_eq!((&report["documents_out"], &report["dedup_forgotten"]), (&60_001.into(), &28_672.into()));
    assert!(said.contains("28672 documents were forgotten") && said.contains("--dedup-memory"), "{said}");
    assert!(report["dedup_memory_bytes"].as_u64().unwrap() <= 1_000_000);
}

/// A link to a file stays a link, and a reader that goes away is no failure.
#[cfg(unix)]
#[test]
fn links_stay() {
    let place = Place::new();
    let input = place.write("a.txt", "text");
    place.write("real.txt", "before");
    std::os::unix::fs::symlink("real.txt", place.path("link.txt")).unwrap();
    clean(&input, &place.path("link.txt"), &[]);
    assert!(place.path("link.txt").is_symlink());
    assert_eq!(place.read("real.txt"), "text\n");
}

/// A signal ends the work, with nothing written and the exit code that shells know.
#[cfg(unix)]
#[test]
fn a_signal_ends_it() {
    let place = Place::new();
    let big = place.path("big.txt");
    let line = "many lines of a text that takes long to be cleaned in a build for tests\n\n".repeat(1000);
    let lines = line.repeat(800); // 60 MB: a second and more
    fs::write(&big, lines).unwrap();
    for (command, flags) in [("clean", ["--in", "--out"]), ("leak", ["--test", "--train"])] {
        let other = if command == "clean" { place.path("out.txt") } else { big.clone() };
        let before = place.names();
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"))
            .arg(command)
            .args([flags[0].as_ref(), big.as_os_str(), flags[1].as_ref(), other.as_os_str()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It watches for signals before it says what it reads.
        let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        std::io::BufRead::read_line(&mut said, &mut first).unwrap();
        assert!(first.contains("big.txt: text, UTF-8"), "{first}");
        common::signal(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(143), "{command}");
        assert_eq!(place.names(), before, "{command}");
    }
}

#[test]
fn leaks_are_found() {
    let place = Place::new();
    let verse = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。";
    let long =
        "the cat sat on the mat and the dog ran to the man who had a hat on his head and a bag in his hand";
    let train =
        place.write("train.txt", format!("something else\n\n{long} today\n\n{}", verse.replace('，', " ")));
    let test = place.write("test.jsonl", {
        let line = |text: &str| format!("{}\n", serde_json::json!({ "text": text }));
        line(verse) + &line(long) + &line("quite another text that is not in there")
    });
    let as_text = clean(&test, &place.path("test.txt"), &[]);
    assert_eq!(as_text["documents_out"], 3);
    let leak = |json: &[&str]| {
        let mut command = newleaf();
        command.args(["leak", "--train"]).arg(&train).arg("--test").arg(place.path("test.txt")).args(json);
        stdout(&mut command)
    };
    let report: Value = serde_json::from_str(&leak(&["--json"])).unwrap();
    assert_eq!((&report["exact"], &report["near"], &report["overlap"]), (&1.into(), &1.into(), &0.into()));
    let lines =
        |i: usize| (report["leaks"][i]["test_line"].as_u64(), report["leaks"][i]["train_line"].as_u64());
    assert_eq!((lines(0), lines(1)), ((Some(1), Some(5)), (Some(3), Some(3))));
    let said = leak(&[]);
    assert!(said.starts_with("3 test documents, 3 training documents\n  exact    1 (33.33 %)\n"), "{said}");
}
