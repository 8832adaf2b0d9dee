//! Cleaning: rules that change a document or drop it, and a report of what each did.
//!
//! A [`Cleaner`] is a list of rules, applied in the order of [`RULES`]: first what changes the text (markup,
//! control characters, normal form, white space, masks), then what drops the document (empty, poor quality,
//! seen before). A rule is a file in `rules/` and a line in [`RULES`].
//!
//! Nothing here removes punctuation or stop words: a model that is to write needs both.
//!
//! ```
//! use data::clean::Cleaner;
//! let mut cleaner = Cleaner::with(&[("mask-email", ""), ("exact-duplicates", "")])?;
//! assert_eq!(cleaner.clean("Write\u{200B} to  me@example.org \r\n"), Some("Write to [EMAIL]".to_string()));
//! assert_eq!(cleaner.clean("Write to you@example.org"), None); // the same, once masked
//! let dropped: u64 = cleaner.report().rules.iter().map(|rule| rule.dropped).sum();
//! assert_eq!((cleaner.report().documents_in, cleaner.report().documents_out, dropped), (2, 1, 1));
//! # Ok::<(), data::DataError>(())
//! ```

mod generations;
mod leak;
mod minhash;
mod numbers;
mod rule;
mod rules;
mod script;

pub use leak::{Leak, LeakCheck, LeakKind, LeakReport};
pub use minhash::{BANDS, HASHES, Lsh, MinHash, ROWS, SHINGLE, Signature, similarity};
pub use rule::{Rule, Verdict};
pub use rules::{RULES, RuleKind, When};

use crate::DataError;
use serde::Serialize;

/// Counts of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule's name in [`RULES`].
    pub rule: &'static str,
    /// Documents whose text it changed.
    pub changed: u64,
    /// Documents that it dropped.
    pub dropped: u64,
}

/// What a cleaner did: `documents_in` is `documents_out` plus all that was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Documents given.
    pub documents_in: u64,
    /// Documents kept.
    pub documents_out: u64,
    /// Bytes of UTF-8 given.
    pub text_bytes_in: u64,
    /// Bytes of UTF-8 kept.
    pub text_bytes_out: u64,
    /// The rules in the order in which they are applied.
    pub rules: Vec<RuleCount>,
}

/// Rules that are applied to document after document.
pub struct Cleaner {
    rules: Vec<Box<dyn Rule>>,
    report: Report,
}

impl Cleaner {
    /// The rules that are always applied, and those named, each with its setting (empty for its default).
    ///
    /// # Errors
    /// If there is no rule of a name, or a setting makes no sense to it.
    pub fn with(wanted: &[(&str, &str)]) -> Result<Self, DataError> {
        let always = RULES.iter().filter(|kind| kind.when == When::Always).map(|kind| (kind.name, ""));
        let missing = always.filter(|(name, _)| wanted.iter().all(|(wanted, _)| wanted != name));
        Self::only(&missing.chain(wanted.iter().copied()).collect::<Vec<_>>())
    }

    /// The rules named and no others.
    ///
    /// # Errors
    /// As [`Cleaner::with`].
    pub fn only(wanted: &[(&str, &str)]) -> Result<Self, DataError> {
        if let Some((name, _)) = wanted.iter().find(|(name, _)| RULES.iter().all(|kind| kind.name != *name)) {
            let names: Vec<&str> = RULES.iter().map(|kind| kind.name).collect();
            return Err(rule::wrong_setting(name, &format!("one of the rules {}", names.join(", "))));
        }
        let mut rules = Vec::new();
        let mut counts = Vec::new();
        for kind in RULES {
            if let Some((_, setting)) = wanted.iter().find(|(name, _)| *name == kind.name) {
                rules.push((kind.build)(setting)?);
                counts.push(RuleCount { rule: kind.name, changed: 0, dropped: 0 });
            }
        }
        let report =
            Report { documents_in: 0, documents_out: 0, text_bytes_in: 0, text_bytes_out: 0, rules: counts };
        Ok(Self { rules, report })
    }

    /// The cleaned text, or none if the document is to be dropped.
    pub fn clean(&mut self, text: impl Into<String>) -> Option<String> {
        let mut text = text.into();
        self.report.documents_in += 1;
        self.report.text_bytes_in += text.len() as u64;
        for (rule, count) in self.rules.iter_mut().zip(&mut self.report.rules) {
            match rule.apply(&mut text) {
                Verdict::Unchanged => {}
                Verdict::Changed => count.changed += 1,
                Verdict::Dropped => {
                    count.dropped += 1;
                    return None;
                }
            }
        }
        self.report.documents_out += 1;
        self.report.text_bytes_out += text.len() as u64;
        Some(text)
    }

    /// What was done so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Bytes of memory held by rules that remember documents.
    pub fn memory(&self) -> usize {
        self.rules.iter().map(|rule| rule.memory()).sum()
    }

    /// Documents that rules had to forget, so that a duplicate of one of them may have been kept.
    pub fn forgotten(&self) -> u64 {
        self.rules.iter().map(|rule| rule.forgotten()).sum()
    }
}
