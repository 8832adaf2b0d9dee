//! From logits to a token.

use super::{Candidates, RULES, Rule, Temperature};
use crate::config::{Check, ConfigError};
use random::Rng;
use std::sync::Arc;

/// How the next token is chosen: by [rules](super::RULES), each of which is applied to what the ones before left, and a draw from
/// the rest by probability.
///
/// [`Sampler::sample`] is defined for any logits and any settings; [`Sampler::validate`] says whether settings make sense.
///
/// ```
/// use gpt::generate::{Sampler, Temperature, TopK};
/// use random::{Rng, Stream};
/// let mut rng = Rng::new(1, Stream::Sampling);
/// let logits = [0.1, 2.0, -1.0, 1.9];
/// assert_eq!(Sampler::greedy().sample(&[], &logits, &mut rng), 1);
/// let two = Sampler::default().with(Temperature(0.8)).with(TopK(2));
/// assert!([1, 3].contains(&two.sample(&[], &logits, &mut rng)));
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    rules: Vec<Arc<dyn Rule>>, // in the order in which they are applied
}

impl Default for Sampler {
    /// The model's own distribution: temperature 1, nothing removed.
    fn default() -> Self {
        Self { rules: vec![Arc::new(Temperature(1.0))] }
    }
}

impl Sampler {
    /// Always the likeliest token; of equals, the lowest id.
    #[must_use]
    pub fn greedy() -> Self {
        Self::default().with(Temperature(0.0))
    }

    /// With one more rule, or another value of one that is there. A rule that is not registered is applied before the
    /// others, to the model's own logits.
    #[must_use]
    pub fn with(self, rule: impl Rule + 'static) -> Self {
        self.with_rule(Arc::new(rule))
    }

    fn with_rule(mut self, rule: Arc<dyn Rule>) -> Self {
        let place = |rule: &Arc<dyn Rule>| RULES.iter().position(|kind| kind.name == rule.name());
        self.rules.retain(|other| other.name() != rule.name() || rule.adds_up());
        let at = self.rules.partition_point(|other| place(other) <= place(&rule));
        self.rules.insert(at, rule);
        self
    }

    /// From the names of registered rules and the texts of their values, such as those of a command line.
    ///
    /// # Errors
    /// [`ConfigError::UnreadableValue`] of a text that is no value of its rule, [`ConfigError::Invalid`] with every value
    /// that makes no sense.
    pub fn parse<'a>(
        settings: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Result<Self, ConfigError> {
        let mut sampler = Self::default();
        for (name, text) in settings {
            let kind = RULES.iter().find(|kind| kind.name == name).expect("the name of a rule");
            let unreadable =
                |expected| ConfigError::UnreadableValue { name: name.into(), found: text.into(), expected };
            sampler = sampler.with_rule((kind.parse)(text).map_err(unreadable)?);
        }
        sampler.validate()?;
        Ok(sampler)
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        self.rules.iter().for_each(|rule| rule.check(&mut check));
        check.done()
    }

    /// The token after `history`, of whose successors `logits` (V) are the scores. Greedy choice draws nothing from `rng`,
    /// any other exactly one `f64`.
    ///
    /// NaN counts as minus infinity: it is never chosen over a number. If there is no number at all
    /// the answer is 0. A temperature that is negative or NaN is greedy.
    #[must_use]
    pub fn sample(&self, history: &[u32], logits: &[f32], rng: &mut Rng) -> u32 {
        let mut candidates = self.candidates(history, logits);
        if candidates.certain {
            return candidates.all[0].id;
        }
        // Which one a random number hits depends on the order, so fix it.
        candidates.all.sort_unstable_by_key(|c| c.id);
        let mut left = rng.f64() * candidates.total();
        let mut chosen = 0;
        // The last of positive weight is the answer if rounding leaves a little over.
        for candidate in candidates.all.iter().filter(|c| c.weight > 0.0) {
            chosen = candidate.id;
            left -= candidate.weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }

    /// The tokens that [`Sampler::sample`] chooses from, with their probabilities, the likeliest first.
    /// The probabilities add up to 1.
    #[must_use]
    pub fn distribution(&self, history: &[u32], logits: &[f32]) -> Vec<(u32, f64)> {
        let mut candidates = self.candidates(history, logits);
        candidates.sort();
        let total = candidates.total();
        candidates.all.iter().map(|c| (c.id, c.weight / total)).filter(|(_, p)| *p > 0.0).collect()
    }

    fn candidates(&self, history: &[u32], logits: &[f32]) -> Candidates {
        let mut candidates = Candidates::new(logits);
        self.rules.iter().for_each(|rule| rule.apply(history, &mut candidates));
        candidates
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
