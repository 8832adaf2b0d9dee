//! The smallest language model: the next character depends on the one before it, and on nothing else.
//!
//! It is a table of V x V numbers, one row for each character, and there are two ways to fill it: count, or
//! train. They end at the same table, which says what training a language model is: finding, by going
//! downhill, the frequencies that one could count if the text were long enough. A GPT looks at hundreds of
//! characters instead of one. Its table would have more rows than there are atoms, so it cannot be counted
//! any more; but it can still be trained.
//!
//! Run: `cargo run --release -p examples --example 04_bigram`

use data::{CharTokenizer, read_text, train_val_split};
use gpt::generate::Sampler;
use nn::optim::{AdamW, AdamWConfig, Optimizer};
use random::{Rng, Stream};
use tensor::{Grads, Params, Tape, Workspace};

/// A V x V table of scores; the softmax of row i is the distribution of what follows character i.
type Table = Vec<f32>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = read_text(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/stories-en.txt"))?;
    let tokenizer = CharTokenizer::from_text(&text)?;
    let tokens = tokenizer.encode(&text)?;
    let v = tokenizer.vocab_size();
    let (train, val) = train_val_split(&tokens, 0.9)?;
    println!("{} characters to train on, {} to test on, {v} different ones.\n", train.len(), val.len());
    println!("{:<22} {:.4} nats a character, which is ln {v}", "Knowing nothing:", (v as f64).ln());

    // A pair that the training text does not have gets probability 0, and a text that has it an infinite
    // loss. So one usually pretends to have seen every pair a little.
    let report = |name: &str, table: &Table| {
        println!("{name:<22} train {:.4}, test {:.4}", loss(table, train, v), loss(table, val, v));
    };
    let counted = count(train, v, 0.0);
    report("Counted:", &counted);
    report("Counted, 0.1 added:", &count(train, v, 0.1));

    let steps = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(200), |steps| steps.parse())?;
    println!("\nTraining: the loss comes down to the counted one, and cannot fall below it.\n");
    let trained = train_table(train, v, steps)?;
    report("\nTrained:", &trained);

    println!("\nWhat follows q, h and a full stop, most likely first (counted | trained):\n");
    let mut rows = Vec::new();
    for character in ['q', 'h', '.'] {
        let Ok(ids) = tokenizer.encode(&character.to_string()) else { continue };
        let row = |table: &Table| -> String {
            let likely = Sampler::default().distribution(&[], &table[ids[0] as usize * v..][..v]);
            let shown =
                likely.iter().take(5).map(|(id, p)| format!("{:?} {p:.2}", tokenizer.chars()[*id as usize]));
            shown.collect::<Vec<_>>().join("  ")
        };
        rows.push((character, row(&counted), row(&trained)));
    }
    let width = rows.iter().map(|(_, counted, _)| counted.chars().count()).max().unwrap_or(0);
    for (character, counted, trained) in rows {
        println!("  {character}   {counted:<width$} | {trained}");
    }

    println!(
        "\nWhat it writes. One character of memory is enough for the length of words, and for little else:\n"
    );
    let mut rng = Rng::new(1337, Stream::Sampling);
    let mut token = train[0];
    let written: Vec<u32> = std::iter::repeat_with(|| {
        token = Sampler::default().sample(&[], &trained[token as usize * v..][..v], &mut rng);
        token
    })
    .take(300)
    .collect();
    println!("{}", tokenizer.decode(&written)?);
    Ok(())
}

/// The first way: how often does b follow a? The logarithm of the frequency is a score whose softmax is the
/// frequency. `extra` is added to every count.
fn count(tokens: &[u32], v: usize, extra: f32) -> Table {
    let mut counts = vec![extra; v * v];
    for pair in tokens.windows(2) {
        counts[pair[0] as usize * v + pair[1] as usize] += 1.0;
    }
    let rows = counts.chunks(v);
    rows.flat_map(|row| {
        let total: f32 = row.iter().sum();
        row.iter().map(move |n| (n / total.max(1.0)).ln())
    })
    .collect()
}

/// The second way: start from nothing, and go downhill. Looking up the row of each character and comparing
/// its softmax with the character that follows is all there is to the model.
fn train_table(tokens: &[u32], v: usize, steps: usize) -> Result<Table, Box<dyn std::error::Error>> {
    let mut params = Params::new();
    let table = params.add("table", [v, v], |zeros| zeros.fill(0.0)); // all characters equally likely
    let (mut grads, workspace) = (Grads::new(&params), Workspace::new());
    let config = AdamWConfig { weight_decay: 0.0, ..AdamWConfig::default() };
    let mut optimizer = AdamW::new(&params, config);
    let (ids, next) = (&tokens[..tokens.len() - 1], &tokens[1..]);
    let weights = vec![1.0; ids.len()];
    for step in 0..=steps {
        let tape = Tape::new(&params, &workspace);
        let logits = tape.param(table).embedding(ids, &[ids.len()]); // (N, V)
        let loss = logits.cross_entropy(next, &weights, ids.len() as f32); // the mean of -ln p(next)
        grads.clear();
        loss.backward(&mut grads);
        if step % 25 == 0 {
            println!("  step {step:>4}   {:.4}", loss.item());
        }
        drop(tape);
        optimizer.step(&mut params, &grads, 0.1)?;
    }
    Ok(params.data(table).to_vec())
}

/// The mean of -ln p(b | a) over all pairs of neighbours, in nats a character.
fn loss(table: &Table, tokens: &[u32], v: usize) -> f64 {
    let surprise = |a: u32, b: u32| {
        let row = &table[a as usize * v..][..v];
        if row[b as usize] == f32::NEG_INFINITY {
            return f64::INFINITY; // impossible, and yet it happened
        }
        let sum: f64 = row.iter().map(|score| f64::from(*score).exp()).sum();
        sum.ln() - f64::from(row[b as usize])
    };
    tokens.windows(2).map(|pair| surprise(pair[0], pair[1])).sum::<f64>() / (tokens.len() - 1) as f64
}
