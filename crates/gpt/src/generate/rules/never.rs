//! Tokens that are never chosen.

use super::rule::{Candidates, Rule, RuleKind};
use crate::config::Check;
use std::sync::Arc;

/// These tokens are never chosen: the special ones of a tokenizer, which are no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Never(pub Vec<u32>);

/// For [`super::RULES`].
pub(super) const KIND: RuleKind = RuleKind {
    name: "never",
    value: "IDS",
    help: "Never choose these tokens: ids, separated by commas",
    default: None,
    parse: |text| {
        let ids: Result<_, _> = text.split(',').map(|id| id.trim().parse()).collect();
        match ids {
            Ok(ids) => Ok(Arc::new(Never(ids))),
            Err(_) => Err("ids of tokens, separated by commas".into()),
        }
    },
};

impl Rule for Never {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, _: &[u32], candidates: &mut Candidates) {
        let never = candidates.all.iter_mut().filter(|c| self.0.contains(&c.id));
        never.for_each(|c| c.logit = f32::NEG_INFINITY);
    }

    fn adds_up(&self) -> bool {
        true
    }

    fn check(&self, _: &mut Check) {}
}
