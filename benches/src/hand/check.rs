//! Whether the step by hand is the tape's step.

use super::Hand;
use crate::samples::difference;
use data::WindowSampler;
use gpt::train::Trainer;
use tensor::{Grads, Tape, Workspace};

/// How many steps are compared.
const STEPS: usize = 3;
/// How far the two may be apart, in parts of the largest number.
const TOLERANCE: f64 = 1e-6;

impl Hand {
    /// Compares losses and all gradients of one batch, then three steps: losses, gradient norms and the
    /// parameters after them. `sampler` draws the batches that the trainer draws. Answers the largest relative
    /// difference, which is 0 where nothing has changed the order of a sum.
    ///
    /// # Panics
    /// If they differ by more than 10^-6 of the largest number.
    pub fn check(&mut self, trainer: &mut Trainer, sampler: &mut WindowSampler, text: &[u32]) -> f64 {
        let mut worst = self.check_gradients(trainer, &sampler.clone(), text);
        for step in 1..=STEPS {
            let lr = trainer.lr();
            let by_hand = self.step(&sampler.next_batch(text), lr);
            let report = trainer.step(text).expect("a finite loss");
            worst = worst.max(agree(&format!("loss {step}"), &[by_hand.loss], &[report.loss as f32]));
            let norms = [by_hand.grad_norm as f32, report.grad_norm as f32];
            worst = worst.max(agree(&format!("gradient norm {step}"), &norms[..1], &norms[1..]));
        }
        for id in trainer.params.ids() {
            let name = format!("{} after {STEPS} steps", trainer.params.name(id));
            worst = worst.max(agree(&name, self.params.data(id), trainer.params.data(id)));
        }
        worst
    }

    fn check_gradients(&mut self, trainer: &Trainer, sampler: &WindowSampler, text: &[u32]) -> f64 {
        let batch = sampler.clone().next_batch(text);
        let (workspace, mut grads) = (Workspace::new(), Grads::new(&trainer.params));
        let tape = Tape::new(&trainer.params, &workspace);
        let loss = trainer.model.loss(&tape, &batch);
        loss.backward(&mut grads);
        let by_hand = self.forward(&batch);
        self.backward(&batch);
        let mut worst = agree("loss", &[by_hand], &[loss.item()]);
        for id in trainer.params.ids() {
            let name = format!("gradient of {}", trainer.params.name(id));
            let from_tape = grads.get(id).expect("every parameter has a gradient");
            worst = worst.max(agree(&name, &self.grads[id.index()], from_tape));
        }
        worst
    }
}

fn agree(what: &str, by_hand: &[f32], from_tape: &[f32]) -> f64 {
    let error = difference(by_hand, from_tape);
    assert!(error <= TOLERANCE, "{what}: the step by hand is off by {error:e}");
    error
}

#[cfg(test)]
mod tests {
    use super::Hand;
    use crate::samples;
    use data::WindowSampler;
    use gpt::config::{Config, GptConfig};
    use gpt::train::Trainer;
    use random::{Rng, Stream};

    fn pair(config: &Config, text: &[u32]) -> (Hand, Trainer, WindowSampler) {
        let trainer = Trainer::new(config, text).unwrap();
        let rng = Rng::new(config.train.seed, Stream::Data);
        let (block_size, batch_size) = (config.model.block_size, config.train.batch_size);
        let sampler =
            WindowSampler::new(text.len(), block_size, batch_size, config.train.sampler, rng).unwrap();
        (Hand::new(config, &trainer.model, &trainer.params), trainer, sampler)
    }

    fn small() -> Config {
        let mut config = samples::config("nano-cpu").unwrap();
        config.model = GptConfig { n_layer: 2, n_head: 2, n_embd: 20, block_size: 9, ..config.model };
        config.train.batch_size = 3;
        config
    }

    #[test]
    fn the_step_by_hand_is_the_tapes_to_the_last_bit() {
        let (config, text) = (small(), samples::text(200));
        let (mut hand, mut trainer, mut sampler) = pair(&config, &text);
        assert_eq!(hand.check(&mut trainer, &mut sampler, &text), 0.0);
    }

    #[test]
    #[should_panic(expected = "off by")]
    fn another_weight_is_noticed() {
        let (config, text) = (small(), samples::text(200));
        let (mut hand, mut trainer, mut sampler) = pair(&config, &text);
        let id = hand.params.id("h.1.ln_2.weight").unwrap();
        hand.params.data_mut(id)[7] += 0.01;
        hand.check(&mut trainer, &mut sampler, &text);
    }
}
