//! A model that learns a short text by heart, and what helps: the loss on new text while 30 KB of stories are read again and
//! again, for each remedy, beside the entropy of the process that wrote them.
//!
//!   cargo run --release -p experiments --bin overfitting -- docs/pictures/overfitting.tsv
//!
//! The measurements go into this file, and a picture of them beside it (`overfitting.svg`); if the file is there, nothing is
//! measured, and its picture is drawn again. The table goes to stdout, progress to stderr.

use chart::{Axis, Curve, Curves, Level, Look, Picture};
use data::CharTokenizer;
use data::augment::{Eda, Paraphrase};
use experiments::excess;
use gpt::config::{Config, Preset};
use gpt::train::Trainer;
use random::{Rng, Stream};
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
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
    name: String,
    points: Vec<Point>,
}

/// All measurements.
struct Figures {
    runs: Vec<Run>,
    /// What the process itself needs for the new text.
    floor: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(std::env::args().nth(1).ok_or("usage: overfitting MEASUREMENTS.tsv")?);
    if !path.exists() {
        std::fs::write(&path, measure()?.to_tsv())?;
        eprintln!("{}", path.display());
    }
    let text = std::fs::read_to_string(&path)?;
    let figures = Figures::from_tsv(&text)
        .ok_or_else(|| format!("{}: not as this program writes it", path.display()))?;
    print!("{}", table(&figures));
    let path = path.with_extension("svg");
    std::fs::write(&path, picture(&figures).standalone())?;
    eprintln!("{}", path.display());
    Ok(())
}

fn measure() -> Result<Figures, Box<dyn Error>> {
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
        runs.push(Run { name: (*name).to_string(), points });
    }
    Ok(Figures { runs, floor })
}

/// Before the losses, in the file.
const HEADING: &str = "remedy\tupdate\ttraining loss\tloss on new text\n";

impl Figures {
    fn to_tsv(&self) -> String {
        let mut tsv = format!("# floor {:.4}\n{HEADING}", self.floor);
        for Run { name, points } in &self.runs {
            for p in points {
                let _ = writeln!(tsv, "{name}\t{}\t{:.4}\t{:.4}", p.update, p.train, p.val);
            }
        }
        tsv
    }

    fn from_tsv(text: &str) -> Option<Self> {
        let (floor, text) = text.strip_prefix("# floor ")?.split_once('\n')?;
        let mut runs: Vec<Run> = Vec::new();
        for line in text.strip_prefix(HEADING)?.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, update, train, val] = fields[..] else { return None };
            let point =
                Point { update: update.parse().ok()?, train: train.parse().ok()?, val: val.parse().ok()? };
            match runs.last_mut().filter(|run| run.name == name) {
                Some(run) => run.points.push(point),
                None => runs.push(Run { name: name.to_string(), points: vec![point] }),
            }
        }
        let figures = Figures { runs, floor: floor.parse().ok()? };
        (!figures.runs.is_empty()).then_some(figures)
    }
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

fn table(Figures { runs, floor }: &Figures) -> String {
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
fn picture(Figures { runs, floor }: &Figures) -> Picture {
    let points =
        |run: &Run, loss: fn(&Point) -> f64| run.points.iter().map(|p| (p.update as f64, loss(p))).collect();
    let mut curves = Vec::new();
    for (colour, run) in runs.iter().enumerate() {
        let name = if colour == 0 { "no remedy".to_string() } else { run.name.clone() };
        curves.push(Curve { name, points: points(run, |p| p.val), colour, look: Look::Points });
    }
    let name = "training loss without a remedy".to_string();
    curves.push(Curve { name, points: points(&runs[0], |p| p.train), colour: 0, look: Look::Dashed });
    for (colour, run) in runs.iter().enumerate() {
        let (name, best) =
            (if colour == 0 { "where early stopping stops" } else { "" }.to_string(), best(&run.points));
        let points = vec![(best.update as f64, best.val)];
        curves.push(Curve { name, points, colour, look: Look::Rings });
    }
    let level = Level { name: format!("entropy {floor:.3}"), y: *floor, colour: None };
    let curves = Curves {
        title: "Loss on new text, learning 30 KB".into(),
        x: Axis::linear("updates", (0.0, UPDATES as f64)),
        y: Axis::linear("nats a character", (0.2, 4.0 * floor)),
        curves,
        levels: vec![level],
        height: 300.0,
    };
    Picture::new("Loss on new text by updates, for each remedy against overfitting", vec![curves.into()])
}
