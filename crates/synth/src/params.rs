//! The parameters of a generator: whole numbers, shares and words, never floats.

use data::DataError;
use serde_json::{Map, Value};

/// What a parameter can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within bounds.
    Count {
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A share from 0 to 1 with at most six decimals, kept in millionths.
    Share,
    /// One of several words, kept as its place.
    Word(&'static [&'static str]),
}

/// A parameter: its name, what it can be and is by default, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in `--set NAME=VALUE`.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// Its value if it is not set.
    pub default: u64,
    /// One line for the list.
    pub about: &'static str,
}

/// One as millionths: a share of everything.
pub const ONE: u64 = 1_000_000;

/// A number from `min` to `max`.
pub(crate) const fn count(
    name: &'static str,
    default: u64,
    min: u64,
    max: u64,
    about: &'static str,
) -> Param {
    Param { name, kind: Kind::Count { min, max }, default, about }
}

/// A share; the default in millionths.
pub(crate) const fn share(name: &'static str, default: u64, about: &'static str) -> Param {
    Param { name, kind: Kind::Share, default, about }
}

/// A word; the first is the default.
pub(crate) const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Param {
    Param { name, kind: Kind::Word(words), default: 0, about }
}

impl Param {
    /// A value as it is written after `--set NAME=`.
    pub fn show(&self, value: u64) -> String {
        match self.kind {
            Kind::Count { .. } => value.to_string(),
            Kind::Word(words) => words[value as usize].to_string(),
            Kind::Share => {
                let decimals = format!("{:06}", value % ONE);
                let decimals = decimals.trim_end_matches('0');
                let point = if decimals.is_empty() { "" } else { "." };
                format!("{}{point}{decimals}", value / ONE)
            }
        }
    }

    /// What can be written there, for lists and messages.
    pub fn expected(&self) -> String {
        match self.kind {
            Kind::Count { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Share => "a share from 0 to 1 with at most six decimals, such as 0.05".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
        }
    }

    fn parse(&self, text: &str) -> Option<u64> {
        match self.kind {
            Kind::Count { min, max } => text.parse().ok().filter(|n| (min..=max).contains(n)),
            Kind::Share => parse_share(text),
            Kind::Word(words) => words.iter().position(|&w| w == text).map(|i| i as u64),
        }
    }
}

/// "0.05" in millionths, without a float.
fn parse_share(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 6 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let millionths: u64 = format!("{decimals:0<6}").parse().ok()?;
    let value = whole.parse::<u64>().ok()?.checked_mul(ONE)?.checked_add(millionths)?;
    (value <= ONE).then_some(value)
}

/// The values of a generator's parameters.
#[derive(Clone, Debug)]
pub struct Params {
    params: &'static [Param],
    values: Vec<u64>,
}

impl Params {
    /// The defaults.
    pub fn new(params: &'static [Param]) -> Params {
        Params { params, values: params.iter().map(|p| p.default).collect() }
    }

    /// Sets a parameter from text.
    ///
    /// # Errors
    /// If there is no such parameter or it cannot be that.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), DataError> {
        let Some(i) = self.params.iter().position(|p| p.name == name) else {
            let names: Vec<_> = self.params.iter().map(|p| p.name).collect();
            let expected = if names.is_empty() { "no parameters".into() } else { names.join(", ") };
            return Err(wrong(format!("the parameter {name:?}"), expected, "no such name".into()));
        };
        let param = &self.params[i];
        let bad = || wrong(format!("the parameter {name}"), param.expected(), format!("{text:?}"));
        self.values[i] = param.parse(text).ok_or_else(bad)?;
        Ok(())
    }

    /// The value of a parameter: a count, millionths of a share, the place of a word.
    ///
    /// # Panics
    /// If the generator does not have it.
    #[track_caller]
    pub fn get(&self, name: &str) -> u64 {
        let i = self.params.iter().position(|p| p.name == name);
        self.values[i.unwrap_or_else(|| panic!("no parameter {name}"))]
    }

    /// As [`Params::get`], for sizes.
    #[track_caller]
    pub fn size(&self, name: &str) -> usize {
        self.get(name) as usize
    }

    /// A share as a number from 0 to 1.
    #[track_caller]
    pub fn probability(&self, name: &str) -> f64 {
        self.get(name) as f64 / ONE as f64
    }

    /// Names and values as texts, for a specification.
    pub fn to_json(&self) -> Map<String, Value> {
        let show = |(p, &v): (&Param, &u64)| (p.name.to_string(), Value::String(p.show(v)));
        self.params.iter().zip(&self.values).map(show).collect()
    }
}

fn wrong(what: String, expected: String, found: String) -> DataError {
    let remedy = "see newleaf synth --list".into();
    DataError::Malformed { what, place: String::new(), found, expected, remedy }
}

/// Two parameters, each fine by itself, that do not go together.
pub(crate) fn conflict(what: &str, found: String, expected: &str, remedy: &str) -> DataError {
    DataError::Malformed {
        what: what.into(),
        place: String::new(),
        found,
        expected: expected.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] =
        &[count("n", 3, 1, 9, ""), share("eta", 50_000, ""), word("language", &["en", "zh"], "")];

    #[test]
    fn shares_are_exact() {
        let cases =
            [("0", 0), ("1", ONE), ("0.05", 50_000), ("0.000001", 1), ("1.000000", ONE), ("0.50", 500_000)];
        for (text, value) in cases {
            assert_eq!(parse_share(text), Some(value), "{text}");
            assert_eq!(parse_share(&PARAMS[1].show(value)), Some(value));
        }
        for text in
            ["", ".5", "1.1", "-0.1", "0.0000001", "1e-3", "nan", "0.5.5", " 0.5", "99999999999999999999"]
        {
            assert_eq!(parse_share(text), None, "{text}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let mut params = Params::new(PARAMS);
        params.set("language", "zh").unwrap();
        assert_eq!((params.get("n"), params.get("eta"), params.get("language")), (3, 50_000, 1));
        let message = |name, text| Params::new(PARAMS).set(name, text).unwrap_err().to_string();
        assert!(message("n", "10").contains("from 1 to 9"), "{}", message("n", "10"));
        assert!(message("m", "1").contains("n, eta, language"));
        assert!(message("language", "fr").contains("one of en, zh"));
    }
}
