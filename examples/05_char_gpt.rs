//! A character-level GPT from a text file to its samples: the whole program on one page.
//!
//! ```text
//! cargo run --release -p examples --example 05_char_gpt                    # about 20 seconds on two cores
//! cargo run --release -p examples --example 05_char_gpt -- my-text.txt     # your own text, UTF-8
//! NEWLEAF_EXAMPLE_STEPS=5000 cargo run --release -p examples --example 05_char_gpt -- my-text.txt
//! ```
//!
//! `newleaf train` does this with settings, checkpoints, a log and recovery. Here is what is left without
//! them.

use data::{CharTokenizer, SamplingMode, WindowSampler, read_text, sequential_batches, train_val_split};
use gpt::Gpt;
use gpt::config::Preset;
use gpt::generate::{Generator, Sampler, Temperature, TopK};
use nn::Schedule;
use nn::optim::{AdamW, AdamWConfig, Optimizer, clip_grad_norm};
use random::{Rng, Stream};
use std::time::Instant;
use tensor::{DropoutSeeds, Grads, Params, Tape, Workspace};

const SEED: u64 = 1337;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // ---- data ----------------------------------------------------------------------------------------
    let own = std::env::args().nth(1);
    let path =
        own.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/stories-en.txt").into());
    let text = read_text(&path)?;
    let tokenizer = CharTokenizer::from_text(&text)?; // one token a character
    let tokens = tokenizer.encode(&text)?;
    let (train, val) = train_val_split(&tokens, 0.9)?; // the end of the text is for testing only

    // ---- model ---------------------------------------------------------------------------------------
    // nanoGPT's recipe for a laptop: 4 blocks of 4 heads, 128 wide, 64 characters of context. For many more
    // steps on a short text set `config.dropout` to 0.2, or the model learns it by heart: then the validation
    // loss rises again.
    let config = Preset::NanoCpu.config(tokenizer.vocab_size()).model;
    let (block_size, batch_size) = (config.block_size, 12);
    let max_iters: u64 = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(1000), |steps| steps.parse())?;
    let mut params = Params::new();
    let model = Gpt::new(&config, &mut params, &mut Rng::new(SEED, Stream::Init));
    println!("{} characters, {} different ones", tokens.len(), config.vocab_size);
    println!("{} parameters, {max_iters} steps of {} characters", params.count(), batch_size * block_size);

    // ---- what training needs -------------------------------------------------------------------------
    let workspace = Workspace::new(); // memory that every step uses again
    let mut grads = Grads::new(&params);
    let mut optimizer = AdamW::new(&params, AdamWConfig { beta2: 0.99, ..AdamWConfig::default() });
    let schedule = Schedule::Cosine {
        learning_rate: 3e-3, // larger than usual, because the run is short
        min_lr: 3e-4,
        warmup_iters: max_iters / 20,
        lr_decay_iters: max_iters,
    };
    let rng = Rng::new(SEED, Stream::Data);
    let mut sampler = WindowSampler::new(train.len(), block_size, batch_size, SamplingMode::Crop, rng)?;

    // ---- training loop -------------------------------------------------------------------------------
    let started = Instant::now();
    let report_every = (max_iters / 10).max(1);
    println!("\n{:>6} {:>10} {:>10} {:>10} {:>9}", "step", "train loss", "val loss", "grad norm", "seconds");
    for iter in 0..max_iters {
        let batch = sampler.next_batch(train); // ids (B, T), and as labels the ids that follow each of them

        let tape = Tape::new(&params, &workspace).with_dropout(DropoutSeeds::new(SEED, iter));
        let loss = model.loss(&tape, &batch); // forward: B x T predictions
        grads.clear();
        loss.backward(&mut grads); // backward: the gradient of every parameter
        let train_loss = loss.item();
        drop(tape); // the graph is done with, and the parameters may change again

        let norm = clip_grad_norm(&mut grads, 1.0); // one odd batch must not throw the weights away
        optimizer.step(&mut params, &grads, schedule.lr(iter))?;

        if iter % report_every == 0 || iter + 1 == max_iters {
            let val_loss = evaluate(&model, &params, &workspace, val)?;
            let seconds = started.elapsed().as_secs_f64();
            println!("{iter:>6} {train_loss:>10.4} {val_loss:>10.4} {norm:>10.3} {seconds:>9.1}");
        }
    }
    let loss = evaluate(&model, &params, &workspace, val)?;
    println!(
        "\nOn text that it has not seen, a character costs it {:.2} bits;",
        loss / std::f64::consts::LN_2
    );
    println!("without any knowledge it would be {:.2}.", (config.vocab_size as f64).log2());

    // ---- samples -------------------------------------------------------------------------------------
    let likely = Sampler::default().with(Temperature(0.8)).with(TopK(40));
    let prompt = [val[0]];
    for sample in 0..2 {
        let rng = Rng::new(SEED + sample, Stream::Sampling);
        // One character at a time: keys and values of those before it are kept, so each costs one pass.
        let written: Vec<u32> =
            Generator::new(&model, &params, &prompt, likely.clone(), rng).take(400).collect();
        println!("\n---- sample {} ----\n{}", sample + 1, tokenizer.decode(&written)?);
    }
    Ok(())
}

/// The mean loss over all of a text, in nats a token: the windows do not overlap, and together they ask for
/// every token but the first exactly once.
fn evaluate(
    model: &Gpt,
    params: &Params,
    workspace: &Workspace,
    tokens: &[u32],
) -> Result<f64, Box<dyn std::error::Error>> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for batch in sequential_batches(tokens, model.config.block_size, 32)? {
        let tape = Tape::no_grad(params, workspace); // values only; dropout is off
        let loss = model.loss(&tape, &batch);
        sum += f64::from(loss.item()) * batch.total_weight();
        weight += batch.total_weight(); // the last batch is padded: its padding weighs nothing
    }
    Ok(sum / weight)
}
