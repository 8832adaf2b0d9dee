//! The pictures of a report.

use super::record::Record;
use super::words::{letter, loss};
use crate::screen::chart::{Chart, Curve, Level, Look, Point, median, shortened, smoothed, thinned};
use gpt::run_dir::Metrics;

/// Points of a curve beyond which single ones could not be told apart.
const MOST_POINTS: usize = 1200;
/// The neighbours of a smoothed point, on each side, as a part of all points.
const REACH: f64 = 0.02;

/// A picture with the name of its file and what has to be said about it.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) chart: Chart,
    pub(super) caption: String,
}

/// All that the runs have numbers for.
pub(super) fn all(records: &[Record], floor: Option<f64>) -> Vec<Figure> {
    let mut figures = vec![losses(records, floor, Across::Tokens), losses(records, floor, Across::Seconds)];
    figures.extend(measured(records, "learning-rate", "Learning rate", |line| line.lr, false));
    figures.extend(gradient(records));
    figures.extend(measured(
        records,
        "tokens-per-second",
        "Tokens per second",
        |line| line.tokens_per_s,
        true,
    ));
    figures.extend(measured(records, "step-ms", "Milliseconds per update", |line| line.step_ms, true));
    figures
}

/// What is on the horizontal axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Across {
    Tokens,
    Seconds,
}

impl Across {
    fn of(self, line: &Metrics) -> f64 {
        match self {
            Across::Tokens => line.tokens as f64,
            Across::Seconds => line.elapsed_s,
        }
    }

    /// A unit in which the largest number has few digits, and the name of the axis.
    fn unit(self, records: &[Record]) -> (f64, &'static str) {
        let largest = records.iter().filter_map(Record::latest).map(|line| self.of(line)).fold(0.0, f64::max);
        match (self, largest) {
            (Across::Tokens, n) if n >= 2e9 => (1e9, "tokens trained on, billions"),
            (Across::Tokens, n) if n >= 2e6 => (1e6, "tokens trained on, millions"),
            (Across::Tokens, n) if n >= 2e3 => (1e3, "tokens trained on, thousands"),
            (Across::Tokens, _) => (1.0, "tokens trained on"),
            (Across::Seconds, n) if n >= 7200.0 => (3600.0, "time trained, hours"),
            (Across::Seconds, n) if n >= 300.0 => (60.0, "time trained, minutes"),
            (Across::Seconds, _) => (1.0, "time trained, seconds"),
        }
    }
}

/// The points of some lines.
fn points(lines: &[Metrics], across: Across, unit: f64, of: impl Fn(&Metrics) -> Option<f64>) -> Vec<Point> {
    lines.iter().filter_map(|line| Some((across.of(line) / unit, of(line)?))).collect()
}

/// How many neighbours a smoothed point has.
pub(super) fn reach(points: usize) -> usize {
    ((REACH * points as f64).round() as usize).max(1)
}

/// The losses of all runs.
fn losses(records: &[Record], floor: Option<f64>, across: Across) -> Figure {
    let (unit, axis) = across.unit(records);
    let curves: Vec<Curve> = records
        .iter()
        .enumerate()
        .flat_map(|(i, record)| loss_curves(records, i, record, across, unit))
        .collect();
    let levels = levels(records, floor);
    let (range, hidden) = loss_range(&curves, &levels, first_evaluation(records, across) / unit);
    let mut caption =
        "Thick with points: validation. Thinner: the loss of the batches that were trained on".to_string();
    caption += if records.len() == 1 {
        ", thinnest each batch that was logged, and their mean. "
    } else {
        ", a mean. "
    };
    if let Some(hidden) = hidden {
        caption += &format!("The beginning is above the picture, up to {}. ", loss(hidden));
    }
    let name = if across == Across::Tokens { "loss-by-tokens" } else { "loss-by-seconds" };
    let title = "Loss, nats per token".to_string();
    let chart =
        Chart { title, across: axis.into(), curves, levels, range, height: 360.0, marker: super::MARKER };
    Figure { name, chart, caption }
}

/// The curves of one run: training, validation, and validation by objective if there are several.
fn loss_curves(records: &[Record], number: usize, record: &Record, across: Across, unit: f64) -> Vec<Curve> {
    let alone = records.len() == 1;
    let curve = |points: Vec<Point>, colour: usize, look: Look, label: String| Curve {
        points: thinned(&points, MOST_POINTS),
        colour,
        look,
        label,
    };
    let raw = points(&record.steps, across, unit, |line| line.train_loss);
    let mean = smoothed(&raw, reach(raw.len()));
    let validation = points(&record.evaluations, across, unit, |line| line.val_loss);
    let (training, label, validated) = match alone {
        true => (1, "training, mean".to_string(), format!("validation {}", last(&validation))),
        false => (number, String::new(), format!("{} {}", letter(number), shortened(&record.name()))),
    };
    let mut curves = vec![curve(mean, training, Look::Plain, label)];
    if alone {
        curves.push(curve(raw, training, Look::Faint, String::new()));
    }
    curves.push(curve(validation, number, Look::Dots, validated));
    let objectives = objectives(record);
    for (i, key) in objectives.iter().enumerate().filter(|_| objectives.len() > 1) {
        let part = points(&record.evaluations, across, unit, |line| line.val_losses.get(key).copied());
        let name: String = key["val_loss_".len()..].chars().take(16).collect();
        let label =
            if alone { format!("{name} {}", last(&part)) } else { format!("{} {name}", letter(number)) };
        curves.push(curve(part, if alone { i + 2 } else { number }, Look::Dashes, label));
    }
    curves
}

fn last(points: &[Point]) -> String {
    points.last().map_or(String::new(), |point| loss(point.1))
}

/// The keys of the losses by objective.
pub(super) fn objectives(record: &Record) -> Vec<String> {
    let mut keys: Vec<String> =
        record.evaluations.iter().flat_map(|line| line.val_losses.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// What counting reaches, once if it is the same for all runs, and the floor. Counting goes on with a text: it stands beside
/// no other objective.
fn levels(records: &[Record], floor: Option<f64>) -> Vec<Level> {
    let continues = |record: &Record| {
        record.info.config.train.objective.is_clm()
            || objectives(record).iter().any(|key| key == "val_loss_clm")
    };
    let count = |record: &Record| record.info.count_loss.filter(|_| continues(record));
    let counts: Vec<Option<f64>> = records.iter().map(count).collect();
    let same = counts.iter().all(|count| *count == counts[0]);
    let mut levels: Vec<Level> = Vec::new();
    for (i, count) in counts.iter().enumerate().take(if same { 1 } else { counts.len() }) {
        let (colour, of) = if same { (None, String::new()) } else { (Some(i), format!("{}: ", letter(i))) };
        levels.extend(count.map(|y| Level { y, colour, label: format!("{of}counting reaches {}", loss(y)) }));
    }
    levels.extend(floor.map(|y| Level { y, colour: None, label: format!("floor {}", loss(y)) }));
    levels
}

/// Where the last of the runs had its first evaluation after the beginning: what comes before may be cut off.
fn first_evaluation(records: &[Record], across: Across) -> f64 {
    let first =
        |record: &Record| record.evaluations.iter().find(|line| line.iter > 0).map(|line| across.of(line));
    records.iter().filter_map(first).fold(0.0, f64::max)
}

/// The least loss, and the largest after the first evaluations; and the largest of all, if it is not in this range.
/// Single batches do not widen it, they may leave the picture.
fn loss_range(curves: &[Curve], levels: &[Level], from: f64) -> ((f64, f64), Option<f64>) {
    let shown = || curves.iter().filter(|curve| curve.look != Look::Faint).flat_map(|curve| &curve.points);
    let later = || shown().filter(|point| point.0 >= from).map(|point| point.1);
    let level = || levels.iter().map(|level| level.y);
    let least = later().chain(level()).fold(f64::INFINITY, f64::min);
    let largest = later().chain(level()).fold(f64::NEG_INFINITY, f64::max);
    // A little of the way down is shown as well.
    let top = largest + 0.25 * (largest - least).max(0.02 * largest.abs());
    let most = shown().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    if most <= top { ((least, most.max(largest)), None) } else { ((least, top), Some(most)) }
}

/// A number of every logged update; none if no run has it. A noisy one is shown as its mean, and of a single run also as it
/// was measured.
fn measured(
    records: &[Record],
    name: &'static str,
    title: &str,
    of: impl Fn(&Metrics) -> Option<f64>,
    noisy: bool,
) -> Option<Figure> {
    let (unit, axis) = Across::Tokens.unit(records);
    let alone = records.len() == 1;
    let mut curves = Vec::new();
    for (colour, record) in records.iter().enumerate() {
        let raw = points(&record.steps, Across::Tokens, unit, &of);
        let mut curve = |points: &[Point], look, label| {
            curves.push(Curve { points: thinned(points, MOST_POINTS), colour, look, label });
        };
        if !noisy {
            curve(&raw, Look::Plain, if alone { String::new() } else { letter(colour) });
            continue;
        }
        let middle = median(raw.iter().map(|point| point.1).collect()).map_or(String::new(), short);
        let label = if alone { "mean; median".to_string() } else { format!("{}: median", letter(colour)) };
        curve(&smoothed(&raw, reach(raw.len())), Look::Plain, format!("{label} {middle}"));
        if alone {
            curve(&raw, Look::Faint, String::new());
        }
    }
    let means = curves.iter().filter(|curve| curve.look == Look::Plain).flat_map(|curve| &curve.points);
    let largest = means.map(|point| point.1).reduce(f64::max)?;
    let caption = match noisy && alone {
        true => "Thin: each update that was logged. Those far above the mean leave the picture.".to_string(),
        false => String::new(),
    };
    let range = (0.0, (if noisy { 1.25 * largest } else { largest }).max(0.0));
    let (title, across, levels) = (title.to_string(), axis.to_string(), Vec::new());
    let chart = Chart { title, across, curves, levels, range, height: 170.0, marker: super::MARKER };
    Some(Figure { name, chart, caption })
}

/// The norm of the gradient, and from where on it is clipped if that is the same for all runs.
fn gradient(records: &[Record]) -> Option<Figure> {
    let title = "Norm of the gradient before clipping";
    let mut figure = measured(records, "gradient-norm", title, |line| line.grad_norm, true)?;
    let clip = |record: &Record| record.info.config.train.grad_clip;
    let y = clip(&records[0]);
    if y > 0.0 && records.iter().all(|record| clip(record) == y) {
        figure.chart.levels.push(Level { y, colour: None, label: format!("clipped to {}", short(y)) });
    }
    Some(figure)
}

/// Three digits that count.
pub(super) fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 1e7 => format!("{number:.2e}"),
        n if n >= 100.0 => super::words::grouped(number.round() as u64),
        n if n >= 10.0 => format!("{number:.1}"),
        n if n >= 0.1 || n == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.1e}"),
    }
}
