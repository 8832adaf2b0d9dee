//! Documents, their division into parts, few-shot choices, buckets, and the manifest.

use data::DataError;
use data::dataset::{Manifest, PARTS, SplitRule, bucket_by_length, k_shot, split_file};
use data::read::{Documents, Options, RecordEnd, Records};
use proptest::prelude::*;
use random::{Rng, Stream};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn silent(_: u64, _: u64) {}

fn documents_of(path: &Path, end: RecordEnd) -> Result<Vec<(u64, String)>, DataError> {
    let mut documents = Records::open(path, end, None)?;
    let mut found = Vec::new();
    while let Some(document) = documents.next_record()? {
        found.push((document.line, document.text));
    }
    Ok(found)
}

#[test]
fn documents_and_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let mark = RecordEnd::Mark("* * *".into());
    let cases = [
        (RecordEnd::Line, "a\r\n\nb", vec![(1, "a\n"), (3, "b\n")]),
        (RecordEnd::EmptyLine, "\n\na\nb\n \n\nc\n\n", vec![(3, "a\nb\n"), (7, "c\n")]),
        (mark.clone(), "a\n\nb\n\n* * *\n\nc", vec![(1, "a\n\nb\n"), (7, "c\n")]),
        (mark.clone(), "* * *\na\n* * *\n* * *\n", vec![(2, "a\n")]),
        (
            RecordEnd::CsvRecord,
            "h,i\n1,\"a\nb\"\n\n2,\"x\"\"\ny\"\n",
            vec![(2, "1,\"a\nb\"\n"), (5, "2,\"x\"\"\ny\"\n")],
        ),
        (
            RecordEnd::TsvRecord,
            "h\ti\n5\" wide\tx\n\n\"\"\"a\nb\"\t\"\n\t\"\n\t\n",
            vec![(2, "5\" wide\tx\n"), (4, "\"\"\"a\nb\"\t\"\n\t\"\n"), (7, "\t\n")],
        ),
    ];
    for (end, text, expected) in cases {
        fs::write(&path, text).unwrap();
        let expected: Vec<(u64, String)> = expected.into_iter().map(|(l, t)| (l, t.to_string())).collect();
        assert_eq!(documents_of(&path, end).unwrap(), expected, "{text:?}");
    }
    fs::write(&path, "a,b\n1,\"2\n3,4\n").unwrap();
    let message = documents_of(&path, RecordEnd::CsvRecord).unwrap_err().to_string();
    assert!(message.contains("a.txt, line 2") && message.contains("never closed"), "{message}");
    fs::write(&path, "a\tb\n1\t\"2\n3\t4\n").unwrap();
    let message = documents_of(&path, RecordEnd::TsvRecord).unwrap_err().to_string();
    assert!(message.contains("a.txt, line 2") && message.contains("never closed"), "{message}");
    let message = documents_of(&path, mark).unwrap_err().to_string();
    assert!(message.contains("--mark"), "{message}");
    fs::write(&path, "a".repeat((64 << 20) + 1)).unwrap();
    let message = documents_of(&path, RecordEnd::Line).unwrap_err().to_string();
    assert!(message.contains("more than 64 MiB"), "{message}");
}

fn numbered(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("document number {i}")).collect()
}

fn split(dir: &Path, lines: &[String], fractions: [f64; 3], out: &str) -> BTreeMap<String, &'static str> {
    let input = dir.join("in.jsonl");
    fs::write(&input, lines.join("\n")).unwrap();
    let rule = SplitRule::new(fractions, 7).unwrap();
    let reports =
        split_file(Records::open(&input, RecordEnd::Line, None).unwrap(), &rule, &dir.join(out), &mut silent)
            .unwrap();
    let mut part_of = BTreeMap::new();
    for report in reports {
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
    for (end, between, header) in [
        (RecordEnd::Mark("***".into()), "***\n", ""),
        (RecordEnd::EmptyLine, "\n", ""),
        (RecordEnd::CsvRecord, "", "text\n"),
        (RecordEnd::TsvRecord, "", "text\n"),
    ] {
        let body = |i: usize| match end {
            RecordEnd::Mark(_) => story(i),
            RecordEnd::EmptyLine => format!("story {i}\nends\n"),
            _ => format!("\"story {i}\n\"\n"),
        };
        let input = dir.path().join("in.txt");
        let text: Vec<String> = (0..40).map(body).collect();
        fs::write(&input, header.to_string() + &text.join(between)).unwrap();
        let out = dir.path().join("parts");
        let reports =
            split_file(Records::open(&input, end.clone(), None).unwrap(), &rule, &out, &mut silent).unwrap();
        assert_eq!(reports.iter().map(|r| r.part).collect::<Vec<_>>(), ["train", "test"]);
        let mut again: Vec<String> = Vec::new();
        for report in &reports {
            let text = fs::read_to_string(&report.path).unwrap();
            assert!(text.starts_with(header) && !text.ends_with("\n\n"), "{text:?}");
            again.extend(documents_of(&report.path, end.clone()).unwrap().into_iter().map(|(_, text)| text));
        }
        again.sort();
        let mut expected = text;
        expected.sort();
        assert_eq!(again, expected);
        fs::remove_dir_all(out).unwrap();
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
    let input = dir.path().join("in.jsonl");
    fs::write(&input, "only one\n").unwrap();
    let out = dir.path().join("out");
    let split = |out: &Path| {
        split_file(Records::open(&input, RecordEnd::Line, None).unwrap(), &always, out, &mut silent)
    };
    let message = split(&out).unwrap_err().to_string();
    assert!(message.contains("1 documents, none of which falls to"), "{message}");
    assert!(split(dir.path()).unwrap_err().to_string().contains("something is there already"));
    assert!(matches!(split(&dir.path().join("no/out")), Err(DataError::Unwritable { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

proptest! {
    /// Rows are cut by two rules, one of which knows the delimiter: on tables as RFC 4180 wants them they agree.
    #[test]
    fn both_readers_find_the_same_rows(
        rows in prop::collection::vec(prop::array::uniform2("[a,;\"\n \u{4E2D}]{0,8}"), 0..6),
        delimiter in prop::sample::select(vec![',', ';', '\t']),
    ) {
        // In a TSV file a mark within a field needs no others around the field.
        let is_bare = |field: &str| delimiter == '\t' && !field.starts_with('"') && !field.contains('\n');
        let quote = |field: &str| match is_bare(field) {
            true => field.to_string(),
            false => format!("\"{}\"", field.replace('"', "\"\"")),
        };
        let mut table = format!("x{delimiter}text\r\n");
        for [x, text] in &rows {
            table += &format!("{}{delimiter}{}\r\n", quote(x), quote(text));
        }
        let end = if delimiter == '\t' { RecordEnd::TsvRecord } else { RecordEnd::CsvRecord };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, table).unwrap();
        let records = documents_of(&path, end).unwrap();
        let options = Options { delimiter: Some(delimiter as u8), ..Options::default() };
        let documents: Vec<_> = Documents::open(&path, &options).unwrap().map(Result::unwrap).collect();
        let lines_of_documents: Vec<u64> = documents.iter().map(|document| document.line).collect();
        let lines_of_records: Vec<u64> = records.into_iter().map(|(line, _)| line).collect();
        prop_assert_eq!(lines_of_records, lines_of_documents);
    }

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
