//! A whole training step, and what the tape costs: beside each step the same step scheduled by hand.

use benches::alternate::alternate;
use benches::hand::Hand;
use benches::{machine, measure, samples, table};
use data::WindowSampler;
use gpt::config::Config;
use gpt::train::Trainer;
use random::{Rng, Stream};
use std::time::Duration;

/// Characters of training text.
const TEXT: usize = 100_000;

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let text = samples::text(TEXT);
        let steps = || {
            samples::STEPS.into_iter().map(|(name, batch)| (format!("{name} B{batch}"), config(name, batch)))
        };
        let wanted = steps().filter(|(name, _)| measure::is_wanted(&format!("train_step/{name}")));
        let rows: Vec<_> = wanted.map(|(name, config)| compare(name, &config, &text)).collect();
        let header = [
            "step",
            "tape",
            "by hand",
            "overhead",
            "middle half",
            "rounds",
            "tokens/s",
            "largest difference",
        ];
        table::print("The tape's overhead: the median of the rounds' ratios, alternating.", &header, &rows);

        let mut criterion = measure::criterion();
        let mut group = measure::group(&mut criterion, "train_step");
        group.measurement_time(Duration::from_secs(5));
        for (name, config) in steps() {
            let mut trainer = trainer(&config, &text);
            measure::series(&mut group, &name, || update(&mut trainer, &text));
        }
        group.finish();
        criterion.final_summary();
    });
}

fn config(name: &str, batch: usize) -> Config {
    let mut config = samples::config(name).expect("one of ours");
    config.train.batch_size = batch;
    config.train.micro_batch = Some(batch);
    config
}

fn trainer(config: &Config, text: &[u32]) -> Trainer {
    Trainer::new(config, text).expect("a text longer than a block")
}

fn update(trainer: &mut Trainer, text: &[u32]) {
    trainer.step(text).expect("a finite loss");
}

/// Checks the step by hand against the trainer's, times both in turn, and answers a row of the table.
fn compare(name: String, config: &Config, text: &[u32]) -> Vec<String> {
    let mut trainer = trainer(config, text);
    let (block_size, batch_size) = (config.model.block_size, config.train.batch_size);
    let rng = Rng::new(config.train.seed, Stream::Data); // the trainer's own: both see the same batches
    let mut sampler = WindowSampler::new(text.len(), block_size, batch_size, config.train.sampler, rng)
        .expect("a text longer than a block");
    let mut hand = Hand::new(config, &trainer.model, &trainer.params);
    let difference = hand.check(&mut trainer, &mut sampler, text);
    let lr = trainer.lr();
    let by_tape = || update(&mut trainer, text);
    let by_hand = || _ = hand.step(&sampler.next_batch(text), lr);
    let both = alternate(measure::budget(20.0), by_tape, by_hand);
    let overhead = |ratio: f64| format!("{:+.1} %", 100.0 * (ratio - 1.0));
    vec![
        name,
        table::time(both.median_a()),
        table::time(both.median_b()),
        overhead(both.ratio()),
        format!("{} to {}", overhead(both.ratio_at(0.25)), overhead(both.ratio_at(0.75))),
        both.rounds().to_string(),
        format!("{:.0}", (block_size * batch_size) as f64 / both.median_a()),
        if difference == 0.0 { "0".to_string() } else { format!("{difference:.0e}") },
    ]
}
