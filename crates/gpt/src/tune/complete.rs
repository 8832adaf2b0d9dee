//! Answers in words: what a dialogue, a translation or a summary goes on with.

use super::Task;
use crate::Gpt;
use crate::config::GptConfig;
use data::{Batch, Example};
use random::Rng;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::{Params, Tape, Var, Workspace};

/// Learning to go on: a [`Task`] whose examples say themselves which tokens count.
pub struct Complete<'a> {
    /// What learns.
    pub gpt: &'a Gpt,
    /// What is learned.
    pub examples: &'a [Example],
    /// What is measured on.
    pub dev: &'a [Example],
    /// The part of the right token's probability that is spread over all tokens, while learning (Szegedy et al. 2016; 0.1 in
    /// Vaswani et al. 2017, section 5.4): answers get better, and their likelihood worse.
    pub label_smoothing: f32,
}

impl Task for Complete<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn gpt(&self) -> Option<&Gpt> {
        Some(self.gpt)
    }

    fn tokens(&self, example: usize) -> usize {
        self.examples[example].ids.len()
    }

    fn total_weight(&self, examples: &[usize]) -> f32 {
        let weights = examples.iter().flat_map(|&i| &self.examples[i].weights);
        weights.map(|&weight| f64::from(weight)).sum::<f64>() as f32
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, examples: &[usize], total_weight: f32) -> Var<'t> {
        let examples: Vec<Example> = examples.iter().map(|&i| self.examples[i].clone()).collect();
        let regularizer = Regularizer { label_smoothing: self.label_smoothing, ..Regularizer::NONE };
        self.gpt.loss_of_part(tape, &batch(&examples), total_weight, regularizer)
    }

    fn validate(&self, params: &Params) -> f64 {
        -mean_loss(self.gpt, params, self.dev)
    }
}

/// Examples side by side, as wide as the longest.
fn batch(examples: &[Example]) -> Batch {
    Batch::from_examples(examples, examples.iter().map(|example| example.ids.len()).max().unwrap_or(1))
}

/// The mean loss, in nats, of all tokens that count.
///
/// # Panics
/// If an example is longer than the model's context.
#[must_use]
pub fn mean_loss(gpt: &Gpt, params: &Params, examples: &[Example]) -> f64 {
    const EXAMPLES: usize = 16;
    let mut order: Vec<&Example> = examples.iter().collect();
    order.sort_by_key(|example| example.ids.len()); // little is computed for nothing
    let (workspace, mut total, mut weight) = (Workspace::new(), 0.0, 0.0);
    for part in order.chunks(EXAMPLES) {
        let batch = batch(&part.iter().map(|&example| example.clone()).collect::<Vec<_>>());
        let tape = Tape::no_grad(params, &workspace);
        total += f64::from(gpt.loss(&tape, &batch).item()) * batch.total_weight();
        weight += batch.total_weight();
    }
    total / weight
}

/// The same model with room for so many tokens, if it has less: their vectors begin near the mean of the others, and their
/// scores with them. (Vectors from nowhere would be far from all that the blocks have ever seen.)
///
/// # Panics
/// If the model is prepared for fine-tuning.
#[must_use]
pub fn grown(gpt: &Gpt, params: &Params, vocab_size: usize, rng: &mut Rng) -> (Gpt, Params) {
    assert!(gpt.is_plain(), "a plain model");
    let vocab_size = vocab_size.max(gpt.config.vocab_size); // there may be spare ones
    let mut larger = Params::new();
    let model = Gpt::new(&GptConfig { vocab_size, ..gpt.config.clone() }, &mut larger, rng);
    for id in larger.ids().collect::<Vec<_>>() {
        let old = params.data(params.id(larger.name(id)).expect("a parameter of the same model"));
        let (width, data) = (gpt.config.n_embd, larger.data_mut(id));
        let (same, new) = data.split_at_mut(old.len());
        same.copy_from_slice(old);
        let rows = (old.len() / width) as f32;
        for (j, x) in new.iter_mut().enumerate() {
            let mean = old.iter().skip(j % width).step_by(width).sum::<f32>() / rows;
            *x = mean + 0.1 * *x; // which is a row as Gpt::new makes them
        }
    }
    (model, larger)
}
