//! newleaf's side of `peers/compare.py`: reads one JSON request a line, answers each with one JSON line. The
//! protocol is in `peers/README.md`.

use benches::attention::{Attention, Keys, Shape, Size};
use benches::decoding::Writer;
use benches::{machine, samples};
use gpt::config::GptConfig;
use gpt::train::Trainer;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;
use tensor::kernels::attention::TRAINING;
use tensor::kernels::simd::Path;

/// Repetitions that are not timed: in the first the pool's buffers are made, and in a later round the other peer
/// had the caches in between.
const WARM_UP_FIRST: u64 = 3;
const WARM_UP_AGAIN: u64 = 1;
/// Tokens of a text that is written in the shape of GPT-2, whose block is longer than is worth waiting for.
const GPT2_TOKENS: usize = 64;
/// Characters of training text.
const TEXT: usize = 100_000;

fn main() {
    machine::in_pool(|| {
        let mut prepared = HashMap::new();
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if line.trim().is_empty() {
                continue;
            }
            let request = serde_json::from_str(&line).map_err(|e| format!("not a JSON object: {e}"));
            if request.as_ref().is_ok_and(|request: &Value| request["work"] == "quit") {
                return;
            }
            let answer = request.and_then(|request| answer(&request, &mut prepared));
            let answer = answer.unwrap_or_else(|error| json!({ "error": error }));
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
                return; // nobody listens
            }
        }
    });
}

/// Something set up once and timed in every round.
enum Work {
    Step { trainer: Box<Trainer>, text: Vec<u32> },
    Attention { attention: Box<Attention>, forward: bool, backward: bool },
    Decode { writer: Box<Writer>, tokens: usize },
}

fn answer(request: &Value, prepared: &mut HashMap<String, Work>) -> Result<Value, String> {
    let threads = rayon::current_num_threads();
    if request["work"] == "info" {
        let name = concat!("newleaf ", env!("CARGO_PKG_VERSION"));
        return Ok(json!({ "name": name, "simd": Path::current().name(), "threads": threads }));
    }
    let amount = amount(request)?;
    let key = key(request);
    let mut warm_up = WARM_UP_AGAIN;
    if !prepared.contains_key(&key) {
        prepared.insert(key.clone(), Work::new(request)?);
        warm_up = WARM_UP_FIRST;
    }
    let work = prepared.get_mut(&key).expect("just inserted");
    for _ in 0..request["warm_up"].as_u64().unwrap_or(warm_up) {
        work.once()?;
    }
    let mut answer = work.timed(amount)?;
    answer["threads"] = threads.into();
    if let Some(bytes) = machine::peak_memory() {
        answer["peak_rss_bytes"] = bytes.into();
    }
    Ok(answer)
}

/// How much of each kind of work is asked for.
const AMOUNTS: [(&str, &str); 3] = [("step", "steps"), ("attention", "repeats"), ("decode", "tokens")];

fn amount(request: &Value) -> Result<usize, String> {
    let known = AMOUNTS.into_iter().find(|(work, _)| request["work"] == *work);
    let (_, name) = known.ok_or_else(|| {
        format!("work: expected step, attention, decode, info or quit; found {}", request["work"])
    })?;
    count(request, name)
}

/// The request without the amounts, which are not part of what is set up.
fn key(request: &Value) -> String {
    let fields = request.as_object().into_iter().flatten();
    let amount = |name: &str| name == "warm_up" || AMOUNTS.into_iter().any(|(_, amount)| amount == name);
    let fields = fields.filter(|(name, _)| !amount(name));
    let mut fields: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort();
    fields.join(" ")
}

/// A positive whole number of the request.
fn count(request: &Value, name: &str) -> Result<usize, String> {
    let number = request[name].as_u64().filter(|&n| n > 0).and_then(|n| usize::try_from(n).ok());
    number.ok_or_else(|| format!("{name}: expected a positive whole number; found {}", request[name]))
}

impl Work {
    fn new(request: &Value) -> Result<Self, String> {
        match request["work"].as_str() {
            Some("step") => Self::step(request),
            Some("attention") => {
                let [b, nh, t, hs] = ["b", "nh", "t", "hs"].map(|name| count(request, name));
                let (forward, backward) = match request["pass"].as_str() {
                    None if request["pass"].is_null() => (true, true),
                    Some("forward") => (true, false),
                    Some("backward") => (false, true),
                    _ => {
                        return Err(format!("pass: expected forward or backward; found {}", request["pass"]));
                    }
                };
                let shape = Shape::new(b?, nh?, t?, hs?);
                let mut attention = Box::new(Attention::new(Size { shape, keys: Keys::Causal }));
                attention.forward(TRAINING); // a backward alone reads its results
                Ok(Self::Attention { attention, forward, backward })
            }
            _ => Self::decode(request),
        }
    }

    fn decode(request: &Value) -> Result<Self, String> {
        let (config, tokens) = match request["preset"].as_str() {
            None | Some("nano-cpu") => {
                let config = samples::config("nano-cpu").expect("one of ours").model;
                let tokens = config.block_size - 1;
                (config, tokens)
            }
            Some("gpt2-124m") => (GptConfig::gpt2(), GPT2_TOKENS),
            _ => return Err(format!("preset: expected nano-cpu or gpt2-124m; found {}", request["preset"])),
        };
        let writer = Writer::new(&config);
        match request["weights"].as_str() {
            None | Some("f32") => Ok(Self::Decode { writer: Box::new(writer), tokens }),
            Some("int8") => Ok(Self::Decode { writer: Box::new(writer.in_int8()), tokens }),
            _ => Err(format!("weights: expected f32 or int8; found {}", request["weights"])),
        }
    }

    fn step(request: &Value) -> Result<Self, String> {
        let name = request["preset"].as_str().unwrap_or_default();
        let expected = || format!("preset: expected nano-cpu, mid or baby; found {}", request["preset"]);
        let mut config = samples::config(name).ok_or_else(expected)?;
        if !request["batch"].is_null() {
            config.train.batch_size = count(request, "batch")?;
        }
        let text = samples::text(TEXT);
        let trainer = Trainer::new(&config, &text[..]).map_err(|error| error.to_string())?;
        Ok(Self::Step { trainer: Box::new(trainer), text })
    }

    /// One repetition.
    fn once(&mut self) -> Result<(), String> {
        match self {
            Self::Step { trainer, text } => trainer.step(text).map(drop).map_err(|error| error.to_string()),
            Self::Attention { attention, forward, backward } => {
                if *forward {
                    attention.forward(TRAINING);
                }
                if *backward {
                    attention.backward(TRAINING);
                }
                Ok(())
            }
            Self::Decode { writer, tokens } => {
                std::hint::black_box(writer.write(*tokens));
                Ok(())
            }
        }
    }

    /// The answer to a request for this much work.
    fn timed(&mut self, amount: usize) -> Result<Value, String> {
        let repeats = if let Self::Decode { tokens, .. } = self { amount.div_ceil(*tokens) } else { amount };
        let mut seconds = Vec::with_capacity(repeats);
        for _ in 0..repeats {
            let start = Instant::now();
            self.once()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(match self {
            Self::Decode { tokens, .. } => {
                let rates: Vec<f64> = seconds.iter().map(|s| *tokens as f64 / s).collect();
                json!({ "tokens_per_s": rates })
            }
            _ => json!({ "ms": seconds.iter().map(|s| 1e3 * s).collect::<Vec<f64>>() }),
        })
    }
}
