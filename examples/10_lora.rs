//! LoRA in sixty lines: a model of stories learns to write news by training a tenth as many numbers.
//!
//! ```text
//! cargo run --release -p examples --example 10_lora                    # about half a minute on two cores
//! ```
//!
//! W' = W + alpha/r B A (Hu et al. 2021, arXiv 2106.09685): the large W stays as it is, the two small matrices are trained.

use data::read::{Documents, Options};
use data::{CharTokenizer, Example, read_text, sequential_windows};
use gpt::config::Preset;
use gpt::peft::Method;
use gpt::train::Trainer;
use gpt::tune::{Complete, TuneConfig, fit, mean_loss};
use random::{Rng, Stream};
use std::error::Error;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn Error>> {
    let steps: usize = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(600), |steps| steps.parse())?;
    let datasets = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets");
    let stories = read_text(format!("{datasets}/stories-en.txt"))?;
    let news: Result<Vec<_>, _> =
        Documents::open(format!("{datasets}/news-en.jsonl"), &Options::default())?.collect();
    let news: Vec<String> = news?.into_iter().map(|document| document.text + "\n\n").collect();
    let tokenizer = CharTokenizer::from_text(&(stories.clone() + &news.concat()))?;

    // The base: a small GPT that has read stories only.
    let mut config = Preset::NanoCpu.config(tokenizer.vocab_size());
    (config.train.max_iters, config.train.learning_rate) = (steps, 3e-3);
    let text = tokenizer.encode(&stories)?;
    let mut trainer = Trainer::new(&config, &text[..])?;
    for _ in 0..steps {
        trainer.step(&text[..])?;
    }

    // The news, every tenth piece for testing.
    let examples = |test: bool| -> Result<Vec<Example>, data::DataError> {
        let parts = news.iter().enumerate().filter(|(i, _)| (i % 10 == 9) == test);
        let ids = tokenizer.encode(&parts.map(|(_, text)| text.as_str()).collect::<String>())?;
        Ok(sequential_windows(&ids, config.model.block_size)?.collect())
    };
    let (train, test) = (examples(false)?, examples(true)?);
    let before = mean_loss(&trainer.model, &trainer.params, &test);
    println!("{:<30} {:>9} {:>21}", "", "trained", "loss on unseen news");
    println!("{:<30} {:>9} {before:>21.4}", "the model of stories", 0);

    for method in ["lora:r=8,alpha=16,targets=qkvofp", "full"] {
        let (mut model, mut params) = (trainer.model.clone(), trainer.params.clone());
        let method: Method = method.parse()?;
        model.tune(&method, &mut params, &mut Rng::new(1, Stream::Init))?;
        let task = Complete { gpt: &model, examples: &train, dev: &test, label_smoothing: 0.0 };
        let settings = TuneConfig {
            epochs: 6,
            learning_rate: method.learning_rate(model.config.n_embd),
            ..TuneConfig::default()
        };
        let outcome = fit(&mut params, &task, &settings, |_| ControlFlow::Continue(()))?;
        println!(
            "{:<30} {:>9} {:>21.4}",
            method.to_string(),
            outcome.trainable_parameters,
            -outcome.best_score
        );
        if model.is_mergeable() {
            model.merge(&mut params); // W' takes the place of W: the same bits, and nothing to carry along
            assert_eq!(mean_loss(&model, &params, &test), -outcome.best_score);
        }
    }
    Ok(())
}
