//! Numbers, and values of settings, as they are read by people.

use gpt::config::{Config, FIELDS, Group};
use serde_json::Value;

/// What begins every file of this command: it replaces no others.
pub(super) const MARKER: &str = "newleaf report";

/// A loss or bits.
pub(super) fn loss(value: f64) -> String {
    if value.abs() < 1e4 { format!("{value:.4}") } else { format!("{value:.2e}") }
}

/// A whole number with commas.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// Seconds as a duration.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// The name of a run in a picture of several: A, B, ...
pub(super) fn letter(number: usize) -> String {
    char::from(b'A' + (number % 26) as u8).to_string()
}

/// Every setting: its name and its value.
pub(super) fn settings(config: &Config) -> Vec<(&'static str, String)> {
    // By way of text: a value would make 0.20000000298 of an f32's 0.2.
    let text = serde_json::to_string(config).unwrap_or_default();
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let group = |group: Group| match group {
        Group::Model => "model",
        Group::Train => "train",
    };
    FIELDS.iter().map(|field| (field.name, plain(&value[group(field.group)][field.name]))).collect()
}

/// A value without the quotes of JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpt::config::Preset;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.04, 59.4, 61.0, 7384.0].map(duration), ["0.0 s", "59.4 s", "1 min 1 s", "2 h 3 min"]);
        assert_eq!([1.46961, 1e9].map(loss), ["1.4696", "1.00e9"]);
    }

    #[test]
    fn every_setting_is_named_and_has_a_value() {
        let settings = settings(&Preset::Baby.config(65));
        assert_eq!(settings.len(), FIELDS.len());
        let of = |name: &str| settings.iter().find(|setting| setting.0 == name).unwrap().1.clone();
        assert_eq!((of("dropout"), of("n_layer"), of("patience")), ("0.2".into(), "6".into(), "none".into()));
        assert!(of("optimizer") == "adamw" && of("objective") == "clm");
        // A field that is missing in the JSON would read "none": only those that may be none do.
        let none = settings.iter().filter(|setting| setting.1 == "none").map(|setting| setting.0);
        let optional =
            ["attn_dropout", "n_kv_head", "window", "span_length", "micro_batch", "beta2_tokens", "patience"];
        none.for_each(|name| assert!(optional.contains(&name), "{name}"));
    }
}
