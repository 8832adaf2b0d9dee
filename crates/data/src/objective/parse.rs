//! Objectives as text: `clm`, `mix=clm:.5,mlm:.5`.

use super::{Entry, OBJECTIVES, ObjectiveSettings};
use crate::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An objective or a mixture of several, as it is written on the command line.
///
/// ```
/// use data::objective::Objective;
/// let mixture: Objective = "mix=clm:2,mlm:1,span:1".parse()?;
/// let shares: Vec<(&str, f64)> = mixture.parts().collect();
/// assert_eq!(shares, [("clm", 0.5), ("mlm", 0.25), ("span", 0.25)]);
/// assert_eq!(mixture.to_string().parse::<Objective>()?, mixture);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Objective {
    /// With the weights as they were written.
    pub(super) parts: Vec<(Entry, f64)>,
}

impl Objective {
    /// The names of the objectives and their shares of the rows, which add up to 1.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let total: f64 = self.parts.iter().map(|(_, weight)| weight).sum();
        self.parts.iter().map(move |(entry, weight)| (entry.name, weight / total))
    }

    /// Whether it is `clm` and nothing else: the batches of a plain language model.
    pub fn is_clm(&self) -> bool {
        matches!(self.parts[..], [(entry, _)] if entry.name == "clm")
    }

    /// The names of the special tokens that rows of `block_size` positions need, each once.
    pub fn specials(&self, settings: &ObjectiveSettings, block_size: usize) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.parts.iter().flat_map(|(entry, _)| (entry.specials)(settings, block_size)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Default for Objective {
    /// `clm`: predict each next token.
    fn default() -> Objective {
        "clm".parse().expect("the name of an objective")
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(entry, _)] = &self.parts[..] {
            return f.write_str(entry.name);
        }
        for (i, (entry, weight)) in self.parts.iter().enumerate() {
            write!(f, "{}{}:{weight}", if i == 0 { "mix=" } else { "," }, entry.name)?;
        }
        Ok(())
    }
}

impl FromStr for Objective {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Objective, DataError> {
        let Some(list) = text.strip_prefix("mix=") else {
            return Ok(Objective { parts: vec![(find(text)?, 1.0)] });
        };
        let mut parts: Vec<(Entry, f64)> = Vec::new();
        for part in list.split(',') {
            let (name, weight) = part.split_once(':').ok_or_else(|| {
                wrong(format!("{part:?} in the mixture {text:?}"), "NAME:WEIGHT, such as clm:.5".into())
            })?;
            let entry = find(name.trim())?;
            if parts.iter().any(|(other, _)| *other == entry) {
                return Err(wrong(format!("{name:?} twice in {text:?}"), "each objective once".into()));
            }
            let weight = weight.trim().parse().ok().filter(|&w: &f64| 0.0 < w && w <= 1e9);
            let weight = weight.ok_or_else(|| {
                wrong(format!("{part:?} in the mixture {text:?}"), "a weight above 0 after the colon".into())
            })?;
            parts.push((entry, weight));
        }
        Ok(Objective { parts })
    }
}

impl TryFrom<String> for Objective {
    type Error = DataError;

    fn try_from(text: String) -> Result<Objective, DataError> {
        text.parse()
    }
}

impl From<Objective> for String {
    fn from(objective: Objective) -> String {
        objective.to_string()
    }
}

fn find(name: &str) -> Result<Entry, DataError> {
    if name.starts_with("mix=") {
        return Err(wrong(
            format!("{name:?} inside a mixture"),
            "objectives, not mixtures of mixtures".into(),
        ));
    }
    OBJECTIVES.iter().find(|entry| entry.name == name).copied().ok_or_else(|| {
        let names: Vec<&str> = OBJECTIVES.iter().map(|entry| entry.name).collect();
        wrong(format!("{name:?}"), format!("one of {}, or a mixture", names.join(", ")))
    })
}

fn wrong(found: String, expected: String) -> DataError {
    DataError::Malformed {
        what: "the objective".into(),
        place: String::new(),
        found,
        expected,
        remedy: "write for instance clm, or mix=clm:.5,mlm:.25,span:.25".into(),
    }
}
