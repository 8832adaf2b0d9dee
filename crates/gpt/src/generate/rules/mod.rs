//! How the next token is chosen: rules, one after the other, and one draw from what they leave.
//!
//! A rule sees the tokens so far and the candidates for the next, and removes some or changes their scores. The registered
//! ones work in the order of [`RULES`], which is that of transformers. To add one: a file here with its [`Rule`] and its
//! `KIND`, and its name in `rules!` below. The program then has a flag for it.

mod min_p;
mod never;
mod sampler;
mod temperature;
mod top_k;
mod top_p;

pub use min_p::MinP;
pub use never::Never;
pub use sampler::Sampler;
pub use temperature::Temperature;
pub use top_k::TopK;
pub use top_p::TopP;

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

/// Declares the registry.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        /// All rules, in the order in which they work.
        pub const RULES: &[RuleKind] = &[$($name::KIND),*];
    };
}

rules!(never, temperature, top_k, top_p, min_p);

/// A rule from the text of a number.
fn number<T: std::str::FromStr, R: Rule + 'static>(
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
    /// Its probability but for a common factor, once [`Temperature`] has been applied; the likeliest weighs 1.
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

fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file here that is no part of the registry does nothing, and nobody would notice.
    #[test]
    fn every_file_is_registered() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generate/rules");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let is_rule = !["mod", "sampler", "sampler_tests"].contains(&&name[..]);
            let registered = RULES.iter().any(|kind| kind.name == name);
            assert_eq!(registered, is_rule, "{name}: add it to `rules!` in generate/rules/mod.rs");
        }
    }

    #[test]
    fn every_kind_parses_its_default_and_refuses_nonsense() {
        for kind in RULES {
            if let Some(default) = kind.default {
                assert_eq!((kind.parse)(default).unwrap().name(), kind.name);
            }
            assert!((kind.parse)("nonsense").is_err(), "{}", kind.name);
        }
    }
}
