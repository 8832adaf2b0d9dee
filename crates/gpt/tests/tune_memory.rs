//! The bytes of a fine-tuning, calculated and taken. It is a program of its own, because what is measured is the peak of a process.
//!
//! `NEWLEAF_GPT2=1 cargo test --release -p gpt --test tune_memory` is the same with GPT-2 small's shape and 32 x 1024 tokens.
#![cfg(target_os = "linux")]

use data::Example;
use gpt::Gpt;
use gpt::config::{GptConfig, Preset};
use gpt::machine::Machine;
use gpt::tune::{Complete, Event, TuneConfig, TuneError, fit};
use random::{Rng, Stream};
use std::ops::ControlFlow;
use tensor::Params;

#[test]
fn what_is_calculated_is_what_is_taken() {
    let base = Preset::NanoCpu.config(8192).model;
    let small = GptConfig { n_layer: 4, n_head: 4, n_embd: 256, block_size: 256, ..base };
    let gpt2 = std::env::var("NEWLEAF_GPT2").is_ok();
    let config = match gpt2 {
        true => GptConfig {
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            block_size: 1024,
            vocab_size: 50_257,
            bias: true,
            ..small
        },
        false => small,
    };
    let before = Machine::peak_memory_bytes().expect("on Linux");
    let mut params = Params::new();
    let gpt = Gpt::new(&config, &mut params, &mut Rng::new(1, Stream::Init));
    let mut rng = Rng::new(2, Stream::Data);
    let mut example = |tokens: usize| {
        let ids: Vec<u32> = (0..=tokens).map(|_| rng.below(config.vocab_size as u64) as u32).collect();
        Example::next_token(&ids)
    };
    let examples: Vec<Example> = (0..32).map(|_| example(config.block_size)).collect();
    let dev = [example(16)];
    let task = Complete { gpt: &gpt, examples: &examples, dev: &dev, label_smoothing: 0.0 };
    let settings = TuneConfig { epochs: 2, ..TuneConfig::default() };
    let expected = settings.bytes(&config, &params, &task);
    let at_once = TuneConfig { micro_batch: Some(32), ..settings.clone() }.bytes(&config, &params, &task);
    // Two updates: buffers that the second finds are those of the first.
    let updates = if gpt2 { 1 } else { 2 };
    let tell = |event: Event| match event {
        Event::Update { update, .. } if update == updates => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let result = fit(&mut params, &task, &settings, tell);
    assert_eq!(result, Err(TuneError::Stopped));
    let taken = Machine::peak_memory_bytes().expect("on Linux") - before;
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let said = format!(
        "taken {} MB, calculated {} MB, all of the batch at once {} MB",
        megabytes(taken),
        megabytes(expected),
        megabytes(at_once)
    );
    eprintln!("{said}");
    assert!((taken as f64 / expected as f64 - 1.0).abs() <= 0.1, "{said}");
    assert!(!gpt2 || taken < 7_000_000_000, "{said}");
    assert!(2 * at_once > 3 * expected, "{said}");
}
