//! The specifications in datasets/gen: the bytes and floors they promise come out on this machine.
//!
//! The short texts always; with `GENERATE_FULL=1` the whole ones too (take --release). They are made by
//! `newleaf synth NAME --spec FILE`.

use std::path::PathBuf;
use synth::{Format, GENERATORS, Spec, run};

/// The files with their texts.
fn specs() -> Vec<(PathBuf, String, Spec)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/gen");
    let paths = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let spec = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, text, spec)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_generator_has_one() {
    let specs = specs();
    for entry in GENERATORS {
        let of_it = |(path, _, spec): &(PathBuf, String, Spec)| {
            path.file_stem().unwrap() == entry.name && spec.generator == entry.name
        };
        assert!(
            specs.iter().any(of_it),
            "make datasets/gen/{}.json with newleaf synth {0} --spec",
            entry.name
        );
    }
}

#[test]
fn the_bytes_are_the_same_here() {
    for (path, _, spec) in specs() {
        let (entry, params) = spec.generator().unwrap();
        let (seed, short) = (spec.seed, &spec.short);
        let mut text = Vec::new();
        let report = run(entry, &params, seed, short.tokens, Format::Text, &mut text, |_, _| Ok(())).unwrap();
        assert_eq!((&report.sha256, report.bytes), (&short.sha256, short.bytes), "{}", path.display());
        assert!(
            String::from_utf8(text).unwrap().starts_with(&spec.sample) && spec.sample.chars().count() > 100
        );
        assert!((report.floor_nats - spec.floor_nats).abs() < 1e-12, "{}", path.display());
        let agrees =
            (spec.mean_nats - spec.floor_nats).abs() <= 4.0 * spec.standard_error.unwrap() + spec.floor_error;
        assert!(agrees, "{}", path.display());
    }
}

/// The sums are of + - * / and sqrt: the whole file is the same to its last digit.
#[test]
fn the_whole_files_come_out_again() {
    if std::env::var_os("GENERATE_FULL").is_none() {
        return; // minutes without --release
    }
    for (path, text, spec) in specs() {
        let (entry, params) = spec.generator().unwrap();
        let again = Spec::new(entry, &params, spec.seed, spec.full.tokens, |_| Ok(())).unwrap();
        let again = serde_json::to_string_pretty(&again).unwrap() + "\n";
        assert_eq!(again, text, "{}", path.display());
    }
}
