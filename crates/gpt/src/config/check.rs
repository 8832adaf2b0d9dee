//! What is wrong with settings: every problem at once, each with its remedy, before anything is allocated.

use std::fmt;

/// What is wrong with settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Values that cannot work: every one of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// A name that no setting has.
    #[error("there is no setting named {name:?}: {hint}")]
    UnknownName {
        /// The name as it was given.
        name: String,
        /// Names like it, or all names.
        hint: String,
    },
    /// A text that is not a value of the setting.
    #[error("{name} is {found:?}: expected {expected}")]
    UnreadableValue {
        /// The setting.
        name: String,
        /// The text as it was given.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A name that no preset has.
    #[error("there is no preset named {name:?}: expected one of {names}")]
    UnknownPreset {
        /// The name as it was given.
        name: String,
        /// The names of all presets.
        names: String,
    },
}

/// One setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting.
    pub field: &'static str,
    /// Its value.
    pub found: String,
    /// What it should be.
    pub expected: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: expected {}; {}", self.field, self.found, self.expected, self.remedy)
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Collects problems.
#[derive(Default)]
pub(crate) struct Check(Vec<Problem>);

impl Check {
    pub(crate) fn that(
        &mut self,
        ok: bool,
        field: &'static str,
        found: impl fmt::Display,
        expected: &str,
        remedy: &str,
    ) {
        if !ok {
            let [expected, remedy] = [expected, remedy].map(str::to_string);
            self.0.push(Problem { field, found: found.to_string(), expected, remedy });
        }
    }

    /// Applies a rule of the table of settings to a value, unless that is `None`.
    pub(super) fn value<T: Given, C>(
        &mut self,
        field: &'static str,
        value: T,
        config: &C,
        rule: impl FnOnce(&mut Found<'_, T::Value>, &C),
    ) {
        if let Some(value) = value.given() {
            rule(&mut Found { check: self, field, value }, config);
        }
    }

    pub(crate) fn done(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(self.0)) }
    }
}

/// A value that a rule looks at.
pub(super) struct Found<'a, T> {
    check: &'a mut Check,
    field: &'static str,
    pub(super) value: T,
}

impl<T: fmt::Display + Copy> Found<'_, T> {
    pub(super) fn must(&mut self, ok: bool, expected: &str, remedy: &str) {
        self.check.that(ok, self.field, self.value, expected, remedy);
    }
}

/// A setting's value, or none of it: rules are for what is given.
pub(super) trait Given {
    type Value;
    fn given(self) -> Option<Self::Value>;
}

impl<T> Given for Option<T> {
    type Value = T;
    fn given(self) -> Self {
        self
    }
}

macro_rules! given {
    ($($Value:ty)*) => {
        $(impl Given for $Value {
            type Value = Self;
            fn given(self) -> Option<Self> {
                Some(self)
            }
        })*
    };
}

given! { usize f32 f64 super::Position }

/// The rule for a size between 1 and `max`.
pub(super) fn size<C>(max: usize) -> impl FnOnce(&mut Found<'_, usize>, &C) {
    move |n, _| {
        let remedy = format!("set --{} to a number in that range", n.field.replace('_', "-"));
        n.must((1..=max).contains(&n.value), &format!("1 to {max}"), &remedy);
    }
}

/// The rule for a number that may be 0.
pub(super) fn at_least_0<T: fmt::Display + Copy + Into<f64>, C>(x: &mut Found<'_, T>, _: &C) {
    let ok = x.value.into().is_finite() && x.value.into() >= 0.0;
    x.must(ok, "a finite number, at least 0", "use 0 for none");
}

/// The rule for a probability or a decay, which is never 1.
pub(super) fn below_1<T: fmt::Display + Copy + Into<f64>, C>(
    usual: &str,
) -> impl FnOnce(&mut Found<'_, T>, &C) {
    move |x, _| x.must((0.0..1.0).contains(&x.value.into()), "at least 0 and below 1", usual)
}

/// The rule for a number that may not be 0.
pub(super) fn positive<T: fmt::Display + Copy + Into<f64>, C>(
    usual: &str,
) -> impl FnOnce(&mut Found<'_, T>, &C) {
    move |x, _| x.must(x.value.into().is_finite() && x.value.into() > 0.0, "a finite number above 0", usual)
}

/// The rule for a count of at least one; `None` is what to use instead of 0.
pub(super) fn at_least_1<C>(expected: &str, remedy: &str) -> impl FnOnce(&mut Found<'_, usize>, &C) {
    move |n, _| n.must(n.value > 0, expected, remedy)
}
