//! Those likely enough beside the likeliest.

use super::rule::{Candidates, Rule, RuleKind, number};
use crate::config::Check;

/// Only those at least p times as likely as the likeliest are left (Nguyen et al. 2024, arXiv 2407.01082). 0 removes none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinP(pub f32);

/// For [`super::RULES`].
pub(super) const KIND: RuleKind = RuleKind {
    name: "min_p",
    value: "P",
    help: "Drop tokens less likely than this share of the likeliest one",
    default: None,
    parse: |text| number(text, "a number from 0 to 1, such as 0.05", MinP),
};

impl Rule for MinP {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, _: &[u32], candidates: &mut Candidates) {
        // The likeliest weighs 1; it stays whatever p is.
        let least = f64::from(self.0).min(1.0);
        candidates.all.retain(|c| !(c.weight < least));
    }

    fn check(&self, check: &mut Check) {
        let fine = (0.0..=1.0).contains(&self.0);
        check.that(fine, KIND.name, self.0, "0 to 1", "0.05 is usual, 0 keeps all");
    }
}
