//! What a report is before it is written.

use super::figures::Figure;
use serde_json::Value;

/// What is to be written and said.
pub(super) struct Report {
    /// HTML.
    pub(super) page: String,
    /// The pictures of the page.
    pub(super) figures: Vec<Figure>,
    /// For people.
    pub(super) lines: String,
    /// Fields for programs.
    pub(super) json: Value,
}
