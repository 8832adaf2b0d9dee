//! The likeliest that reach a probability together.

use super::rule::{Candidates, Rule, RuleKind, number};
use crate::config::Check;

/// Only the likeliest are left whose probabilities reach p together, the one that crosses p included (nucleus sampling:
/// Holtzman et al. 2019, arXiv 1904.09751). 1 removes none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopP(pub f32);

/// For [`super::RULES`].
pub(super) const KIND: RuleKind = RuleKind {
    name: "top_p",
    value: "P",
    help: "Choose among the likeliest tokens that together have this probability",
    default: None,
    parse: |text| number(text, "a number above 0 and at most 1, such as 0.9", TopP),
};

impl Rule for TopP {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, _: &[u32], candidates: &mut Candidates) {
        let Self(p) = *self;
        if !(p < 1.0) {
            return;
        }
        candidates.sort();
        let enough = f64::from(p) * candidates.total();
        let mut sum = 0.0;
        let crossing = candidates.all.iter().position(|c| {
            sum += c.weight;
            sum >= enough
        });
        candidates.all.truncate(crossing.map_or(candidates.all.len(), |crossing| crossing + 1));
    }

    fn check(&self, check: &mut Check) {
        let fine = self.0 > 0.0 && self.0 <= 1.0;
        check.that(fine, KIND.name, self.0, "above 0 and at most 1", "0.9 is usual, 1 keeps all");
    }
}
