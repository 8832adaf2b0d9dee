//! The least time to a good loss: the preset `shakespeare`, seed by seed, with the clock beside the loss.
//!
//! ```text
//! cargo run --release -p examples --example 07_speedrun                                # a minute on generated stories
//! cargo run --release -p examples --example 07_speedrun -- tinyshakespeare.txt         # the record, one seed
//! cargo run --release -p examples --example 07_speedrun -- tinyshakespeare.txt 1 2 3   # three seeds, mean and spread
//! NEWLEAF_EXAMPLE_STEPS=300 cargo run --release -p examples --example 07_speedrun -- tinyshakespeare.txt
//! ```
//!
//! The rules, fixed before anything was tuned: the first 90 % of the text are for training, the loss is the mean over all
//! targets of the last 10 % in windows of `block_size` that do not overlap, the number of updates is part of the preset, and
//! what is reported is the loss after the last one. The clock runs while the model is made, batches are drawn and weights
//! updated, and stands still while the loss is measured. The weights begin at random; nothing but the training part is used.
//!
//! For comparison: nanoGPT reaches 1.4697 on this text with 10.7 million parameters on a GPU; counting (Kneser-Ney of order
//! 7) reaches 1.5165. What each part of the preset is worth is in docs/speedrun.md.

use data::dataset::train_val_split;
use data::ngram::KneserNey;
use data::{CharTokenizer, read_text};
use gpt::config::Preset;
use gpt::plan::set_updates;
use gpt::train::{Trainer, evaluate};
use std::error::Error;
use std::time::Instant;

/// nanoGPT's loss on Tiny Shakespeare.
const TARGET: f64 = 1.4697;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    // Without a text: stories that a grammar writes, whose best possible loss is known.
    let (text, floor) = match arguments.next() {
        Some(path) => (read_text(path)?, None),
        None => {
            let stories = synth::sample("storygen", &[], 1, 300_000)?;
            (stories.text(), Some(stories.floor_nats))
        }
    };
    let mut seeds: Vec<u64> = arguments.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    if seeds.is_empty() {
        seeds.push(1);
    }
    let tokenizer = CharTokenizer::from_text(&text)?;
    let tokens = tokenizer.encode(&text)?;
    let (train, val) = train_val_split(&tokens, 0.9)?;

    let mut config = Preset::Shakespeare.config(tokenizer.vocab_size());
    let usual = if floor.is_some() { 60 } else { config.train.max_iters };
    let updates = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(usual), |steps| steps.parse())?;
    if updates != config.train.max_iters {
        set_updates(&mut config, updates); // warm-up and decay follow
    }

    let counts = KneserNey::fit(train, 7, tokenizer.vocab_size())?.evaluate(val, 1)?.mean();
    println!(
        "{} characters to train, {} to validate, {} different",
        train.len(),
        val.len(),
        config.model.vocab_size
    );
    println!(
        "an n-gram model reaches {counts:.4}{}",
        floor.map_or(String::new(), |floor| format!(", at best {floor:.4}"))
    );
    println!("{:>5} {:>8} {:>10} {:>9} {:>9}", "seed", "updates", "tokens", "seconds", "val loss");

    let (mut losses, mut times) = (Vec::new(), Vec::new());
    for seed in seeds {
        config.train.seed = seed;
        let start = Instant::now();
        let mut trainer = Trainer::new(&config, train)?; // which counts n-grams
        let mut seconds = start.elapsed().as_secs_f64();
        for update in 1..=updates {
            let start = Instant::now();
            trainer.step(train)?;
            seconds += start.elapsed().as_secs_f64();
            if update % (updates / 4).max(1) == 0 || update == updates {
                let loss = evaluate(&trainer.model, trainer.averaged(), val, 0)?;
                println!("{seed:>5} {update:>8} {:>10} {seconds:>9.1} {loss:>9.4}", trainer.tokens);
                if update == updates {
                    losses.push(loss);
                    times.push(seconds);
                }
            }
        }
    }
    let (loss, spread) = mean_and_spread(&losses);
    let (seconds, _) = mean_and_spread(&times);
    println!("{} seeds: loss {loss:.4} +- {spread:.4} after {seconds:.0} s of training", losses.len());
    if floor.is_none() {
        println!("nanoGPT's {TARGET}: {}", if loss <= TARGET { "reached" } else { "not reached" });
    }
    Ok(())
}

/// The mean, and the standard deviation of the single values (0 of one).
fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}
