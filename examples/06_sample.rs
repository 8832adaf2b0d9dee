//! One model, many ways to sample from it.
//!
//! A language model only says how likely each next character is. Which one is taken is another matter, and
//! it decides whether a text is dull, lively or mad.
//!
//! ```text
//! cargo run --release -- train --out my                                   # a model to write with
//! cargo run --release -p examples --example 06_sample -- my "Once "       # a directory and a prompt
//! cargo run --release -p examples --example 06_sample                     # or a small one, trained at once
//! ```

use data::{CharTokenizer, Tokenizer, read_text};
use gpt::Model;
use gpt::config::Preset;
use gpt::generate::{Decoder, Generator, MinP, Sampler, Temperature, TopK, TopP};
use gpt::train::Trainer;
use random::{Rng, Stream};
use std::error::Error;
use std::path::Path;

const SEED: u64 = 1337;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let Model { gpt: model, params, tokenizer, .. } = match args.next() {
        Some(directory) => load(Path::new(&directory))?,
        None => train()?,
    };
    let prompt = args.next().unwrap_or_else(|| "The ".into());
    let ids = tokenizer.encode(&prompt)?;

    let all = Sampler::default(); // temperature 1 and nothing removed: what the model believes
    let settings = [
        ("greedy", Sampler::greedy()),
        ("temperature 0.5", all.clone().with(Temperature(0.5))),
        ("temperature 1", all.clone()),
        ("temperature 1.5", all.clone().with(Temperature(1.5))),
        ("top-k 3", all.clone().with(TopK(3))),
        ("top-p 0.8", all.clone().with(TopP(0.8))),
        ("min-p 0.2", all.clone().with(MinP(0.2))),
    ];

    // The decoder takes tokens, the prompt in one forward pass, and has a score for each that may follow. It keeps
    // keys and values of the tokens before, so a new one costs one pass over the weights.
    let mut decoder = Decoder::new(&model, &params);
    let logits = decoder.push_all(&ids);
    println!("After {prompt:?}, in percent (the seven likeliest; a dot: removed, cannot be chosen):\n");
    let shown: Vec<u32> = all.distribution(&ids, logits).iter().take(7).map(|(id, _)| *id).collect();
    let token = |id: &u32| tokenizer.decode(&[*id]).expect("an id of the model's");
    let heads: String = shown.iter().map(|id| format!("{:>7}", format!("{:?}", token(id)))).collect();
    println!("{:<18}{heads}   choices", "");
    for (name, sampler) in &settings {
        let distribution = sampler.distribution(&ids, logits);
        let percent = |id: &u32| match distribution.iter().find(|(other, _)| other == id) {
            Some((_, p)) => format!("{:>7.1}", 100.0 * p),
            None => format!("{:>7}", "."),
        };
        let row: String = shown.iter().map(percent).collect();
        println!("{name:<18}{row} {:>9}", distribution.len());
    }

    // Temperature divides the scores: below 1 the gaps between them grow, above 1 they shrink, and the long
    // tail of unlikely characters, each of which can derail a word, gets its turn. top-k, top-p and min-p cut
    // that tail off: after k choices, after a share p of the probability, below a fraction of the likeliest.
    // Where the model is sure, top-p and min-p leave one choice, and where it is not, many; k stays k.
    println!("\nAnd what comes of it, with the same random numbers:\n");
    for (name, sampler) in settings {
        let rng = Rng::new(SEED, Stream::Sampling);
        let tokens: Vec<u32> = Generator::new(&model, &params, &ids, sampler, rng).take(240).collect();
        let text = (prompt.clone() + &tokenizer.decode(&tokens)?).replace('\n', "⏎");
        let characters: Vec<char> = text.chars().collect();
        for (i, line) in characters.chunks(80).enumerate() {
            println!("{:<18}{}", if i == 0 { name } else { "" }, line.iter().collect::<String>());
        }
        println!();
    }
    Ok(())
}

/// The model that `newleaf train --out DIR` left in DIR: its best one, by the loss on the validation part.
fn load(directory: &Path) -> Result<Model, Box<dyn Error>> {
    let best = directory.join("best");
    Ok(Model::load(if best.is_dir() { &best } else { directory })?)
}

/// A small model of the stories that come with this project. `05_char_gpt` shows what a `Trainer` does.
fn train() -> Result<Model, Box<dyn Error>> {
    let text = read_text(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/stories-en.txt"))?;
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text(&text)?);
    let tokens = tokenizer.encode(&text)?;
    let mut config = Preset::NanoCpu.config(tokenizer.vocab_size());
    let steps: usize = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(600), |steps| steps.parse())?;
    config.set("max_iters", &steps.max(1).to_string())?;
    config.set("lr_decay_iters", &steps.max(1).to_string())?;
    config.set("warmup_iters", &(steps / 20).to_string())?;
    config.set("learning_rate", "3e-3")?;
    println!("No model directory given: training a small one for {steps} steps.");
    let mut trainer = Trainer::new(&config, &tokens[..])?;
    for step in 0..steps {
        let report = trainer.step(&tokens)?;
        if step % (steps / 6).max(1) == 0 {
            println!("  step {step:>4}   loss {:.4}", report.loss);
        }
    }
    println!();
    Ok(Model::new(trainer.model, trainer.params, tokenizer))
}
