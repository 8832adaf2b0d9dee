//! What each switch of the preset `shakespeare` is worth: one training for each row of a list, in which one thing is
//! otherwise, seed by seed.
//!
//!   cargo run --release -p experiments --bin ablations -- runs.tsv storygen 200 1,2,3
//!   cargo run --release -p experiments --bin ablations -- runs.tsv tinyshakespeare.txt 400 1
//!   cargo run --release -p experiments --bin ablations -- runs.tsv storygen 200 1,2,3 "norm=layer_norm" "window=64 n_head=2"
//!
//! The text is a generator's, of which every token is new, or a file, whose last tenth is for validation. A run that
//! `runs.tsv` has is not made again, so an interrupted study goes on where it was, and rows may be divided among several
//! processes. Progress on stderr; on stdout a table of all runs of this text and length that the file has.

use benches::table;
use data::dataset::train_val_split;
use data::{CharTokenizer, read_text};
use gpt::config::{Config, Preset};
use gpt::plan::set_updates;
use gpt::train::{Trainer, evaluate};
use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;
use synth::{find, sample};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Tokens of a generator that are measured.
const MEASURED: u64 = 200_000;

/// The settings of each row, separated by spaces; none is the preset itself.
const ROWS: &[&str] = &[
    "",
    "ngram=0",
    "ngram=3",
    "position=learned",
    "position=sinusoidal",
    "position=none",
    "norm=layer_norm",
    "activation=gelu",
    "activation=swiglu",
    "qk_norm=false",
    "n_kv_head=1",
    "value_residual=false",
    "embedding_skip=false",
    "soft_cap=0",
    "tied=false",
    "zero_init=false",
    "window=64",
    "optimizer=muon",
    "beta2_tokens=200000",
    "schedule=cosine",
    "schedule=wsd",
    "seq_len_warmup=100 seq_len_start=64",
    "ema=0.99",
    "dropout=0",
    "label_smoothing=0.1",
    "z_loss=1e-4",
];

/// Training text, validation text, and how many tokens there are.
struct Text {
    train: Vec<u32>,
    val: Vec<u32>,
    vocab_size: usize,
}

/// A finished run, a line of the file.
struct Run {
    text: String,
    updates: usize,
    row: String,
    seed: u64,
    loss: f64,
    seconds: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name, updates, seeds, rows @ ..] = &arguments[..] else {
        return Err("usage: ablations RUNS.tsv GENERATOR|FILE UPDATES SEED,SEED,... [ROW ...]".into());
    };
    let updates: usize = updates.parse()?;
    let seeds: Vec<u64> = seeds.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
    let rows: Vec<&str> =
        if rows.is_empty() { ROWS.to_vec() } else { rows.iter().map(String::as_str).collect() };
    // Every seed of every row before the next row, so that what is there is complete.
    for row in &rows {
        for &seed in &seeds {
            if runs(path)?.iter().any(|run| run.is(name, updates) && run.row == *row && run.seed == seed) {
                continue;
            }
            let (loss, seconds) = train(&text(name, updates, seed)?, row, updates, seed)?;
            eprintln!("{:40} seed {seed}  {loss:.4}  {seconds:.0} s", shown(row));
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{name}\t{updates}\t{row}\t{seed}\t{loss}\t{seconds}")?;
        }
    }
    let runs: Vec<Run> = runs(path)?.into_iter().filter(|run| run.is(name, updates)).collect();
    print(name, updates, &runs);
    Ok(())
}

impl Run {
    fn parse(line: &str) -> Result<Run> {
        let [text, updates, row, seed, loss, seconds] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(
                format!("{line:?} is not TEXT, UPDATES, ROW, SEED, LOSS, SECONDS with tabs between").into()
            );
        };
        Ok(Run {
            text: text.into(),
            updates: updates.parse()?,
            row: row.into(),
            seed: seed.parse()?,
            loss: loss.parse()?,
            seconds: seconds.parse()?,
        })
    }

    fn is(&self, text: &str, updates: usize) -> bool {
        self.text == text && self.updates == updates
    }
}

/// The runs of a file, none if it is not there yet.
fn runs(path: &str) -> Result<Vec<Run>> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().map(Run::parse).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{path}: {error}").into()),
    }
}

fn shown(row: &str) -> &str {
    if row.is_empty() { "the preset" } else { row }
}

fn config(row: &str, updates: usize, vocab_size: usize) -> Result<Config> {
    let mut config = Preset::Shakespeare.config(vocab_size);
    set_updates(&mut config, updates);
    for setting in row.split_whitespace() {
        let (name, value) = setting.split_once('=').ok_or("settings are NAME=VALUE")?;
        config.set(name, value)?;
    }
    config.validate()?;
    Ok(config)
}

fn text(name: &str, updates: usize, seed: u64) -> Result<Text> {
    if find(name).is_ok() {
        let base = config("", updates, 2)?;
        let tokens = updates * base.train.batch_size * base.model.block_size + 2 * base.model.block_size;
        let train = sample(name, &[], seed, tokens as u64)?;
        let val = sample(name, &[], 1_000_000 + seed, MEASURED)?.symbols;
        return Ok(Text { vocab_size: train.alphabet.len(), train: train.symbols, val });
    }
    let text = read_text(name)?;
    let tokenizer = CharTokenizer::from_text(&text)?;
    let tokens = tokenizer.encode(&text)?;
    let (train, val) = train_val_split(&tokens, 0.9)?;
    Ok(Text { train: train.to_vec(), val: val.to_vec(), vocab_size: tokenizer.vocab_size() })
}

/// Validation loss after the last update, and the seconds of training.
fn train(text: &Text, row: &str, updates: usize, seed: u64) -> Result<(f64, f64)> {
    let mut config = config(row, updates, text.vocab_size)?;
    config.train.seed = seed;
    let start = Instant::now();
    let mut trainer = Trainer::new(&config, &text.train[..])?;
    for _ in 0..updates {
        trainer.step(&text.train[..])?;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok((evaluate(&trainer.model, trainer.averaged(), &text.val[..], 0)?, seconds))
}

/// Mean and spread of the losses; mean and spread of the differences to the preset, seed by seed; the ratio of the times.
fn print(name: &str, updates: usize, runs: &[Run]) {
    let base = |seed: u64| runs.iter().find(|run| run.row.is_empty() && run.seed == seed);
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.row.as_str()) {
            names.push(&run.row);
        }
    }
    let line = |row: &&str| {
        let of: Vec<&Run> = runs.iter().filter(|run| run.row == *row).collect();
        let losses: Vec<f64> = of.iter().map(|run| run.loss).collect();
        let pairs: Vec<(&Run, &Run)> = of.iter().filter_map(|run| Some((*run, base(run.seed)?))).collect();
        let differences: Vec<f64> = pairs.iter().map(|(run, base)| run.loss - base.loss).collect();
        let times: Vec<f64> = pairs.iter().map(|(run, base)| run.seconds / base.seconds).collect();
        let (loss, spread) = mean_and_spread(&losses);
        let (difference, uncertainty) = mean_and_spread(&differences);
        let with_spread = |mean: String, spread: Option<f64>| match spread {
            Some(spread) => format!("{mean} ± {spread:.4}"),
            None => mean,
        };
        vec![
            shown(row).to_string(),
            with_spread(format!("{loss:.4}"), spread),
            with_spread(format!("{difference:+.4}"), uncertainty),
            format!("{:.2}", mean_and_spread(&times).0),
        ]
    };
    let rows: Vec<Vec<String>> = names.iter().map(line).collect();
    let title = format!("{name}, {updates} updates, each row against the preset");
    table::write(&title, &["settings", "loss", "difference", "time"], &rows);
}

/// The mean, and the standard deviation of the single values, if there are several.
fn mean_and_spread(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}
