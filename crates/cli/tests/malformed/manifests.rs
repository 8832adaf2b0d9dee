//! Lists of public files for `newleaf data`, and lists of checksums.

use super::Case;
use serde_json::{Value, json};

const READERS: &[&str] = &[
    "data list --manifest FILE",
    "data verify DIR --manifest FILE",
    "data fetch a --manifest FILE --dir OUT",
];

fn case(bytes: impl Into<Vec<u8>>, words: &[&'static str]) -> Case {
    Case::new("m.json", bytes, READERS, &[&["FILE"], words].concat())
}

pub(super) fn whole_files() -> Vec<Case> {
    let correct = "correct the manifest; datasets/manifest.json is an example";
    vec![
        case("", &["empty file", "check how it was made"]),
        case("{\n", &["line 2", "EOF", correct]),
        case("[]", &["line 1", "a manifest of data files", correct]),
        case("{\"about\": \"\"}", &["line 1", "missing field `files`", correct]),
        case("{\"about\": \"\", \"files\": {}}", &["line 1", "expected a sequence", correct]),
        case(b"{\"about\": \"\xFF\"".as_slice(), &["byte offset 11, line 1", "iconv"]),
    ]
}

/// A manifest of one file, good but for a field.
pub(super) fn one_entry() -> Vec<Case> {
    let entry = |field: &str, value: Value| {
        let mut entry = json!({
            "name": "a", "file": "a.txt", "url": "https://example.org/a", "bytes": 1, "sha256": null,
            "licence": "", "split": "", "notes": "",
        });
        entry[field] = value;
        entry
    };
    let with = |field: &str, value: Value, words: &[&'static str]| {
        let manifest = json!({"about": "", "files": [entry(field, value)]}).to_string();
        case(manifest, &[words, &["correct the manifest"]].concat())
    };
    let twice = json!({"about": "", "files": [entry("name", "a".into()), entry("name", "a".into())]});
    vec![
        with("name", "A b".into(), &["file 1", "lower-case letters", "the name \"A b\""]),
        with("file", "../a".into(), &["file 1", "the file name \"../a\""]),
        with("url", "ftp://example.org".into(), &["file 1", "an https URL", "ftp://"]),
        with("sha256", "zz".into(), &["file 1", "64 lower-case hexadecimal digits", "\"zz\""]),
        with("bytes", 0.into(), &["file 1", "0 bytes"]),
        with("bytes", (-1).into(), &["line 1", "integer `-1`"]),
        with("extra", 1.into(), &["line 1", "unknown field `extra`"]),
        case(twice.to_string(), &["file 2", "a again", "each name once", "correct the manifest"]),
    ]
}

pub(super) fn checksums() -> Vec<Case> {
    let case = |bytes: &[u8], words: &[&'static str]| {
        Case::new("sums/SHA256SUMS", bytes, &["data verify DIR"], &[&["FILE"], words].concat())
    };
    let outside = format!("{}  ../x\n", "0".repeat(64));
    vec![
        case(
            b"\nabc  x\n",
            &["line 2", "a SHA-256, two spaces", "\"abc  x\"", "make the file again with sha256sum"],
        ),
        case(outside.as_bytes(), &["line 1", "a file below", "make the file again with sha256sum"]),
        case(b"\xFF", &["byte offset 0, line 1", "iconv"]),
    ]
}
