//! What the workers of burn and of candle share: the presets and the protocol of README.md.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

pub const VOCAB: usize = 65;
/// Repetitions that are not timed: at the first request of a kind, where memory and the optimiser's state come into
/// being, and at the later ones, since the other peers had the caches in between.
const WARM_UP_FIRST: u64 = 3;
const WARM_UP_AGAIN: u64 = 1;

/// A model's shape and its batch.
#[derive(Clone, Copy)]
pub struct Config {
    pub n_layer: usize,
    pub n_head: usize,
    pub n_embd: usize,
    pub block_size: usize,
    pub batch: usize,
}

/// A model with its optimiser and one batch, which it gets again and again.
pub trait Training {
    /// One training step; its loss, before the update.
    fn step(&mut self) -> Result<f32, String>;
}

/// Ids below VOCAB, from a multiplicative generator: what they are does not matter, only that they are many.
pub fn random_ids(count: usize, seed: u64) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % VOCAB as u64) as u32
    };
    (0..count).map(|_| next()).collect()
}

/// Answers every line of the standard input.
pub fn serve<T: Training>(name: &str, new: impl Fn(Config) -> Result<T, String>) {
    let mut prepared = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let request: Value = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => json!({ "work": format!("not a JSON object: {error}") }),
        };
        let answer = match request["work"].as_str() {
            Some("quit") => return,
            Some("info") => Ok(json!({ "name": name, "threads": threads() })),
            Some("step") => step(&request, &mut prepared, &new),
            _ => Err(format!("work: expected step, info or quit; found {}", request["work"])),
        };
        let answer = answer.unwrap_or_else(|error| json!({ "error": error }));
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return; // nobody listens
        }
    }
}

fn step<T: Training>(
    request: &Value,
    prepared: &mut HashMap<String, T>,
    new: impl Fn(Config) -> Result<T, String>,
) -> Result<Value, String> {
    let config = config(request)?;
    let steps =
        request["steps"].as_u64().filter(|&n| n > 0).ok_or("steps: expected a positive whole number")?;
    let key = format!("{} {}", request["preset"], config.batch);
    let first = !prepared.contains_key(&key);
    if first {
        prepared.insert(key.clone(), new(config)?);
    }
    let training = prepared.get_mut(&key).expect("just inserted");
    let warm_up = request["warm_up"].as_u64().unwrap_or(if first { WARM_UP_FIRST } else { WARM_UP_AGAIN });
    for _ in 0..warm_up {
        training.step()?;
    }
    let (mut ms, mut loss) = (Vec::new(), 0.0);
    for _ in 0..steps {
        let start = Instant::now();
        loss = training.step()?;
        ms.push(1e3 * start.elapsed().as_secs_f64());
    }
    let mut answer = json!({ "ms": ms, "loss": loss, "threads": threads() });
    if let Some(bytes) = peak_memory() {
        answer["peak_rss_bytes"] = bytes.into();
    }
    Ok(answer)
}

fn config(request: &Value) -> Result<Config, String> {
    let shape =
        |n_layer, n_head, n_embd, block_size, batch| Config { n_layer, n_head, n_embd, block_size, batch };
    let mut config = match request["preset"].as_str() {
        Some("nano-cpu") => shape(4, 4, 128, 64, 12),
        Some("mid") => shape(6, 6, 192, 128, 16),
        Some("baby") => shape(6, 6, 384, 256, 64),
        _ => return Err(format!("preset: expected nano-cpu, mid or baby; found {}", request["preset"])),
    };
    if !request["batch"].is_null() {
        let batch =
            request["batch"].as_u64().filter(|&n| n > 0).ok_or("batch: expected a positive whole number")?;
        config.batch = usize::try_from(batch).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

fn threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|value| value.parse().ok());
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()))
}

/// The process's peak resident memory in bytes, on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kib)
}
