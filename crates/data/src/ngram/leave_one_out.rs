//! What the model would say of a training token if it had not seen that one occurrence.
//!
//! A model that gets Kneser-Ney probabilities as an input, or is mixed with them, must not be shown
//! those of its own training text: there every n-gram was seen at least once, by construction, and it
//! learns to trust counts that a new text does not have. Leave-one-out takes the token's own
//! occurrence out of the counts first.
//!
//! Taking one `h w` away lowers its count in the longest context. If that was the only one, the token
//! before `h'` is no longer one of those seen before `h' w`, and the count of the shorter context
//! falls too, and so on down. The discounts stay.

use super::{KneserNey, level};
use crate::DataError;

impl KneserNey {
    /// -ln P of each training token, each with its own occurrence left out of the counts, in nats.
    /// `tokens` are those that the model was fitted on.
    ///
    /// # Errors
    /// If they are others.
    pub fn leave_one_out(&self, tokens: &[u32]) -> Result<Vec<f64>, DataError> {
        let other = || DataError::InvalidSetting {
            name: "tokens to leave out",
            found: "a text that the model was not fitted on".into(),
            expected: "the training tokens, all of them",
        };
        if tokens.len() != self.fitted_on {
            return Err(other());
        }
        super::check_ids(tokens, self.vocab_size)?;
        let text = level::padded(tokens, self.order(), self.vocab_size);
        let probability = |event: &[u32]| self.without_one(event).ok_or_else(other);
        text.windows(self.order()).map(|event| Ok(-random::ln(probability(event)?))).collect()
    }

    /// P(w | h) without one occurrence of the n-gram `h w`; none if there is no such n-gram.
    fn without_one(&self, event: &[u32]) -> Option<f64> {
        let (&token, context) = event.split_last()?;
        let path: Vec<_> = self.path(context).collect();
        if path.len() < self.order() {
            return None;
        }
        let counts: Vec<u32> = path.iter().map(|(level, at)| level.count(*at, token)).collect();
        // The count falls in the longest context, and below a context as long as it falls to 0 above.
        let untouched = counts.iter().rposition(|&count| count != 1).unwrap_or(0);
        if *counts.last()? == 0 {
            return None;
        }
        let mut p = 1.0 / self.vocab_size as f64;
        for (k, (&(level, at), &count)) in path.iter().zip(&counts).enumerate() {
            if k < untouched {
                p = level.interpolate(at, token, p);
                continue;
            }
            let total = level.total(at) - 1.0;
            if total == 0.0 {
                continue; // the context was seen only here
            }
            let mut kinds = level.kinds(at);
            kinds[super::discount::kind(count)] -= 1;
            if count > 1 {
                kinds[super::discount::kind(count - 1)] += 1;
            }
            p = (level.discounts.discounted(count - 1) + level.discounts.taken(&kinds) * p) / total;
        }
        Some(p)
    }
}
