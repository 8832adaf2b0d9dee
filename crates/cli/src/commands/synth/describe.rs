//! What is said about generators and the texts they wrote: lists, a summary, JSON.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use synth::{Entry, GENERATORS, Layout, Params, PartReport, Report};

/// All that is known of a text, for `--json`.
pub(super) fn to_json(entry: &Entry, params: &Params, seed: u64, report: &Report) -> Value {
    let part = |part: &PartReport| {
        json!({
            "name": part.name,
            "counted": part.counted,
            "floor_nats": part.floor_nats,
            "mean_nats": part.mean_nats,
            "standard_error": part.standard_error,
            "tokens": part.tokens,
        })
    };
    let fact = |&(name, value): &(&str, f64)| (name.to_string(), value.into());
    json!({
        "generator": entry.name,
        "parameters": params.to_json(),
        "seed": seed,
        "floor_nats": report.floor_nats,
        "mean_nats": report.mean_nats,
        "standard_error": report.standard_error,
        "agrees": report.agrees,
        "method": report.floor.method.name(),
        "floor_error": report.floor.error(),
        "tokens": report.tokens,
        "documents": if entry.layout == Layout::Stream { Value::Null } else { report.documents.into() },
        "bytes": report.bytes,
        "sha256": report.sha256,
        "parts": report.parts.iter().map(part).collect::<Vec<_>>(),
        "facts": report.facts.iter().map(fact).collect::<Map<_, _>>(),
    })
}

/// The same for people.
pub(super) fn summary(report: &Report) -> String {
    let error = report.standard_error.map_or("unknown".into(), |se| format!("{se:.6}"));
    let mut text = format!(
        "floor {:.6} nats a symbol ({}), mean here {:.6}, standard error {error}; {} symbols, {} bytes, sha256 {}",
        report.floor_nats,
        report.floor.method.name(),
        report.mean_nats,
        report.tokens,
        report.bytes,
        report.sha256
    );
    for part in report.parts.iter().filter(|part| part.tokens > 0 && report.parts.len() > 1) {
        let counted = if part.counted { "" } else { " (not counted)" };
        let (name, floor, mean) = (part.name, part.floor_nats, part.mean_nats);
        let _ =
            write!(text, "\n  {name:<16} floor {floor:.6}, mean {mean:.6}, {} symbols{counted}", part.tokens);
    }
    for (name, value) in &report.facts {
        let _ = write!(text, "\n  {name:<32} {value:.6}");
    }
    text
}

/// The generators with their parameters.
pub(super) fn list() -> String {
    let mut text = String::new();
    for entry in GENERATORS {
        let aliases = entry.aliases.iter().map(|alias| format!(", {alias}")).collect::<String>();
        let _ = writeln!(text, "{}{aliases} ({})\n    {}", entry.name, entry.layout.name(), entry.about);
        for param in entry.parameters {
            let (name, about, default) = (param.name, param.about, param.show(param.default));
            let _ = writeln!(text, "    --set {name}={default}  {about}: {}", param.expected());
        }
    }
    text
}

/// The same for programs.
pub(super) fn list_json() -> String {
    let entry = |entry: &Entry| {
        json!({
            "name": entry.name,
            "aliases": entry.aliases,
            "layout": entry.layout.name(),
            "about": entry.about,
            "parameters": entry.defaults().to_json(),
        })
    };
    format!("{}\n", Value::from(GENERATORS.iter().map(entry).collect::<Vec<_>>()))
}
