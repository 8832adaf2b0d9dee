//! The loss on text that the model did not train on.

use super::engine::rows_of_tokens;
use crate::model::Gpt;
use data::dataset::{ObjectiveBatches, SequentialBatches, TokenSource};
use data::objective::Corruptor;
use data::{Batch, DataError};
use std::sync::atomic::{AtomicUsize, Ordering};
use tensor::{Params, Tape, Workspace};

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
    let all =
        SequentialBatches::new(tokens, model.config.block_size, rows_of_tokens(model.config.block_size))?;
    let losses = mean_losses(model, params, (all.len(), batches, false), None, |i| all.get(i))?;
    Ok(losses.expect("nobody stops it").0)
}

/// The same for one objective, part number `part` of a mixture: the mean loss of what it asks. What is hidden is the
/// same at every call.
///
/// # Errors
/// If the text is too short for anything to be asked, or its file cannot be read.
///
/// # Panics
/// If the mixture has not so many parts.
#[track_caller]
pub fn evaluate_objective<S: TokenSource + ?Sized>(
    model: &Gpt,
    params: &Params,
    task: (&Corruptor, usize, bool),
    tokens: &S,
    batches: usize,
) -> Result<f64, DataError> {
    let losses = losses_of_objective(model, params, task, tokens, (batches, false), None)?;
    Ok(losses.expect("nobody stops it").0)
}

/// [`evaluate_objective`] over about `batches` batches and, if `whole`, over all of them in the same pass (otherwise the same
/// again); `None` if `stop` was set before the last batch.
pub(super) fn losses_of_objective<S: TokenSource + ?Sized>(
    model: &Gpt,
    params: &Params,
    (corruptor, part, documents): (&Corruptor, usize, bool),
    tokens: &S,
    (batches, whole): (usize, bool),
    stop: Option<&AtomicUsize>,
) -> Result<Option<(f64, f64)>, DataError> {
    let all =
        ObjectiveBatches::new(tokens, corruptor, part, rows_of_tokens(model.config.block_size), documents)?;
    mean_losses(model, params, (all.len(), batches, whole), stop, |i| all.get(i))
}

/// The mean over about `batches` batches, 0 for all, and over those that were computed: all of them, if `whole`. `None` if it
/// was stopped.
fn mean_losses(
    model: &Gpt,
    params: &Params,
    (len, batches, whole): (usize, usize, bool),
    stop: Option<&AtomicUsize>,
    get: impl Fn(usize) -> Result<Batch, DataError>,
) -> Result<Option<(f64, f64)>, DataError> {
    let step = len.checked_div(batches).map_or(1, |step| step.max(1));
    let (mut workspace, mut size) = (Workspace::new(), 0);
    let (mut some, mut all) = (Mean::default(), Mean::default());
    for i in (0..len).step_by(if whole { 1 } else { step }) {
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed) != 0) {
            return Ok(None);
        }
        let batch = get(i)?;
        if batch.ids.len() != size {
            // The last batch is often a smaller one: its buffers do not come beside those of the others.
            (workspace, size) = (Workspace::new(), batch.ids.len());
        }
        let tape = Tape::no_grad(params, &workspace);
        let loss = model.loss(&tape, &batch);
        let (loss, weight) = (f64::from(loss.item()), batch.total_weight());
        all.add(loss, weight);
        if i % step == 0 {
            some.add(loss, weight);
        }
    }
    Ok(Some((some.get()?, all.get()?)))
}

/// A mean by weight.
#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    fn get(&self) -> Result<f64, DataError> {
        match self.weight {
            0.0 => Err(DataError::TextTooShort { tokens: 0, block_size: 1 }), // every document shorter than the task needs
            _ => Ok(self.sum / self.weight),
        }
    }
}
