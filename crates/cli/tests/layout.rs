//! What the folders promise: a file that no list names would be left out without a word.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The modules in a folder, files and folders with a `mod.rs`, without the one that declares them.
fn modules(folder: &Path, root: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let modules =
        entries.filter(|path| path.extension().is_some_and(|it| it == "rs") || path.join("mod.rs").exists());
    modules
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .filter(|name| name != root)
        .collect()
}

/// The modules that a file declares, and the programs of its own that a manifest names.
fn declared(root: &str, manifest: &str) -> BTreeSet<String> {
    let modules = root.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let (_, tests) = manifest.split_once("[[test]]").expect("a test program");
    let programs = tests.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    modules.chain(programs).filter(|name| *name != "all").map(str::to_string).collect()
}

#[test]
fn every_file_of_integration_tests_is_run() {
    let mut crates = 0;
    for entry in fs::read_dir(workspace().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let tests = folder.join("tests");
        if tests.exists() {
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            assert!(manifest.contains("autotests = false"), "{} builds each file alone", folder.display());
            let root = fs::read_to_string(tests.join("main.rs")).unwrap();
            assert_eq!(modules(&tests, "main"), declared(&root, &manifest), "{}", tests.display());
            crates += 1;
        }
    }
    assert!(crates >= 6, "{crates} crates with tests");
}

/// The modules that a file lists in `commands! { .. }`: a line is a name, and perhaps `: kind`; headings are around
/// them.
fn listed(root: &str) -> BTreeSet<String> {
    let lines =
        root.lines().skip_while(|line| *line != "commands! {").skip(1).take_while(|line| *line != "}");
    let names = lines.map(str::trim).filter(|line| !line.ends_with(['{', '}']));
    names.map(|line| line.trim_end_matches(',').split(':').next().unwrap().to_string()).collect()
}

/// A command whose line is missing would not exist, and nothing would say so.
#[test]
fn every_file_of_a_command_is_a_line() {
    let commands = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    let folders =
        fs::read_dir(&commands).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut lists = 0;
    for folder in folders.chain([commands.clone()]) {
        let Ok(root) = fs::read_to_string(folder.join("mod.rs")) else { continue };
        let helpers = root.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        let named: BTreeSet<String> = helpers.map(str::to_string).chain(listed(&root)).collect();
        assert_eq!(modules(&folder, "mod"), named, "{}", folder.display());
        lists += usize::from(!listed(&root).is_empty());
    }
    assert!(lists >= 6, "{lists} lists of commands");
}
