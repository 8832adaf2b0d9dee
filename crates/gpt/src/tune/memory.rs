//! What a fine-tuning costs, by calculation: bytes.

use super::{Task, TuneConfig};
use crate::config::GptConfig;
use crate::train::{LANES, rows_at_a_time};
use tensor::Params;

impl TuneConfig {
    /// Bytes that a fine-tuning of these parameters takes at its peak, without the program and the examples: the weights;
    /// of what is trained, the best values so far, two moments and a gradient for each lane; the average of the
    /// weights; and the values of the micro-batches that are computed side by side.
    ///
    /// # Panics
    /// If the task has no examples.
    #[must_use]
    pub fn bytes(&self, gpt: &GptConfig, params: &Params, task: &impl Task) -> u64 {
        let floats = |id| params.data(id).len() as u64;
        let trained: u64 = params.ids().filter(|&id| params.is_trainable(id)).map(floats).sum();
        let batch_size = self.batch_size.min(task.len());
        let longest = (0..task.len()).map(|i| task.positions(i)).max().expect("an example");
        let rows = rows_at_a_time(batch_size, longest, self.micro_batch);
        let lanes = batch_size.div_ceil(rows).min(LANES) as u64;
        let averages = u64::from(self.ema > 0.0);
        let kept = params.count() as u64 * (1 + averages) + trained * (1 + 2 + lanes);
        let tokens = lanes * (rows * longest) as u64;
        4 * kept + gpt.tape_bytes(tokens, self.recompute, task.predicts_tokens())
    }
}
