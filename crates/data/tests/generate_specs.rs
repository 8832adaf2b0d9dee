//! The specifications in datasets/gen: the bytes and floors they promise come out on this machine.
//!
//! The short texts always; with `GENERATE_FULL=1` the whole ones too (take --release). They are made by
//! `newleaf generate NAME --spec FILE`.

use data::generate::{Format, GENERATORS, Spec, run};
use std::path::PathBuf;

fn specs() -> Vec<(PathBuf, Spec)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/gen");
    let paths = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let spec = serde_json::from_str(&std::fs::read_to_string(&path).unwrap());
        (path.clone(), spec.unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_generator_has_one() {
    let specs = specs();
    for entry in GENERATORS {
        let of_it = specs
            .iter()
            .any(|(path, spec)| path.file_stem().unwrap() == entry.name && spec.generator == entry.name);
        assert!(of_it, "make datasets/gen/{}.json with newleaf generate {0} --spec", entry.name);
    }
}

#[test]
fn the_bytes_are_the_same_here() {
    let full = std::env::var_os("GENERATE_FULL").is_some();
    for (path, spec) in specs() {
        let (entry, params) = spec.generator().unwrap();
        for (wanted, is_full) in [(&spec.short, false), (&spec.full, true)] {
            if is_full && !full {
                continue;
            }
            let mut out = std::io::sink();
            let report =
                run(entry, &params, spec.seed, wanted.tokens, Format::Text, &mut out, |_, _| Ok(())).unwrap();
            assert_eq!(report.sha256, wanted.sha256, "{}", path.display());
            assert_eq!(report.bytes, wanted.bytes);
            // The sums are of basic arithmetic: the same to the last bit, and the text of them exact.
            assert_eq!(report.floor_nats, spec.floor_nats, "{}", path.display());
            if is_full {
                assert!(report.agrees, "{}: {report:#?}", path.display());
                assert_eq!((report.mean_nats, report.standard_error), (spec.mean_nats, spec.standard_error));
            }
        }
        for (part, expected) in (entry.build)(&params).unwrap().floor().parts.iter().zip(&spec.parts) {
            assert_eq!((part.name, part.counted), (&expected.name[..], expected.counted));
            assert_eq!((part.nats, part.symbols), (expected.nats, expected.symbols), "{}", path.display());
        }
        assert!(spec.standard_error.is_some() && spec.sample.chars().count() > 100);
    }
}
