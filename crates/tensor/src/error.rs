//! The one error that an operation can report: inputs whose shapes do not fit.

use crate::Shape;
use std::fmt;

/// Why an operation cannot take inputs of these shapes. The tape adds the operation's name, the
/// names of the inputs and all their shapes, and panics at the caller's line: a wrong shape is a
/// mistake in the program, not in its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// What was expected, in words.
    pub expected: String,
}

impl ShapeError {
    /// An error from what was expected, for example `"[.., K] and a weight [N, K]"`.
    #[must_use]
    pub fn new(expected: impl Into<String>) -> Self {
        Self { expected: expected.into() }
    }

    /// `Err(ShapeError)` unless `condition` holds.
    ///
    /// # Errors
    /// If the condition does not hold.
    pub fn unless(condition: bool, expected: &str) -> Result<(), Self> {
        if condition { Ok(()) } else { Err(Self::new(expected)) }
    }

    /// The whole message: operation, expectation, and what was found.
    pub(crate) fn message(&self, op: &str, inputs: &[(String, Shape)]) -> String {
        let found: Vec<String> = inputs.iter().map(|(name, shape)| format!("{name} {shape}")).collect();
        format!("{op}: expected {}; found {}", self.expected, found.join(", "))
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for ShapeError {}
