//! Paths that are no files to read, and outputs that are no files to write.

use super::{CLEAN, CLEAN_SECOND, Case, Content, LEAK_TEST, LEAK_TRAIN, TRAIN};
use std::fs;
use std::path::Path;

const ALL: &[&str] = &[CLEAN, CLEAN_SECOND, LEAK_TRAIN, LEAK_TEST, TRAIN];

pub(super) fn inputs() -> Vec<Case> {
    vec![
        Case::with("no.txt", Content::Made(|_| true), ALL, &["FILE: ", "no such file", "check the spelling"]),
        Case::with(
            "no/a.txt",
            Content::Made(|_| true),
            ALL,
            &["FILE: ", "no such file", "check the spelling"],
        ),
        Case::with(
            "folder",
            Content::Made(|path| fs::create_dir(path).is_ok()),
            ALL,
            &["FILE: ", "directory", "cat"],
        ),
        Case::with("pipe", Content::Made(pipe), ALL, &["FILE: ", "pipe or device", "to a file first"]),
        Case::with("secret.txt", Content::Made(forbidden), ALL, &["FILE: ", "cannot be read", "permissions"]),
        Case::with("circle.txt", Content::Made(circle), ALL, &["FILE: ", "cannot be read"]),
        Case::with(
            "zeros.txt",
            Content::Made(four_gigabytes),
            &[CLEAN, LEAK_TRAIN, LEAK_TEST],
            &["FILE, byte offset 0, line 1", "zero byte", "binary"],
        ),
        #[cfg(unix)]
        Case::with("/dev/zero", Content::Elsewhere, ALL, &["FILE: ", "pipe or device", "to a file first"]),
        // A regular file whose length is not what is read from it, as of one that grows meanwhile.
        #[cfg(target_os = "linux")]
        Case::with(
            "/proc/self/status",
            Content::Elsewhere,
            ALL,
            &["FILE, byte offset 0", "changed while", "copy it"],
        ),
    ]
}

pub(super) fn outputs() -> Vec<Case> {
    let case = |file, text: &str, line: &str, words: &[&'static str]| Case::new(file, text, &[line], words);
    vec![
        case("a.txt", "text", "clean --in FILE --out FILE", &["FILE", "would replace", "another --out"]),
        case("a.txt", "text", "clean --in GOOD FILE --out GOOD", &["would replace", "another --out"]),
        case(
            "a.txt",
            "text",
            "clean --in FILE --out no/such/out.txt",
            &["no/such/out.txt: ", "make its directory"],
        ),
        case("a.txt", "text", "clean --in FILE --out .", &[".: ", "a directory", "name a file in it"]),
        case("a.txt", "text", "clean --in FILE --out ..", &["..: ", "a directory", "name a file in it"]),
        case("a.txt", "text", "clean --in FILE --out new/", &["new/: ", "a directory", "name a file in it"]),
        #[cfg(unix)]
        case(
            "a.txt",
            "text",
            "clean --in FILE --out /dev/null",
            &["/dev/null: ", "pipe or device", "name a file"],
        ),
        case("a.txt", "text", "clean --in FILE --out out.csv", &["out.csv: ", "no columns", ".jsonl"]),
        // What is there stays if the text turns out to be malformed in the end.
        case(
            "a.csv",
            "text\na\nb,c\n",
            "clean --in FILE --out GOOD",
            &["FILE, line 3", "1 field", "2 fields"],
        ),
    ]
}

#[cfg(unix)]
fn pipe(path: &Path) -> bool {
    std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
}

/// A file that may not be read. The administrator may read all.
#[cfg(unix)]
fn forbidden(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, "text").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    fs::File::open(path).is_err()
}

#[cfg(unix)]
fn circle(path: &Path) -> bool {
    std::os::unix::fs::symlink(path, path).is_ok()
}

#[cfg(not(unix))]
fn pipe(_: &Path) -> bool {
    false
}

#[cfg(not(unix))]
fn forbidden(_: &Path) -> bool {
    false
}

#[cfg(not(unix))]
fn circle(_: &Path) -> bool {
    false
}

/// Four gigabytes of zeros, of which no disk block is written.
#[cfg(unix)]
fn four_gigabytes(path: &Path) -> bool {
    fs::File::create(path).is_ok_and(|file| file.set_len(4 << 30).is_ok())
}

#[cfg(not(unix))]
fn four_gigabytes(_: &Path) -> bool {
    false
}
