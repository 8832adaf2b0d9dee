//! What differs: between runs, or between a run and its preset.

use super::record::Record;
use super::words::{grouped, settings};
use gpt::machine::Machine;
use serde_json::{Map, Value};

/// A name, and a value for each run.
pub(super) type Facts = Vec<(String, Vec<String>)>;

/// Everything about the runs that is no measurement: data, machine, command.
pub(super) fn origins(records: &[Record]) -> Facts {
    let of = |name: &str, value: &dyn Fn(&Record) -> String| {
        (name.to_string(), records.iter().map(value).collect())
    };
    vec![
        of("data", &|r| r.info.data.path.clone()),
        of("bytes of data", &|r| grouped(r.info.data.bytes)),
        of("sha256 of data", &|r| r.info.data.sha256.clone()),
        of("preset", &|r| r.preset().name().to_string()),
        of("command", &|r| r.info.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
        of("begun", &|r| r.info.started.clone()),
        of("newleaf", &|r| r.info.version.clone()),
        of("machine", &|r| machine(&r.info.machine)),
    ]
}

fn machine(machine: &Machine) -> String {
    let memory = machine
        .memory
        .map_or(String::new(), |bytes| format!(", {:.1} GiB", bytes as f64 / (1u64 << 30) as f64));
    let Machine { cpu, cores, threads, simd, os, .. } = machine;
    format!("{cpu}, cores: {cores}, threads: {threads}, {simd}, {os}{memory}")
}

/// A word of a command line as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// All settings.
pub(super) fn all_settings(records: &[Record]) -> Facts {
    let columns: Vec<_> = records.iter().map(|record| settings(&record.info.config)).collect();
    let names = columns.first().map(|column| column.iter().map(|setting| setting.0).collect::<Vec<_>>());
    let values = |i: usize| columns.iter().map(|column| column[i].1.clone()).collect();
    names.unwrap_or_default().into_iter().enumerate().map(|(i, name)| (name.to_string(), values(i))).collect()
}

/// The settings of one run that are not those of its preset, with both values.
pub(super) fn from_preset(record: &Record) -> Facts {
    let (ours, preset) = (settings(&record.info.config), settings(&record.default_config()));
    let pairs = ours.into_iter().zip(preset);
    pairs
        .filter(|(ours, its)| ours.1 != its.1)
        .map(|(ours, its)| (ours.0.to_string(), vec![ours.1, its.1]))
        .collect()
}

/// The settings, data and machines that are not the same for all runs.
pub(super) fn differences(records: &[Record]) -> Facts {
    let same_by_chance = ["command", "begun"]; // which differ without telling anything
    let origins = origins(records).into_iter().filter(|fact| !same_by_chance.contains(&fact.0.as_str()));
    let facts = all_settings(records).into_iter().chain(origins);
    facts.filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

/// The same as a JSON object: the name, and the values in the order of the runs. Of one run, its own value and the preset's.
pub(super) fn json(records: &[Record]) -> Value {
    let facts = if let [record] = records { from_preset(record) } else { differences(records) };
    Value::Object(facts.into_iter().map(|(name, values)| (name, values.into())).collect::<Map<_, _>>())
}

/// Why the losses of several runs cannot be compared, if so.
pub(super) fn incomparable(records: &[Record]) -> Option<String> {
    let differs = differences(records);
    let names: Vec<&str> = ["sha256 of data", "vocab_size", "objective"]
        .into_iter()
        .filter(|name| differs.iter().any(|fact| fact.0 == *name))
        .map(|name| if name == "sha256 of data" { "data" } else { name })
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "The runs differ in {}: their losses per token are those of different tasks. With the same text but another \
             tokenizer, bits per character can be compared.",
            names.join(" and ")
        )
    })
}
