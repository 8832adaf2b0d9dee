//! Documents, their division into parts, few-shot choices, buckets, and the manifest.

use data::DataError;
use data::dataset::{Manifest, PARTS, SplitReport, SplitRule, bucket_by_length, k_shot, split_documents};
use data::read::{Documents, Options, Wanted};
use proptest::prelude::*;
use random::{Rng, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn format(name: &str) -> Options {
    Options { format: Some(name.into()), wanted: Wanted::TextOrRow, ..Options::default() }
}

fn with_mark(mark: &str) -> Options {
    Options { mark: Some(mark.into()), ..format("text") }
}

/// The lines of the documents of a file, and how they stand there.
fn documents_of(path: &Path, options: &Options) -> Result<Vec<(u64, String)>, DataError> {
    Documents::open(path, options)?.map(|document| document.map(|d| (d.line, d.raw().to_string()))).collect()
}

#[test]
fn documents_as_they_stand_and_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let cases = [
        (format("lines"), "a\r\n\nb", vec![(1, "a"), (3, "b")]),
        (format("text"), "\n\na\nb\n \n\nc\n\n", vec![(3, "a\nb"), (7, "c")]),
        (with_mark("* * *"), "a\n\nb\n\n* * *\n\nc", vec![(1, "a\n\nb"), (7, "c")]),
        (with_mark("* * *"), "* * *\na\n* * *\n* * *\n", vec![(2, "a")]),
        (format("text"), "a\n\nb\n<|endoftext|>\nc\n", vec![(1, "a\n\nb"), (5, "c")]),
        (
            format("csv"),
            "h,i\n1,\"a\nb\"\n\n2,\"x\"\"\ny\"\n",
            vec![(2, "1,\"a\nb\""), (5, "2,\"x\"\"\ny\"")],
        ),
        (
            format("tsv"),
            "h\ti\n5\" wide\tx\n\n\"\"\"a\nb\"\t\"\n\t\"\n\t\n",
            vec![(2, "5\" wide\tx"), (4, "\"\"\"a\nb\"\t\"\n\t\""), (7, "\t")],
        ),
        (format("jsonl"), "{ \"id\" : 1e400 }\n", vec![(1, "{ \"id\" : 1e400 }")]),
    ];
    for (options, text, expected) in cases {
        fs::write(&path, text).unwrap();
        let expected: Vec<(u64, String)> = expected.into_iter().map(|(l, t)| (l, t.to_string())).collect();
        assert_eq!(documents_of(&path, &options).unwrap(), expected, "{text:?}");
    }
    for (options, text, words) in [
        (format("csv"), "a,b\n1,\"2\n3,4\n", "the quote that closes the field"),
        (format("tsv"), "a\tb\n1\t\"2\n3\n", "the quote that closes the field"),
        (
            with_mark("* * *"),
            "a\n\nb\n",
            "no line that is \"* * *\": name what stands between the documents with --mark",
        ),
        (with_mark(" "), "a\n", "--mark: expected one line with something in it"),
        (Options { longest: 100, ..format("lines") }, &"a".repeat(101), "at most 100 bytes"),
    ] {
        fs::write(&path, text).unwrap();
        let message = documents_of(&path, &options).unwrap_err().to_string();
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
}

fn numbered(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("document number {i}")).collect()
}

fn split_file(
    input: &Path,
    options: &Options,
    rule: &SplitRule,
    group: Option<&str>,
    out: &Path,
) -> Result<SplitReport, DataError> {
    let documents = Documents::open(input, options)?;
    let layout = documents.layout();
    split_documents(documents, input, &layout, rule, group, out)
}

fn split(dir: &Path, lines: &[String], fractions: [f64; 3], out: &str) -> BTreeMap<String, &'static str> {
    let input = dir.join("in.txt");
    fs::write(&input, lines.join("\n")).unwrap();
    let rule = SplitRule::new(fractions, 7).unwrap();
    let report = split_file(&input, &format("lines"), &rule, None, &dir.join(out)).unwrap();
    let mut part_of = BTreeMap::new();
    for report in report.parts {
        let text = fs::read_to_string(&report.path).unwrap();
        assert_eq!((text.lines().count() as u64, text.len() as u64), (report.documents, report.bytes));
        for line in text.lines() {
            let earlier = part_of.insert(line.to_string(), report.part);
            assert!(earlier.is_none_or(|part| part == report.part), "{line} is in two parts");
        }
    }
    part_of
}

/// Every document is in one part, new documents move none of the old, and duplicates stay together.
#[test]
fn a_split_is_stable() {
    let dir = tempfile::tempdir().unwrap();
    let lines = numbered(3000);
    let fractions = [0.8, 0.1, 0.1];
    let before = split(dir.path(), &lines, fractions, "a");
    assert_eq!(before.len(), 3000);
    let mut more: Vec<String> = (0..500).map(|i| format!("inserted {i}")).collect();
    more.extend(lines.iter().rev().cloned());
    more.extend(lines.iter().take(100).cloned()); // duplicates
    let after = split(dir.path(), &more, fractions, "b");
    assert!(before.iter().all(|(line, part)| after[line] == *part));
    for (part, fraction) in PARTS.into_iter().zip(fractions) {
        let found = before.values().filter(|&&p| p == part).count() as f64;
        let (mean, sd) = (3000.0 * fraction, (3000.0 * fraction * (1.0 - fraction)).sqrt());
        assert!((found - mean).abs() <= 4.0 * sd, "{part}: {found}");
    }
}

#[test]
fn what_stands_between_documents_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let story = |i: usize| format!("story {i}\n\nit ends\n");
    let rule = SplitRule::new([0.5, 0.0, 0.5], 0).unwrap();
    for (options, between, header) in [
        (with_mark("***"), "***\n", ""),
        (format("text"), "\n", ""),
        (format("csv"), "", "text\n"),
        (format("csv"), "", "sep=;\ntext;\"label\"\n"),
        (format("tsv"), "", "text\tlabel\n"),
        (format("jsonl"), "", ""),
    ] {
        let body = |i: usize| match (&options.mark, options.format.as_deref()) {
            (Some(_), _) => story(i),
            (_, Some("text")) => format!("story {i}\nends\n"),
            (_, Some("jsonl")) => format!("{{\"n\" : 1.50,\"text\":\"story {i}\"}}\n"),
            _ if header.contains(';') => format!("\"story {i}\n\";\n"),
            _ if header.contains('\t') => format!("\"story {i}\n\"\tx\n"),
            _ => format!("\"story {i}\n\"\n"),
        };
        let input = dir.path().join("in.txt");
        let text: Vec<String> = (0..40).map(body).collect();
        fs::write(&input, header.to_string() + &text.join(between)).unwrap();
        let out = dir.path().join("parts");
        let reports = split_file(&input, &options, &rule, None, &out).unwrap().parts;
        assert_eq!(reports.iter().map(|r| r.part).collect::<Vec<_>>(), ["train", "test"]);
        let mut again: Vec<String> = Vec::new();
        for report in &reports {
            let text = fs::read_to_string(&report.path).unwrap();
            assert!(text.starts_with(header) && !text.ends_with("\n\n"), "{text:?}");
            again.extend(
                documents_of(&report.path, &options).unwrap().into_iter().map(|(_, text)| text + "\n"),
            );
        }
        again.sort();
        let mut expected = text;
        expected.sort();
        assert_eq!(again, expected);
        fs::remove_dir_all(out).unwrap();
    }
}

/// Rows with an identity of their own: what decides is the text, or the group.
#[test]
fn the_text_decides_and_groups_stay_together() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.csv"), dir.path().join("out"));
    let row = |i: usize| format!("{i},text {},group {}\n", i % 100, i % 7);
    fs::write(&input, "id,text,group\n".to_string() + &(0..700).map(row).collect::<String>()).unwrap();
    let rule = SplitRule::usual();
    let column = |path: &Path, name: &str| -> BTreeSet<String> {
        let values = Documents::open(path, &Options::default()).unwrap().map(Result::unwrap);
        values
            .map(|d| if name == "text" { d.text } else { d.fields[name].as_str().unwrap().into() })
            .collect()
    };
    for (group, decides) in [(None, "text"), (Some("group"), "group")] {
        let report = split_file(&input, &Options::default(), &rule, group, &out);
        let Ok(report) = report else {
            // Seven groups may leave a part empty; then nothing is written.
            assert!(group.is_some() && !out.exists());
            continue;
        };
        let parts: Vec<BTreeSet<String>> = report.parts.iter().map(|p| column(&p.path, decides)).collect();
        for (i, part) in parts.iter().enumerate() {
            assert!(parts[..i].iter().all(|other| other.is_disjoint(part)));
        }
        assert_eq!(report.torn > 0, group.is_some());
        fs::remove_dir_all(&out).unwrap();
    }
    let halves = SplitRule::new([0.5, 0.5, 0.0], 3).unwrap();
    let report = split_file(&input, &Options::default(), &halves, Some("group"), &out).unwrap();
    assert!(report.torn > 0, "texts of several groups");
    let parts: Vec<BTreeSet<String>> = report.parts.iter().map(|p| column(&p.path, "group")).collect();
    assert!(parts[0].is_disjoint(&parts[1]));
    let message =
        split_file(&input, &Options::default(), &halves, Some("no"), &dir.path().join("o")).unwrap_err();
    assert!(message.to_string().contains("line 2: expected a field \"no\""), "{message}");
}

/// Short texts too fall into the parts as often as the fractions say: each of the ten tenths.
#[test]
fn short_texts_are_divided_evenly() {
    let han: Vec<String> = ('\u{4e00}'..'\u{5400}').map(String::from).collect();
    let pairs = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}"))).collect();
    let items = (0..1000).map(|i| format!("item {i}")).collect();
    for texts in [han, pairs, items] as [Vec<String>; 3] {
        let mut tenths = [0.0_f64; 10];
        texts.iter().for_each(|text| tenths[(SplitRule::usual().fraction(text) * 10.0) as usize] += 1.0);
        let n = texts.len() as f64;
        let sd = (n * 0.1 * 0.9).sqrt();
        assert!(tenths.iter().all(|found| (found - 0.1 * n).abs() <= 4.0 * sd), "{tenths:?}");
    }
}

/// Which part a document falls to is part of what a seed promises. The literals were computed with
/// Python's hashlib.
#[test]
fn golden_parts() {
    let part = |seed, text: &str| SplitRule::new([0.4, 0.3, 0.3], seed).unwrap().part(text);
    let found: Vec<usize> = numbered(12).iter().map(|text| part(0, text)).collect();
    assert_eq!(found, GOLDEN_PARTS_SEED_0);
    let found: Vec<usize> = numbered(12).iter().map(|text| part(1, text)).collect();
    assert_eq!(found, GOLDEN_PARTS_SEED_1);
}

const GOLDEN_PARTS_SEED_0: [usize; 12] = [2, 1, 0, 0, 1, 2, 1, 1, 1, 0, 0, 0];
const GOLDEN_PARTS_SEED_1: [usize; 12] = [2, 1, 2, 2, 2, 2, 0, 2, 2, 2, 0, 2];

#[test]
fn impossible_splits_are_errors() {
    for fractions in
        [[0.0, 0.5, 0.5], [0.8, 0.1, 0.2], [1.1, -0.1, 0.0], [f64::NAN, 0.5, 0.5], [0.9, 0.0, 0.0]]
    {
        assert!(SplitRule::new(fractions, 0).is_err(), "{fractions:?}");
    }
    let always = SplitRule::new([1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0], 0).unwrap();
    assert!((0..1000).all(|i| always.part(&i.to_string()) < 3));
    let no_test = SplitRule::new([0.9, 0.1, 0.0], 0).unwrap();
    assert!((0..1000).all(|i| no_test.part(&i.to_string()) < 2));

    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    fs::write(&input, "only one\n").unwrap();
    let out = dir.path().join("out");
    let split = |out: &Path| split_file(&input, &format("lines"), &always, None, out);
    let message = split(&out).unwrap_err().to_string();
    assert!(message.contains("1 documents, none of which falls to"), "{message}");
    assert!(split(dir.path()).unwrap_err().to_string().contains("something is there already"));
    assert!(matches!(split(&dir.path().join("no/out")), Err(DataError::Unwritable { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn k_shot_takes_k_of_each(labels in prop::collection::vec(0..4_u8, 1..60), k in 1..6_usize, seed: u64) {
        let count = |label: u8| labels.iter().filter(|&&l| l == label).count();
        let result = k_shot(&labels, k, &mut Rng::new(seed, Stream::Data));
        if labels.iter().any(|&label| count(label) < k) {
            prop_assert!(result.unwrap_err().to_string().contains("the rarest label"));
        } else {
            let chosen = result.unwrap();
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            for label in 0..4 {
                let found = chosen.iter().filter(|&&i| labels[i] == label).count();
                prop_assert_eq!(found, if count(label) == 0 { 0 } else { k });
            }
            prop_assert_eq!(k_shot(&labels, k, &mut Rng::new(seed, Stream::Data)).unwrap(), chosen);
        }
    }

    #[test]
    fn buckets_hold_everything_once_and_pad_least(
        lengths in prop::collection::vec(0..50_usize, 0..80), batch in 1..9_usize, seed: u64,
    ) {
        let batches = bucket_by_length(&lengths, batch, &mut Rng::new(seed, Stream::Data)).unwrap();
        let mut all: Vec<usize> = batches.concat();
        all.sort();
        prop_assert!(all.into_iter().eq(0..lengths.len()));
        // No batch reaches into the lengths of another.
        let mut ranges: Vec<(usize, usize)> = batches
            .iter()
            .map(|b| (b.iter().map(|&i| lengths[i]).min().unwrap(), b.iter().map(|&i| lengths[i]).max().unwrap()))
            .collect();
        ranges.sort();
        prop_assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        prop_assert!(batches.iter().filter(|b| b.len() != batch).count() <= 1);
    }
}

/// Each example is as likely as every other.
#[test]
fn k_shot_is_fair() {
    let labels = [0; 10];
    let mut counts = [0_u32; 10];
    let mut rng = Rng::new(5, Stream::Data);
    for _ in 0..3000 {
        k_shot(&labels, 3, &mut rng).unwrap().into_iter().for_each(|i| counts[i] += 1);
    }
    let sd = (3000.0 * 0.3 * 0.7_f64).sqrt();
    assert!(counts.iter().all(|&n| (f64::from(n) - 900.0).abs() <= 4.5 * sd), "{counts:?}");
    assert!(k_shot::<u8>(&[], 1, &mut rng).is_err() && k_shot(&labels, 0, &mut rng).is_err());
    assert!(bucket_by_length(&[1], 0, &mut rng).is_err());
}

#[test]
fn our_manifest_is_valid() {
    let manifest =
        Manifest::from_json(include_str!("../../../datasets/manifest.json"), "manifest.json").unwrap();
    assert!(manifest.files.len() >= 15);
    assert!(manifest.files.iter().all(|file| file.url.starts_with("https://")));
    assert!(manifest.get("tinyshakespeare").unwrap().bytes == Some(1_115_394));
    let message = manifest.get("tinyshakspeare").unwrap_err().to_string();
    assert!(message.contains("tinyshakespeare") && message.contains("newleaf data list"), "{message}");
}

#[test]
fn manifests_with_mistakes_are_refused() {
    let good = r#"{"about": "", "files": [{"name": "a", "file": "a.txt", "url": "https://a.org/a", "bytes": 3,
        "sha256": null, "licence": "", "split": "", "notes": ""}]}"#;
    let read = |json: &str| Manifest::from_json(json, "m.json").map_err(|e| e.to_string());
    assert!(read(good).is_ok());
    let twice = good.replace(
        "\"files\": [",
        "\"files\": [{\"name\": \"b\", \"file\": \"A.TXT\", \"url\": \"https://b.org\", \
        \"bytes\": null, \"sha256\": null, \"licence\": \"\", \"split\": \"\", \"notes\": \"\"},",
    );
    assert!(read(&twice).unwrap_err().contains("file 2: expected each name once, found a.txt again"));
    for (from, to, words) in [
        ("\"a.txt\"", "\"../a.txt\"", "the file name"),
        ("\"a.txt\"", "\".bashrc\"", "the file name"),
        ("\"a.txt\"", "\"-o\"", "the file name"),
        ("\"a.txt\"", "\"C:a\"", "the file name"),
        ("\"a\"", "\"A\"", "the name"),
        ("\"a\"", "\"\"", "the name"),
        ("https://a.org/a", "file:///etc/passwd", "an https URL"),
        ("https://a.org/a", "https://a.org/a\\nb", "an https URL"),
        ("\"bytes\": 3", "\"bytes\": 0", "0 bytes"),
        ("\"bytes\": 3", "\"bytes\": -1", "line 1"),
        ("\"sha256\": null", "\"sha256\": \"12\"", "64 lower-case"),
        ("\"notes\"", "\"note\"", "unknown field `note`"),
    ] {
        let message = read(&good.replace(from, to)).unwrap_err();
        assert!(message.contains("m.json") && message.contains(words), "{message}");
    }
}
