//! The file of results: a number a line.

use super::{Claim, Result};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// A measured number.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The claim.
    pub claim: String,
    /// What it was measured with; numbers of other settings are no numbers of the claim.
    pub settings: String,
    /// Of this case.
    pub case: String,
    /// With this seed.
    pub seed: u64,
    /// What was measured.
    pub quantity: String,
    /// The number.
    pub value: f64,
    /// On this machine.
    pub machine: String,
}

impl Line {
    fn parse(line: &str) -> Result<Line> {
        let [claim, case, seed, quantity, value, machine, settings] =
            line.split('\t').collect::<Vec<_>>()[..]
        else {
            let expected = "CLAIM, CASE, SEED, QUANTITY, VALUE, MACHINE, SETTINGS with tabs between";
            return Err(format!("{line:?} is not {expected}").into());
        };
        Ok(Line {
            claim: claim.into(),
            settings: settings.into(),
            case: case.into(),
            seed: seed.parse()?,
            quantity: quantity.into(),
            value: value.parse()?,
            machine: machine.into(),
        })
    }
}

/// All numbers of a file, none if it is not there yet.
///
/// # Errors
/// If it cannot be read, or has a line that is none of ours.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().map(Line::parse).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// Appends what was measured, all of it or nothing.
///
/// # Errors
/// If the disk fails.
pub fn append<S: AsRef<str>>(
    path: &Path,
    claim: &Claim,
    case: &str,
    seed: u64,
    values: &[(S, f64)],
    machine: &str,
) -> Result<()> {
    let (name, settings) = (claim.name, (claim.settings)());
    let line = |(quantity, value): &(S, f64)| {
        let quantity = quantity.as_ref();
        format!("{name}\t{case}\t{seed}\t{quantity}\t{value}\t{machine}\t{settings}\n")
    };
    let text: String = values.iter().map(line).collect();
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// The numbers of one claim, measured with the settings that it has now.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    lines: Vec<Line>,
}

impl Runs {
    /// Of all numbers those of a claim.
    #[must_use]
    pub fn of(claim: &Claim, lines: &[Line]) -> Runs {
        let settings = (claim.settings)();
        let is_of = |line: &&Line| line.claim == claim.name && line.settings == settings;
        Runs { lines: lines.iter().filter(is_of).cloned().collect() }
    }

    /// Whether a case was measured with a seed.
    #[must_use]
    pub fn has(&self, case: &str, seed: u64) -> bool {
        self.lines.iter().any(|line| line.case == case && line.seed == seed)
    }

    /// The numbers of a quantity, seed by seed.
    #[must_use]
    pub fn values(&self, case: &str, quantity: &str) -> Vec<(u64, f64)> {
        let is_of = |line: &&Line| line.case == case && line.quantity == quantity;
        self.lines.iter().filter(is_of).map(|line| (line.seed, line.value)).collect()
    }

    /// Their mean and spread, if there are any.
    #[must_use]
    pub fn summary(&self, case: &str, quantity: &str) -> Option<Summary> {
        Summary::of(self.values(case, quantity).into_iter().map(|(_, value)| value))
    }

    /// The differences between two cases, taken seed by seed.
    #[must_use]
    pub fn difference(&self, case: &str, other: &str, quantity: &str) -> Option<Summary> {
        let others = self.values(other, quantity);
        let of = |(seed, value): (u64, f64)| {
            others.iter().find(|(other, _)| *other == seed).map(|(_, other)| value - other)
        };
        Summary::of(self.values(case, quantity).into_iter().filter_map(of))
    }

    /// Seconds of the processor that all of it took.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.lines.iter().filter(|line| line.quantity == "cpu_seconds").map(|line| line.value).sum()
    }

    /// The machines that it was measured on.
    #[must_use]
    pub fn machines(&self) -> Vec<&str> {
        let mut machines: Vec<&str> = self.lines.iter().map(|line| line.machine.as_str()).collect();
        machines.sort_unstable();
        machines.dedup();
        machines
    }
}

/// A mean of several seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the single numbers; none of one.
    pub deviation: Option<f64>,
    /// How many there are.
    pub count: usize,
}

impl Summary {
    /// Of numbers; none of none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Summary> {
        let values: Vec<f64> = values.into_iter().collect();
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count as f64 - 1.0)).sqrt());
        (count > 0).then_some(Summary { mean, deviation, count })
    }

    /// As text, each number shown by `show`; a spread of nothing is not mentioned.
    #[must_use]
    pub fn shown(&self, show: impl Fn(f64) -> String) -> String {
        match self.deviation.filter(|deviation| *deviation > 0.0) {
            Some(deviation) => format!("{} ± {}", show(self.mean), show(deviation)),
            None => show(self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::CLAIMS;

    #[test]
    fn what_was_appended_is_read_and_other_settings_do_not_count() {
        let path = std::env::temp_dir().join(format!("scoreboard-results-{}.tsv", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let claim = &CLAIMS[0];
        append(&path, claim, "a case", 3, &[("accuracy", 0.5), ("cpu_seconds", 2.0)], "a machine").unwrap();
        append(&path, claim, "a case", 4, &[("accuracy", 0.7), ("cpu_seconds", 1.0)], "a machine").unwrap();
        let mut lines = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let runs = Runs::of(claim, &lines);
        assert!(runs.has("a case", 3) && !runs.has("a case", 5) && !runs.has("other", 3));
        assert_eq!(runs.seconds(), 3.0);
        assert_eq!(runs.summary("a case", "accuracy").unwrap().shown(|x| format!("{x:.2}")), "0.60 ± 0.14");
        lines.iter_mut().for_each(|line| line.settings.push('!'));
        assert!(!Runs::of(claim, &lines).has("a case", 3));
    }

    #[test]
    fn differences_are_taken_seed_by_seed() {
        let line = |case: &str, seed, value| Line {
            claim: String::new(),
            settings: String::new(),
            case: case.into(),
            seed,
            quantity: "q".into(),
            value,
            machine: String::new(),
        };
        let runs =
            Runs { lines: vec![line("a", 1, 5.0), line("a", 2, 7.0), line("b", 2, 3.0), line("b", 1, 2.0)] };
        let difference = runs.difference("a", "b", "q").unwrap();
        assert_eq!((difference.mean, difference.count), (3.5, 2));
        assert_eq!(runs.difference("a", "c", "q"), None);
    }
}
