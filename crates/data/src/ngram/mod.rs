//! N-gram models: interpolated modified Kneser-Ney, the best of them.
//!
//! A language model that only counts: the probability of a token after the `n-1` before it. It is
//! fitted in seconds and is the yardstick of every neural model on the same text; one that does not
//! beat it has learned less than a table.
//!
//! # Method
//! Let `h` be a context (the tokens before), `h'` the same without its oldest token, and `c` counts:
//!
//! ```text
//! P(w | h) = (c(h w) - D(c(h w))) / c(h .)  +  g(h) P(w | h')
//! g(h)     = (D1 N1(h .) + D2 N2(h .) + D3 N3+(h .)) / c(h .)
//! P(w | no context at all) = 1 / V
//! ```
//!
//! A **discount** `D` takes a little from every count and `g(h)` gives exactly that to the shorter
//! context, so the sum over `w` is 1. It is `D1`, `D2` or `D3` for a count of 1, 2, or 3 and more, and
//! `Ni(h .)` is the number of tokens seen i times after `h`. Only the longest contexts count
//! occurrences; in all shorter ones `c(h w)` is the number of *different* tokens seen before `h w`
//! (Kneser and Ney's idea: "Francisco" is frequent, but only after "San", so it says little about
//! other contexts). The discounts are those that leave-one-out would choose, from the counts of
//! counts ([`Discounts`]). Before the first token stands a mark that is never predicted.
//!
//! A token that was never seen has the uniform floor `g(nothing) / V` at least: no token of the
//! vocabulary has probability 0.
//!
//! # Cost
//! Fitting is one radix sort of all positions by their context read backwards, linear in
//! tokens x order, after which each context is a run of neighbours. Tables take 8 bytes a distinct
//! n-gram and 28 a distinct context, of every length ([`KneserNey::bytes`]).
//!
//! Sources: Kneser and Ney, "Improved backing-off for m-gram language modeling" (1995); Chen and
//! Goodman, "An empirical study of smoothing techniques for language modeling" (1999), section 3.
//!
//! ```
//! use data::ngram::KneserNey;
//! let train: Vec<u32> = [0, 1, 2].repeat(50);
//! let model = KneserNey::fit(&train, 3, 4)?; // order 3: two tokens of context; 3 is never seen
//! let p = model.distribution(&[0, 1]);
//! assert!(p[2] > 0.9 && p[3] > 0.0);
//! assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
//! # Ok::<(), data::DataError>(())
//! ```

mod discount;
mod leave_one_out;
mod level;

pub use discount::Discounts;

use crate::DataError;
use level::Level;
use random::Rng;

/// Length of the longest n-grams of the baseline, in tokens, wherever nobody asks for another.
pub const ORDER: usize = 5;

/// An interpolated modified Kneser-Ney model over token ids; see the module.
#[derive(Clone, Debug)]
pub struct KneserNey {
    /// `levels[k]`: the contexts of k tokens, for k = 0 to order - 1.
    levels: Vec<Level>,
    vocab_size: usize,
    fitted_on: usize,
}

/// The loss of a model on some tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// The sum of -ln P over the targets, in nats.
    pub nats: f64,
    /// How many tokens were predicted.
    pub targets: usize,
}

impl Loss {
    /// Nats a target.
    pub fn mean(&self) -> f64 {
        self.nats / self.targets as f64
    }
}

impl KneserNey {
    /// The longest n-gram that can be asked for.
    pub const MAX_ORDER: usize = 64;

    /// Counts the n-grams of `tokens` up to length `order`, over the vocabulary `0..vocab_size`.
    ///
    /// # Errors
    /// If there are no tokens or more than 2^31, the order is not in 1 to [`Self::MAX_ORDER`], the
    /// vocabulary is empty or of more than 2^31 tokens, or a token is not in it.
    pub fn fit(tokens: &[u32], order: usize, vocab_size: usize) -> Result<KneserNey, DataError> {
        let setting = |name, found: usize, expected| DataError::InvalidSetting {
            name,
            found: found.to_string(),
            expected,
        };
        if !(1..=Self::MAX_ORDER).contains(&order) {
            return Err(setting("order", order, "a length of n-grams from 1 to 64 (4 to 7 for characters)"));
        }
        if !(1..1 << 31).contains(&vocab_size) {
            return Err(setting("vocab_size", vocab_size, "from 1 to 2^31 - 1 tokens"));
        }
        if !(1..1 << 31).contains(&tokens.len()) {
            return Err(setting("number of tokens", tokens.len(), "from 1 to 2^31 - 1"));
        }
        check_ids(tokens, vocab_size)?;
        let text = level::padded(tokens, order, vocab_size);
        let events = (0..tokens.len() as u32).collect();
        Ok(KneserNey {
            levels: Level::all(&text, events, order, vocab_size),
            vocab_size,
            fitted_on: tokens.len(),
        })
    }

    /// The length of the longest n-grams: one more than the longest context.
    pub fn order(&self) -> usize {
        self.levels.len()
    }

    /// How many tokens there are to predict.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// How many distinct n-grams are stored, for n = 1 to the order.
    pub fn entries(&self) -> Vec<usize> {
        self.levels.iter().map(Level::entries).collect()
    }

    /// The discounts of n-grams of length 1 to the order.
    pub fn discounts(&self) -> Vec<Discounts> {
        self.levels.iter().map(|level| level.discounts).collect()
    }

    /// The memory of the tables.
    pub fn bytes(&self) -> usize {
        self.levels.iter().map(Level::bytes).sum()
    }

    /// P(token | context): the last `order - 1` tokens of the context count. A token outside of the
    /// vocabulary has the floor of one that was never seen.
    pub fn probability(&self, context: &[u32], token: u32) -> f64 {
        let floor = 1.0 / self.vocab_size as f64;
        self.path(context).fold(floor, |p, (level, at)| level.interpolate(at, token, p))
    }

    /// P(token | context) of every token of the vocabulary; they sum to 1.
    pub fn distribution(&self, context: &[u32]) -> Vec<f64> {
        let mut p = vec![1.0 / self.vocab_size as f64; self.vocab_size];
        for (level, at) in self.path(context) {
            let (total, backoff) = (level.total(at), level.backoff(at));
            p.iter_mut().for_each(|p| *p *= backoff);
            for (next, count) in level.followers(at) {
                p[next as usize] += level.discounts.discounted(count) / total;
            }
        }
        p
    }

    /// -ln P of each token after all tokens before it, in nats. The first has no context.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn losses<'a>(&'a self, tokens: &'a [u32]) -> Result<impl Iterator<Item = f64> + 'a, DataError> {
        check_ids(tokens, self.vocab_size)?;
        Ok((0..tokens.len()).map(|i| -random::ln(self.probability(&tokens[..i], tokens[i]))))
    }

    /// The loss on `tokens[first..]`, each after all tokens before it. With `first` = 1 the targets are
    /// those of a neural model, which has nothing to predict the first token from.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or nothing is left to predict.
    pub fn evaluate(&self, tokens: &[u32], first: usize) -> Result<Loss, DataError> {
        if tokens.len() <= first {
            return Err(DataError::TextTooShort { tokens: tokens.len(), block_size: first });
        }
        let losses = self.losses(tokens)?.skip(first);
        Ok(losses.fold(Loss::default(), |sum, nats| Loss { nats: sum.nats + nats, targets: sum.targets + 1 }))
    }

    /// Draws the token after a context.
    ///
    /// The mixture read as a story, which needs no distribution over the vocabulary: take a follower of
    /// the longest known context in proportion to its discounted count; what the discounts took away is
    /// the chance to go on to the next shorter one, and from the empty context to any token at all.
    pub fn sample(&self, context: &[u32], rng: &mut Rng) -> u32 {
        let path: Vec<(&Level, usize)> = self.path(context).collect();
        for &(level, at) in path.iter().rev() {
            let mut left = rng.f64() * level.total(at);
            for (next, count) in level.followers(at) {
                left -= level.discounts.discounted(count);
                if left < 0.0 {
                    return next;
                }
            }
        }
        rng.below(self.vocab_size as u64) as u32
    }

    /// The contexts of growing length, from the empty one, as far as they were seen.
    fn path<'a>(&'a self, context: &'a [u32]) -> impl Iterator<Item = (&'a Level, usize)> + 'a {
        let mut at = Some(0);
        self.levels.iter().enumerate().map_while(move |(length, level)| {
            if length > 0 {
                let oldest = context.len().checked_sub(length).map(|i| context[i])?;
                at = self.levels[length - 1].child(at?, level, oldest);
            }
            Some((level, at?))
        })
    }
}

/// Refuses tokens that are not in the vocabulary.
fn check_ids(tokens: &[u32], vocab_size: usize) -> Result<(), DataError> {
    match tokens.iter().position(|&id| id as usize >= vocab_size) {
        Some(position) => Err(DataError::IdOutOfRange { id: tokens[position], position, vocab_size }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "ngram_tests.rs"]
mod tests;
