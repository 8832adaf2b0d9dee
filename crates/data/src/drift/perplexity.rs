//! S3: what the shift costs a model that only counts.
//!
//! A Kneser-Ney model is fitted on 9 in 10 passages of the training text. Its loss on the others is what
//! it reaches without a shift; its loss on the test text, minus that, is the gap. (For a model of the
//! source P, the loss on Q is H(Q) + KL(Q || P): the gap also holds the difference of entropies, so a text
//! that is simpler than the training text can have a negative one.) Then half of the test's passages join the
//! training text, and the other half is measured again: what of the gap more such text would close.

use super::{Options, passages::chunks};
use crate::ngram::KneserNey;
use crate::{CharTokenizer, DataError};
use random::Rng;
use serde::Serialize;

/// The loss of Kneser-Ney with and without a shift, in nats a character. Passages are measured one by
/// one, without the text before them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PerplexityGap {
    /// The order of the model.
    pub order: usize,
    /// On passages of the training text that were held out.
    pub in_distribution: f64,
    /// On the test text.
    pub test: f64,
    /// `test - in_distribution`.
    pub gap: f64,
    /// The standard error of `gap`, from the spread between passages.
    pub standard_error: f64,
    /// On half of the test's passages, the other half having joined the training text, less what those
    /// passages cost before: negative if it helps. None if the test is a single passage.
    pub change_by_mixing: Option<f64>,
}

/// Measures the gap.
///
/// # Errors
/// If the order is out of range.
pub fn perplexity_gap(
    train: &str,
    test: &str,
    tokenizer: &CharTokenizer,
    options: &Options,
    rng: &mut Rng,
) -> Result<PerplexityGap, DataError> {
    let encode = |passages: Vec<&str>| {
        passages.into_iter().map(|p| tokenizer.encode(p)).collect::<Result<Vec<_>, _>>()
    };
    // At least 20 training passages, so that two can be held out.
    let size = options.chunk.min(train.chars().count() / 20).max(1);
    let mut train = encode(chunks(train, size))?;
    let mut test_passages = encode(chunks(test, size))?;
    if test_passages.is_empty() {
        test_passages = encode(vec![test])?;
    }
    let held_out = (train.len() / 10).max(2).min(train.len());
    rng.shuffle(&mut train);
    rng.shuffle(&mut test_passages);
    let held_out = train.split_off(train.len() - held_out);

    let fit =
        |passages: &[Vec<u32>]| KneserNey::fit(&passages.concat(), options.order, tokenizer.vocab_size());
    let model = fit(&train)?;
    let (in_distribution, in_error) = mean_loss(&model, &held_out)?;
    let (on_test, test_error) = mean_loss(&model, &test_passages)?;
    let (joining, rest) = test_passages.split_at(test_passages.len() / 2);
    let change_by_mixing = match joining.is_empty() {
        true => None,
        false => Some({
            let before = mean_loss(&model, rest)?.0;
            train.extend_from_slice(joining);
            mean_loss(&fit(&train)?, rest)?.0 - before
        }),
    };
    Ok(PerplexityGap {
        order: options.order,
        in_distribution,
        test: on_test,
        gap: on_test - in_distribution,
        standard_error: (in_error * in_error + test_error * test_error).sqrt(),
        change_by_mixing,
    })
}

/// Nats a token over passages, and the standard error of that: of a ratio of sums over passages.
fn mean_loss(model: &KneserNey, passages: &[Vec<u32>]) -> Result<(f64, f64), DataError> {
    let losses: Vec<_> = passages.iter().map(|p| model.evaluate(p, 0)).collect::<Result<_, _>>()?;
    let tokens = losses.iter().map(|loss| loss.targets as f64).sum::<f64>();
    let mean = losses.iter().map(|loss| loss.nats).sum::<f64>() / tokens;
    let n = losses.len() as f64;
    let off = losses.iter().map(|loss| loss.nats - mean * loss.targets as f64);
    let squares: f64 = off.map(|off| off * off).sum();
    Ok((mean, (squares * n / (n - 1.0).max(1.0)).sqrt() / tokens))
}
