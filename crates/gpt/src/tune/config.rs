//! The settings of a fine-tuning, and what they cost.

use super::Task;
use crate::config::GptConfig;
use crate::train::rows_at_a_time;
use serde::{Deserialize, Serialize};
use tensor::Params;

/// How a model is fine-tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneConfig {
    /// How many times the examples are read, at most.
    pub epochs: usize,
    /// Examples in an update.
    pub batch_size: usize,
    /// Examples that are computed at a time, at most; none for about 2,048 tokens. It changes the order of additions,
    /// and nothing else but time and memory.
    #[serde(default)]
    pub micro_batch: Option<usize>,
    /// Parts of a batch that may be computed side by side, each on a thread if there are enough of both. More take more
    /// memory, and change the order of additions.
    #[serde(default = "default_lanes")]
    pub lanes: usize,
    /// Whether activations are computed again in the backward instead of kept: less memory, a third more time.
    #[serde(default)]
    pub recompute: bool,
    /// The largest learning rate: after a tenth of the updates; from there it falls to 0 on a line.
    pub learning_rate: f64,
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The learning rate of each layer over that of the layer above it (Howard and Ruder 2018, arXiv 1801.06146, who take
    /// 1 / 2.6); 1 for one rate.
    pub layer_decay: f64,
    /// In the first epoch only what was put on the model is trained, and one more layer from the top in each next one
    /// (gradual unfreezing, from the same paper).
    pub unfreeze: bool,
    /// Evaluations in an epoch.
    pub evaluations: usize,
    /// Epochs without an improvement of more than `min_delta` after which it stops; none for never.
    pub patience: Option<usize>,
    /// See `patience`.
    pub min_delta: f64,
    /// The decay of an average of the weights, which is then what is measured and kept; 0 for none.
    #[serde(default)]
    pub ema: f64,
    /// Standard deviations above the mean from which a loss is a spike, whose batch is left out; 0 for never.
    #[serde(default)]
    pub spike_guard: f64,
    /// Where all randomness starts.
    pub seed: u64,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            micro_batch: None,
            lanes: default_lanes(),
            recompute: false,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            layer_decay: 1.0,
            unfreeze: false,
            evaluations: 1,
            patience: Some(3),
            min_delta: 0.0,
            ema: 0.0,
            spike_guard: 0.0,
            seed: 1337,
        }
    }
}

fn default_lanes() -> usize {
    2
}

impl TuneConfig {
    /// Bytes that a fine-tuning of these parameters takes at its peak, without the program and the examples: the weights;
    /// of what is trained, the best values so far, two moments and a gradient for each lane; the average of the
    /// weights; the tables of positions; and the values of the micro-batches that are computed side by side.
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
        let lanes = batch_size.div_ceil(rows).min(self.lanes) as u64;
        let averages = u64::from(self.ema > 0.0);
        let kept = params.count() as u64 * (1 + averages) + trained * (1 + 2 + lanes);
        let tokens = (rows * longest) as u64;
        let values = lanes * gpt.micro_batch_bytes(tokens, self.recompute, task.predicts_tokens());
        4 * kept + values + gpt.position_table_bytes()
    }
}
