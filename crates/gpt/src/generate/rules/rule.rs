//! What a rule is, and what it works on.

use crate::config::Check;
use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

/// One step on the way to the next token.
pub trait Rule: Debug + Send + Sync {
    /// Its name, as in its [`RuleKind`].
    fn name(&self) -> &'static str;

    /// Changes the candidates for the token after `history`, which holds the prompt and what was generated since.
    fn apply(&self, history: &[u32], candidates: &mut Candidates);

    /// Whether a sampler may have several of these, instead of the last one alone.
    fn adds_up(&self) -> bool {
        false
    }

    /// Notes every value that makes no sense. [`Rule::apply`] is defined for those, too.
    fn check(&self, check: &mut Check);
}

/// What a program needs to offer a rule.
#[derive(Clone, Copy, Debug)]
pub struct RuleKind {
    /// Its name: that of the flag, with underscores.
    pub name: &'static str,
    /// What stands for its value in a help text.
    pub value: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// The value where nobody says one; `None`: the rule does not take part.
    pub default: Option<&'static str>,
    /// The rule with the value of a text, or what was expected instead.
    pub parse: fn(&str) -> Result<Arc<dyn Rule>, String>,
}

/// A rule from the text of a number.
pub(super) fn number<T: std::str::FromStr, R: Rule + 'static>(
    text: &str,
    expected: &str,
    rule: impl Fn(T) -> R,
) -> Result<Arc<dyn Rule>, String> {
    match text.trim().parse() {
        Ok(value) => Ok(Arc::new(rule(value))),
        Err(_) => Err(expected.into()),
    }
}

/// A token that may be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The token.
    pub id: u32,
    /// Its score: the model's logit, until a rule changes it. Never NaN.
    pub logit: f32,
    /// Its probability but for a common factor, once [`Temperature`](super::Temperature) has been applied; the likeliest weighs 1.
    pub weight: f64,
}

/// The tokens that may be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    /// Each of them, in any order.
    pub all: Vec<Candidate>,
    /// Whether nothing is left to chance: then no random number is drawn.
    pub certain: bool,
}

impl Candidates {
    /// Every token of the vocabulary. NaN counts as minus infinity, plus infinity as the largest number, so that differences
    /// are defined.
    #[must_use]
    pub fn new(logits: &[f32]) -> Self {
        let ordered = |logit: f32| if logit.is_nan() { f32::NEG_INFINITY } else { logit.min(f32::MAX) };
        let candidate = |(id, &logit): (u32, &f32)| Candidate { id, logit: ordered(logit), weight: 1.0 };
        Self { all: (0..).zip(logits).map(candidate).collect(), certain: false }
    }

    /// The likelier first; of equals, the lower id. No two candidates are equal in this order.
    pub fn sort(&mut self) {
        self.all.sort_unstable_by(by_rank);
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.all.iter().map(|c| c.weight).sum()
    }
}

pub(super) fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.id.cmp(&b.id))
}
