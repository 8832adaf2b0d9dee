//! What a rule is, and how it reads its setting.

use crate::DataError;

/// What a rule did to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Unchanged,
    /// It changed the text.
    Changed,
    /// The document is to be dropped.
    Dropped,
}

impl Verdict {
    /// Puts `new` in the place of the text, which may be the same.
    pub(super) fn replaced(text: &mut String, new: String) -> Self {
        if new == *text {
            return Verdict::Unchanged;
        }
        *text = new;
        Verdict::Changed
    }

    /// Dropped if `bad`, else unchanged: the verdict of a filter.
    pub(super) fn drop_if(bad: bool) -> Self {
        if bad { Verdict::Dropped } else { Verdict::Unchanged }
    }
}

/// A rule at work. It may remember what it has seen.
pub trait Rule: Send {
    /// Changes the text, or says that its document is to be dropped.
    fn apply(&mut self, text: &mut String) -> Verdict;

    /// Bytes of memory that it holds; more than none only if it remembers documents.
    fn memory(&self) -> usize {
        0
    }

    /// How many of the documents that it remembered it had to forget, to keep its memory bounded.
    fn forgotten(&self) -> u64 {
        0
    }
}

/// A setting that a rule does not understand.
pub(super) fn wrong_setting(found: &str, expected: &str) -> DataError {
    DataError::Malformed {
        what: "the rules for cleaning".into(),
        place: String::new(),
        expected: expected.into(),
        found: format!("{found:?}"),
        remedy: "see newleaf clean --help".into(),
    }
}

/// Memory of a rule that remembers documents, unless its setting says another, in megabytes.
pub(super) const MEGABYTES: usize = 100;

/// A setting that is a number of megabytes, in bytes.
pub(super) fn megabytes(setting: &str) -> Result<usize, DataError> {
    let number = setting.parse().ok().filter(|megabytes| (1..=1_000_000).contains(megabytes));
    let number: usize = number.ok_or_else(|| wrong_setting(setting, "megabytes of memory, 1 to 1000000"))?;
    Ok(number * 1_000_000)
}

/// For rules without a setting.
pub(super) fn without_setting(setting: &str, rule: impl Rule + 'static) -> Result<Box<dyn Rule>, DataError> {
    if setting.is_empty() {
        Ok(Box::new(rule))
    } else {
        Err(wrong_setting(setting, "no setting for this rule"))
    }
}
