//! The loss on text that the model did not train on.

use crate::model::Gpt;
use data::DataError;
use data::dataset::{SequentialBatches, TokenSource};
use nn::DropoutSeeds;
use tensor::{Params, Tape, Workspace};

/// Tokens that are computed at a time: as large as the products need, small enough for the caches.
const TOKENS_AT_A_TIME: usize = 2048;

/// The mean loss, in nats a token, over windows of `block_size` that do not overlap: over all of `tokens`
/// (`batches` 0), or over about that many batches of them, evenly spread and the same at every call.
///
/// # Errors
/// If the text is shorter than two tokens, or its file cannot be read.
pub fn evaluate<S: TokenSource + ?Sized>(
    model: &Gpt,
    params: &Params,
    tokens: &S,
    batches: usize,
) -> Result<f64, DataError> {
    let block_size = model.config.block_size;
    let all = SequentialBatches::new(tokens, block_size, (TOKENS_AT_A_TIME / block_size).max(1))?;
    let step = all.len().checked_div(batches).map_or(1, |step| step.max(1));
    let workspace = Workspace::new();
    let (mut sum, mut weight) = (0.0, 0.0);
    for i in (0..all.len()).step_by(step) {
        let batch = all.get(i)?;
        let tape = Tape::no_grad(params, &workspace);
        let loss = model.loss(&tape, &batch, &DropoutSeeds::off());
        sum += f64::from(loss.item()) * batch.total_weight();
        weight += batch.total_weight();
    }
    Ok(sum / weight)
}
