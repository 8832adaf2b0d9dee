//! Every generator of the registry: its mean cost is its floor, its costs are probabilities, its bytes
//! are the same everywhere.

use random::{Rng, Stream};
use std::collections::BTreeMap;
use synth::{Document, Entry, Format, GENERATORS, Layout, Measure, Params, Report, find, run};

fn report(entry: &Entry, params: &Params, seed: u64, tokens: u64) -> Report {
    let mut out = std::io::sink();
    run(entry, params, seed, tokens, Format::Text, &mut out, |_, _| Ok(())).unwrap()
}

/// Defaults, and other values of every parameter that changes what is written.
fn variants() -> Vec<(&'static Entry, Params)> {
    let more: &[(&str, &[(&str, &str)])] = &[
        ("iid-zipf", &[("symbols", "300"), ("exponent", "2"), ("offset", "3")]),
        ("markov-k", &[("order", "3"), ("symbols", "4"), ("chain", "7"), ("alpha", "2")]),
        ("golden-mean", &[("p", "0.7")]),
        ("even-process", &[("p", "0.2")]),
        ("mess3", &[("x", "0.2"), ("alpha", "0.6")]),
        ("dyck-1", &[("p", "0.3")]),
        ("dyck-k", &[("kinds", "4"), ("depth", "8"), ("p", "0.45")]),
        ("dyck-k", &[("kinds", "1"), ("depth", "1")]),
        ("induction", &[("symbols", "64"), ("length", "32")]),
        ("copy", &[("min", "3"), ("max", "3")]),
        ("add", &[("digits", "1")]),
        ("mod-add", &[("modulus", "113")]),
        ("sentiment", &[("eta", "0.1"), ("language", "zh"), ("negated", "0.5")]),
        ("sentiment", &[("eta", "0")]),
        ("scfg-zh-en", &[("synonyms", "yes")]),
        ("scfg-zh-en", &[("direction", "en-zh")]),
        ("scfg-zh-en", &[("direction", "en-zh"), ("synonyms", "yes")]),
        ("report-summary", &[("articles", "8")]),
        ("slots", &[("off_topic", "0")]),
        ("slots", &[("off_topic", "1")]),
        ("fewshot-episodes", &[("shots", "0"), ("labels", "4")]),
        ("fewshot-episodes", &[("shots", "2"), ("labels", "5"), ("classes", "held-out")]),
        ("storygen", &[("new_names", "1")]),
        ("storygen", &[("new_names", "0")]),
    ];
    let defaults = GENERATORS.iter().map(|entry| (entry, entry.defaults()));
    defaults
        .chain(more.iter().map(|(name, set)| {
            let entry = find(name).unwrap();
            (entry, entry.params(set).unwrap())
        }))
        .collect()
}

/// The name, and the parameters that are not as usual.
fn describe(entry: &Entry, params: &Params) -> String {
    let (defaults, params) = (entry.defaults().to_json(), params.to_json());
    let set = params.iter().filter(|(name, value)| defaults[*name] != **value);
    let set = set.map(|(name, value)| format!(" {name}={}", value.as_str().unwrap()));
    entry.name.to_string() + &set.collect::<String>()
}

/// With `GENERATE_TOKENS=1000000` the mean of so many symbols; `--nocapture` shows the table.
#[test]
fn the_mean_cost_is_the_floor() {
    let tokens = std::env::var("GENERATE_TOKENS").map_or(20_000, |n| n.parse().unwrap());
    println!("| generator | part | counted symbols | floor | mean | standard error | z |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (entry, params) in variants() {
        let report = report(entry, &params, 1, tokens);
        let name = describe(entry, &params);
        let counted = report.parts.iter().filter(|part| part.counted).map(|part| part.tokens).sum();
        row(&name, "all", counted, report.floor_nats, report.mean_nats, report.standard_error);
        for part in report.parts.iter().filter(|part| report.parts.len() > 1 && part.tokens > 0) {
            row("", part.name, part.tokens, part.floor_nats, part.mean_nats, part.standard_error);
        }
        assert!(report.agrees, "{name}: {report:#?}");
    }
}

fn row(name: &str, part: &str, symbols: u64, floor: f64, mean: f64, standard_error: Option<f64>) {
    let error = standard_error.unwrap_or(f64::NAN);
    let z = if mean == floor { 0.0 } else { (mean - floor) / error };
    println!("| {name} | {part} | {symbols} | {floor:.6} | {mean:.6} | {error:.6} | {z:+.2} |");
}

/// For every beginning of a document: the same next symbol costs the same whoever wrote it, and the
/// probabilities of all next symbols seen add up to no more than 1; at the start, where all were seen, to 1.
/// A choice that does not show in the text, or shows late, fails here.
#[test]
fn costs_are_conditional_probabilities() {
    for (entry, params) in variants() {
        let name = describe(entry, &params);
        let is_stream = entry.layout == Layout::Stream;
        // Streams begin anew with every generator. That of mess3 takes longer: it works out its bounds.
        let seeds = if entry.name == "mess3" { 20 } else { 300 };
        let longest = if is_stream { 6 } else { 80 };
        let mut generator = (entry.build)(&params).unwrap();
        let mut beginnings = Beginnings::new();
        for seed in 0..seeds {
            if is_stream {
                generator = (entry.build)(&params).unwrap();
            }
            let mut document = Document::default();
            generator.append(&mut Rng::new(seed, Stream::Other(5)), &mut document);
            document.truncate(longest);
            let text = document.text(generator.alphabet());
            add(&mut beginnings, &document, &format!("{name}: {text:?}"));
        }
        let totals = beginnings.iter().map(|next| next.values().map(|(nats, _)| (-nats).exp()).sum::<f64>());
        let totals: Vec<f64> = totals.collect();
        assert!(totals.iter().all(|total| *total < 1.0 + 1e-9), "{name}");
        // Of many symbols not every one came up in so few documents.
        if !["iid-zipf", "induction"].contains(&entry.name) {
            assert!((totals[0] - 1.0).abs() < 1e-9, "{name}: {} at the start", totals[0]);
        }
    }
}

/// A tree of what was written: for each beginning the next symbols, with their nats and the longer beginning.
type Beginnings = Vec<BTreeMap<u32, (f64, usize)>>;

fn add(beginnings: &mut Beginnings, document: &Document, what: &str) {
    if beginnings.is_empty() {
        beginnings.push(BTreeMap::new());
    }
    let mut at = 0;
    for (t, (&symbol, &nats)) in document.symbols.iter().zip(&document.nats).enumerate() {
        let new = beginnings.len();
        let (old, next) = *beginnings[at].entry(symbol).or_insert((nats, new));
        assert!((old - nats).abs() < 1e-9, "{what}: symbol {t} costs {old} and {nats}");
        if next == new {
            beginnings.push(BTreeMap::new());
        }
        at = next;
    }
}

/// A cost that is off by a hundredth in one state is caught, and so is a symbol that is scored too low.
#[test]
fn a_wrong_oracle_is_caught() {
    use synth::process::chain::MarkovChain;
    let entry = find("markov-k").unwrap();
    let mut documents = Vec::new();
    run(entry, &entry.defaults(), 3, 400_000, Format::Text, &mut std::io::sink(), |d, _| {
        documents.push(d.symbols.clone());
        Ok(())
    })
    .unwrap();
    let right = MarkovChain::worked();
    let verdict = |oracle: &MarkovChain| {
        let mut measure = Measure::new(right.entropy_rate());
        for text in &documents {
            let nats = oracle.score(text).unwrap();
            measure.add(nats[1..].iter().sum(), (nats.len() - 1) as f64);
        }
        (measure.agrees_with(right.entropy_rate(), 0.0, 4.0), measure.mean())
    };
    assert!(verdict(&right).0);
    // Another process: its cost is higher than the floor by a divergence.
    let other = MarkovChain::new(&[vec![6, 3, 1], vec![1, 6, 3], vec![3, 3, 4]]);
    assert!(!verdict(&other).0, "{}", verdict(&other).1);
    // The chain read one symbol late, the bug of shifted labels.
    let mut shifted = Measure::new(right.entropy_rate());
    for text in &documents {
        let late: Vec<u32> = text.iter().step_by(2).copied().collect();
        let nats = right.score(&late).unwrap();
        shifted.add(nats[1..].iter().sum(), (nats.len() - 1) as f64);
    }
    assert!(!shifted.agrees_with(right.entropy_rate(), 0.0, 4.0));
    // A leak: a twentieth of the symbols known beforehand.
    let mut leak = Measure::new(right.entropy_rate());
    for text in &documents {
        let nats = right.score(text).unwrap();
        let seen: f64 = nats[1..].iter().enumerate().filter(|(t, _)| t % 20 != 0).map(|(_, n)| n).sum();
        leak.add(seen, (nats.len() - 1) as f64);
    }
    assert!(!leak.agrees_with(right.entropy_rate(), 0.0, 4.0) && leak.mean() < right.entropy_rate());
}

#[test]
fn names_and_aliases_are_unique() {
    let mut names: Vec<&str> =
        GENERATORS.iter().flat_map(|e| [e.name].into_iter().chain(e.aliases.iter().copied())).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(find("nothing").unwrap_err().to_string().contains("storygen"));
}

/// A generator is a file in the registry: one that was forgotten fails here.
#[test]
fn every_file_is_registered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
    let registry = std::fs::read_to_string(format!("{folder}/mod.rs")).unwrap();
    let registry = registry.split("\nregistry! {").nth(1).unwrap().split('}').next().unwrap();
    let lines = registry.lines().filter(|line| !line.trim_start().starts_with("//"));
    let listed: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        assert!(module == "mod" || listed.contains(&module), "{module} is not in the registry");
    }
}
