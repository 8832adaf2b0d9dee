//! The k likeliest.

use super::rule::{Candidates, Rule, RuleKind, by_rank, number};
use crate::config::Check;

/// Only the k likeliest are left (of equals, the lower id). 0 removes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK(pub usize);

/// For [`super::RULES`].
pub(super) const KIND: RuleKind = RuleKind {
    name: "top_k",
    value: "K",
    help: "Choose among the K likeliest tokens only",
    default: None,
    parse: |text| number(text, "a whole number, such as 40", TopK),
};

impl Rule for TopK {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, _: &[u32], candidates: &mut Candidates) {
        let Self(k) = *self;
        if k > 0 && k < candidates.all.len() {
            candidates.all.select_nth_unstable_by(k - 1, by_rank);
            candidates.all.truncate(k);
        }
    }

    fn check(&self, _: &mut Check) {}
}
