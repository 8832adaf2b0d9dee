//! A model that learns a short text by heart, and what helps: the loss on new text while 30 KB of stories are read again and
//! again, for each remedy, beside the entropy of the process that wrote them.
//!
//!   cargo run --release -p experiments --bin overfitting -- docs/pictures/overfitting.svg
//!
//! The table goes to stdout, progress to stderr.

use data::CharTokenizer;
use data::augment::{Eda, Paraphrase};
use experiments::excess;
use gpt::config::{Config, Preset};
use gpt::train::Trainer;
use random::{Rng, Stream};
use std::error::Error;
use std::fmt::Write;
use synth::{Sample, sample};

/// Characters of the training text.
const TRAINING: u64 = 30_000;
/// Characters of new text.
const VALIDATION: u64 = 60_000;
const UPDATES: u64 = 800;
/// Updates between two measurements.
const INTERVAL: u64 = 50;
/// Texts made of each story.
const VARIANTS: usize = 3;

/// Names of settings and their values.
type Settings = &'static [(&'static str, &'static str)];

/// A remedy: its name, its settings, and whether the text is augmented.
const RUNS: &[(&str, Settings, bool)] = &[
    ("none", &[], false),
    ("dropout 0.2", &[("dropout", "0.2")], false),
    ("weight decay 2", &[("weight_decay", "2")], false),
    ("augmentation", &[], true),
    ("all", &[("dropout", "0.2"), ("weight_decay", "2")], true),
];

/// Of all runs.
const SETTINGS: Settings = &[
    ("n_layer", "4"),
    ("n_head", "4"),
    ("n_embd", "128"),
    ("block_size", "256"),
    ("batch_size", "8"),
    ("activation", "relu2"),
    ("norm", "rms_norm"),
    ("position", "rope"),
    ("qk_norm", "true"),
    ("zero_init", "true"),
    ("learning_rate", "2e-3"),
    ("schedule", "constant"),
    ("warmup_iters", "20"),
    ("dropout", "0"),
    ("weight_decay", "0"),
    ("sampler", "epoch"),
];

/// A measurement.
#[derive(Clone, Copy)]
struct Point {
    update: u64,
    train: f64,
    val: f64,
}

struct Run {
    name: &'static str,
    points: Vec<Point>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: overfitting PICTURE.svg")?;
    let (train, val) = (sample("storygen", &[], 1, TRAINING)?, sample("storygen", &[], 2, VALIDATION)?);
    let (text, new) = (train.text(), val.text());
    let augmented = augmented(&text)?;
    let tokenizer = CharTokenizer::from_text(&(augmented.clone() + &new))?;
    let ids = |text: &str| tokenizer.encode(text);
    let (own, more, new) = (ids(&text)?, ids(&augmented)?, ids(&new)?);
    let mut runs = Vec::new();
    let mut floor = 0.0;
    for (name, settings, is_augmented) in RUNS {
        let config = config(settings, tokenizer.vocab_size())?;
        let text = if *is_augmented { &more } else { &own };
        let points;
        (points, floor) = run(name, &config, text, &new, &val)?;
        runs.push(Run { name, points });
    }
    print!("{}", table(&runs, floor));
    std::fs::write(&path, picture(&runs, floor))?;
    eprintln!("{path}");
    Ok(())
}

/// The text, and each of its lines in other words, twice over.
fn augmented(text: &str) -> Result<String, Box<dyn Error>> {
    let (eda, mut rng) = (Eda::new(0.1)?, Rng::new(1, Stream::Data));
    let mut all = text.to_string();
    for _ in 1..VARIANTS {
        for line in text.lines() {
            let variant = eda.paraphrases(line, 1, &mut rng)?.pop();
            all += variant.as_deref().unwrap_or(line);
            all.push('\n');
        }
    }
    Ok(all)
}

fn config(settings: Settings, vocab_size: usize) -> Result<Config, Box<dyn Error>> {
    let mut config = Preset::NanoCpu.config(vocab_size);
    for (name, value) in SETTINGS.iter().chain(settings) {
        config.set(name, value)?;
    }
    config.set("max_iters", &UPDATES.to_string())?;
    config.validate()?;
    Ok(config)
}

/// One training: losses on the way, and what the process itself needs for the new text.
fn run(
    name: &str,
    config: &Config,
    text: &[u32],
    new: &[u32],
    val: &Sample,
) -> Result<(Vec<Point>, f64), Box<dyn Error>> {
    let mut trainer = Trainer::new(config, text)?;
    let (mut points, mut floor, mut train) = (Vec::new(), 0.0, 0.0);
    for update in 1..=UPDATES {
        train += trainer.step(text)?.loss / INTERVAL as f64;
        if update % INTERVAL == 0 {
            let (loss, excess) = excess::of_text(&trainer, new, val);
            floor = loss - excess.mean();
            eprintln!("{name}: update {update}, training loss {train:.4}, on new text {loss:.4}");
            points.push(Point { update, train, val: loss });
            train = 0.0;
        }
    }
    Ok((points, floor))
}

fn best(points: &[Point]) -> Point {
    let better = |a: Point, b: &Point| if b.val < a.val { *b } else { a };
    points[1..].iter().fold(points[0], better)
}

fn table(runs: &[Run], floor: f64) -> String {
    let mut table = String::from(
        "| remedy | training loss at the end | on new text at the end | with early stopping | at update |\n|---|---:|---:|---:|---:|\n",
    );
    for Run { name, points } in runs {
        let (last, best) = (points[points.len() - 1], best(points));
        let _ = writeln!(
            table,
            "| {name} | {:.4} | {:.4} | {:.4} | {} |",
            last.train, last.val, best.val, best.update
        );
    }
    let _ = writeln!(table, "| the process itself | {floor:.4} | {floor:.4} | | |");
    table
}

/// Loss over updates: on new text a line for each remedy, with a ring where early stopping would stop; dashed the training
/// loss without a remedy, and the floor.
fn picture(runs: &[Run], floor: f64) -> String {
    const COLOURS: [&str; 5] = ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7"];
    let (width, height, margin) = (640.0, 400.0, 50.0);
    let top = runs.iter().flat_map(|run| &run.points).map(|p| p.val).fold(floor, f64::max).min(4.0 * floor);
    let x = |update: u64| margin + update as f64 / UPDATES as f64 * (width - 3.0 * margin);
    let y = |loss: f64| height - margin - loss.min(top) / top * (height - 2.0 * margin);
    let line = |points: &[Point], value: fn(&Point) -> f64| -> String {
        points.iter().map(|p| format!("{:.1},{:.1} ", x(p.update), y(value(p)))).collect()
    };
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' font-size='12'>\n\
         <rect width='100%' height='100%' fill='white'/>\n\
         <text x='{}' y='{}' text-anchor='middle'>updates (0 to {UPDATES})</text>\n\
         <text x='14' y='{mid}' transform='rotate(-90 14 {mid})' text-anchor='middle'>loss, nats a character</text>\n\
         <line x1='{margin}' x2='{end}' y1='{y:.1}' y2='{y:.1}' stroke='#555' stroke-dasharray='2 3'/>\n\
         <text x='{end}' y='{y:.1}' fill='#555'> floor {floor:.3}</text>\n\
         <polyline points='{}' fill='none' stroke='#888' stroke-dasharray='5 4'/>\n",
        width / 2.0,
        height - 14.0,
        line(&runs[0].points, |p| p.train),
        mid = height / 2.0,
        end = x(UPDATES),
        y = y(floor),
    );
    for (run, colour) in runs.iter().zip(COLOURS) {
        let (best, last) = (best(&run.points), run.points[run.points.len() - 1]);
        let _ = writeln!(
            svg,
            "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='1.5'/>\n\
             <circle cx='{:.1}' cy='{:.1}' r='4' fill='white' stroke='{colour}'/>\n\
             <text x='{:.1}' y='{:.1}' fill='{colour}'>{}</text>",
            line(&run.points, |p| p.val),
            x(best.update),
            y(best.val),
            x(UPDATES) + 6.0,
            y(last.val) + 4.0,
            run.name
        );
    }
    svg + "</svg>\n"
}
