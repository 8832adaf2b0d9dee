//! The n-gram baseline of a run: the loss that a model has to beat.
//!
//! An interpolated Kneser-Ney model ([`KneserNey`]) over the same tokens, counted on the training part and measured on
//! the validation part, so that its loss stands beside the model's: nats a token. It takes a second or two. A model
//! that stays above it has learned less of the text than which token followed which.

use crate::work::corpus::Corpus;
use data::DataError;
use data::dataset::TokenSource;
use data::ngram::KneserNey;
use data::ngram::ORDER;
use std::fmt;

/// Of a longer training part the last tokens are counted: memory and time stay bounded however large a token file is.
const MOST_COUNTED: usize = 2_000_000;
/// Of a longer validation part the first tokens are predicted.
const MOST_PREDICTED: usize = 200_000;

/// The loss of the n-gram model on the validation part of a run.
pub(crate) struct CountBaseline {
    /// Nats a token.
    pub(crate) loss: f64,
    /// Which tokens were counted and predicted, if not all.
    cut: Option<String>,
}

impl CountBaseline {
    /// Counts and predicts the tokens of a run.
    pub(crate) fn of(text: &Corpus) -> Result<CountBaseline, DataError> {
        let (train, val) = text.parts();
        Self::measure(&train, &val, text.tokenizer.vocab_size(), (MOST_COUNTED, MOST_PREDICTED))
    }

    fn measure(
        train: &impl TokenSource,
        val: &impl TokenSource,
        vocab_size: usize,
        most: (usize, usize),
    ) -> Result<CountBaseline, DataError> {
        let mut counted = vec![0; train.len().min(most.0)];
        train.read(train.len() - counted.len(), &mut counted)?;
        let mut predicted = vec![0; val.len().min(most.1)];
        val.read(0, &mut predicted)?;
        let model = KneserNey::fit(&counted, ORDER, vocab_size)?;
        // The first token is no target, as for the neural model: nothing stands before it.
        let loss = model.evaluate(&predicted, 1)?.mean();
        let whole = counted.len() == train.len() && predicted.len() == val.len();
        let cut = (!whole).then(|| {
            format!(
                "counted on the last {} tokens to train, measured on the first {} to validate",
                counted.len(),
                predicted.len()
            )
        });
        Ok(CountBaseline { loss, cut })
    }

    /// What is said of a model whose validation loss is not below that of the n-gram model.
    pub(crate) fn verdict(&self, val_loss: f64) -> Option<String> {
        (!(val_loss < self.loss)).then(|| {
            format!(
                "the n-gram model predicts this text better ({:.4}) than the model does ({val_loss:.4}): give it more text, \
                 train it longer (--max-iters or --time), or train a larger one (--n-layer, --n-embd)",
                self.loss
            )
        })
    }
}

impl fmt::Display for CountBaseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an n-gram model (Kneser-Ney, order {ORDER}) reaches validation loss {:.4}", self.loss)?;
        self.cut.iter().try_for_each(|cut| write!(f, " ({cut})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part that is cut is measured as if there were no more of it, and the line says so.
    #[test]
    fn long_parts_are_cut_at_the_border_between_them() {
        let numbers = |n: u64, seed: u64| -> Vec<u32> {
            let mut rng = random::Rng::new(seed, random::Stream::Other(0));
            (0..n).map(|_| (rng.below(6) * rng.below(6) / 6) as u32).collect()
        };
        let (train, val) = (numbers(900, 1), numbers(300, 2));
        let cut = CountBaseline::measure(&train, &val, 5, (400, 100)).unwrap();
        let alone =
            CountBaseline::measure(&train[500..].to_vec(), &val[..100].to_vec(), 5, (400, 100)).unwrap();
        assert_eq!(cut.loss, alone.loss);
        assert!(alone.cut.is_none() && alone.to_string().contains("order 5"), "{alone}");
        assert!(
            cut.to_string().contains("last 400 tokens") && cut.to_string().contains("first 100"),
            "{cut}"
        );
        assert_ne!(cut.loss, CountBaseline::measure(&train, &val, 5, (900, 300)).unwrap().loss);
    }

    #[test]
    fn a_model_that_is_no_better_is_told_so() {
        let counts = CountBaseline { loss: 1.5, cut: None };
        assert!(counts.verdict(1.4999).is_none());
        for loss in [1.5, 1.9, f64::NAN] {
            assert!(counts.verdict(loss).is_some_and(|told| told.contains("--max-iters")), "{loss}");
        }
    }
}
