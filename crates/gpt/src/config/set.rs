//! Settings by name and text, for the command line.

use super::{Config, ConfigError, FIELDS};

impl Config {
    /// Sets one setting by its name, with underscores or dashes, from text. The value is only parsed
    /// here; whether settings fit together is for [`Config::validate`] to say, when all are set.
    ///
    /// # Errors
    /// If there is no such setting (the message has names like it) or the text is not a value of it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let (key, value) = (name.trim_start_matches('-').replace('-', "_"), value.trim());
        match self.model.read(&key, value).or_else(|| self.train.read(&key, value)) {
            None => Err(ConfigError::UnknownName { name: name.to_string(), hint: close_names(&key) }),
            Some(done) => done.map_err(|expected| ConfigError::UnreadableValue {
                name: key,
                found: value.to_string(),
                expected,
            }),
        }
    }
}

/// "did you mean ..." with the settings that could have been meant, or all of them.
fn close_names(name: &str) -> String {
    // Three edits, but fewer in a short name: "lr" is not "eps".
    let tolerance = (name.chars().count() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = FIELDS
        .iter()
        .map(|field| {
            let part = name.len() >= 3 && (field.name.contains(name) || name.contains(field.name));
            (if part { 0 } else { edit_distance(name, field.name) }, field.name)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .collect();
    close.sort();
    let names = |all: &mut dyn Iterator<Item = &str>| all.collect::<Vec<_>>().join(", ");
    match close.len() {
        0 => format!("expected one of {}", names(&mut FIELDS.iter().map(|field| field.name))),
        _ => format!("did you mean {}?", names(&mut close.iter().take(4).map(|(_, name)| *name))),
    }
}

/// Levenshtein's distance: the fewest characters to insert, delete or replace.
pub(super) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect(); // distances of a prefix of a to the prefixes of b
    for (i, a) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
