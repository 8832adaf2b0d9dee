//! What a model's loss has above what the process that wrote the text itself needs.

use data::{Batch, Example};
use gpt::train::Trainer;
use synth::{Measure, Sample};
use tensor::{Tape, Workspace};

/// The summed loss of a batch.
#[must_use]
pub fn total_loss(trainer: &Trainer, batch: &Batch, workspace: &Workspace) -> f64 {
    let tape = Tape::no_grad(&trainer.params, workspace);
    f64::from(trainer.model.loss(&tape, batch).item()) * batch.total_weight()
}

/// The mean loss of going on with a text, and its excess over the costs that the generator handed over. They assume that
/// everything before is seen, so only the second half of each window is measured. `ids` are the tokens of the text, one a
/// symbol.
///
/// # Panics
/// If there are not as many tokens as symbols.
#[must_use]
pub fn of_text(trainer: &Trainer, ids: &[u32], test: &Sample) -> (f64, Measure) {
    assert_eq!(ids.len(), test.symbols.len(), "a token a symbol");
    let time = trainer.config.model.block_size;
    let (workspace, mut measure, mut loss, mut weight) = (Workspace::new(), Measure::new(0.9), 0.0, 0.0);
    let starts: Vec<usize> = (0..ids.len().saturating_sub(time + 1)).step_by(time / 2).collect();
    for starts in starts.chunks(32) {
        let (mut examples, mut floor) = (Vec::new(), 0.0);
        for &start in starts {
            let mut example = Example::next_token(&ids[start..=start + time]);
            for (t, weight) in example.weights.iter_mut().enumerate() {
                let counts = t >= time / 2 && test.counted[start + t + 1];
                *weight = if counts { 1.0 } else { 0.0 };
                floor += if counts { test.nats[start + t + 1] } else { 0.0 };
            }
            examples.push(example);
        }
        let batch = Batch::from_examples(&examples, time);
        let total = total_loss(trainer, &batch, &workspace);
        measure.add(total - floor, batch.total_weight());
        loss += total;
        weight += batch.total_weight();
    }
    (loss / weight, measure)
}
