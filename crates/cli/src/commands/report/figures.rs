//! The pictures of a report.

use super::record::Record;
use super::series::{median, smoothed, thinned};
use super::words::{MARKER, grouped, letter, loss};
use chart::{Axis, Curve, Curves, Level, Look, Picture, Point, shortened};
use gpt::run_dir::Metrics;

/// Points of a curve beyond which single ones could not be told apart.
const MOST_POINTS: usize = 1200;
/// The neighbours of a smoothed point, on each side, as a part of all points.
const REACH: f64 = 0.02;

/// A picture with the name of its file and what has to be said about it.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) curves: Curves,
    pub(super) caption: String,
}

impl Figure {
    /// The picture. Its description begins with the mark of this command.
    pub(super) fn picture(&self) -> Picture {
        let description = format!("{MARKER}: {}", self.curves.title);
        Picture::new(&description, vec![self.curves.clone().into()])
    }
}

/// All that the runs have numbers for; the losses first.
pub(super) fn all(records: &[Record], floor: Option<f64>) -> Vec<Figure> {
    let mut figures = vec![losses(records, floor)];
    figures.extend(measured(records, "learning-rate", "Learning rate", "", |line| line.lr, false));
    figures.extend(gradient(records));
    let (name, title) = ("tokens-per-second", "Speed of training");
    figures.extend(measured(records, name, title, "tokens per second", |line| line.tokens_per_s, true));
    figures
}

/// What is on the horizontal axis: of one run its updates, of several what each has read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Across {
    Updates,
    Tokens,
}

impl Across {
    fn of(self, line: &Metrics) -> f64 {
        match self {
            Across::Updates => line.iter as f64,
            Across::Tokens => line.tokens as f64,
        }
    }

    /// What suits these runs, with a unit in which the largest number has few digits, and the axis.
    fn these(records: &[Record]) -> (Self, f64, Axis) {
        let most = |across: Self| {
            records.iter().filter_map(Record::latest).map(|line| across.of(line)).fold(0.0, f64::max)
        };
        if let [record] = records {
            let tokens = record.latest().map_or(0, |line| line.tokens);
            let name = format!("updates ({} tokens)", grouped(tokens));
            return (Across::Updates, 1.0, Axis::linear(&name, (0.0, most(Across::Updates))));
        }
        let largest = most(Across::Tokens);
        let (unit, name) = match largest {
            n if n >= 2e9 => (1e9, "tokens trained on, billions"),
            n if n >= 2e6 => (1e6, "tokens trained on, millions"),
            n if n >= 2e3 => (1e3, "tokens trained on, thousands"),
            _ => (1.0, "tokens trained on"),
        };
        (Across::Tokens, unit, Axis::linear(name, (0.0, largest / unit)))
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
fn losses(records: &[Record], floor: Option<f64>) -> Figure {
    let (across, unit, x) = Across::these(records);
    let curves: Vec<Curve> = records
        .iter()
        .enumerate()
        .flat_map(|(i, record)| loss_curves(records, i, record, across, unit))
        .collect();
    let levels = levels(records, floor);
    let y = Axis::linear(
        "nats per token",
        loss_range(&curves, &levels, first_evaluation(records, across) / unit),
    );
    let caption = match records {
        [_] => {
            "Smaller is better. Training: the loss on the text that the model learns from, of each batch that was logged \
                (faint) and their mean. Validation: the loss on text that it has never seen."
        }
        _ => {
            "Smaller is better. With markers: the loss on text that the model has never seen. Without: that on the text it \
              learns from, a mean."
        }
    };
    let title = "Loss".to_string();
    Figure {
        name: "loss",
        curves: Curves { title, x, y, curves, levels, height: 260.0 },
        caption: caption.into(),
    }
}

/// The curves of one run: training, validation, and validation by objective if there are several.
fn loss_curves(records: &[Record], number: usize, record: &Record, across: Across, unit: f64) -> Vec<Curve> {
    let alone = records.len() == 1;
    let curve = |points: Vec<Point>, colour: usize, look: Look, name: String| Curve {
        name,
        points: thinned(&points, MOST_POINTS),
        colour,
        look,
    };
    let raw = points(&record.steps, across, unit, |line| line.train_loss);
    let mean = smoothed(&raw, reach(raw.len()));
    let validation = points(&record.evaluations, across, unit, |line| line.val_loss);
    let (training, label, validated) = match alone {
        true => (1, format!("training {}", last(&mean)), format!("validation {}", last(&validation))),
        false => (number, String::new(), format!("{} {}", letter(number), shortened(&record.name()))),
    };
    let mut curves = vec![curve(mean, training, Look::Line, label)];
    if alone {
        curves.push(curve(raw, training, Look::Faint, String::new()));
    }
    curves.push(curve(validation, number, Look::Points, validated));
    let objectives = objectives(record);
    for (i, key) in objectives.iter().enumerate().filter(|_| objectives.len() > 1) {
        let part = points(&record.evaluations, across, unit, |line| line.val_losses.get(key).copied());
        let name: String = key["val_loss_".len()..].chars().take(16).collect();
        let label =
            if alone { format!("{name} {}", last(&part)) } else { format!("{} {name}", letter(number)) };
        curves.push(curve(part, if alone { i + 2 } else { number }, Look::Dashed, label));
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

/// What the n-gram baseline reaches, once if it is the same for all runs, and the floor. The baseline continues a text: it
/// stands beside no other objective.
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
        levels.extend(count.map(|y| Level { y, colour, name: format!("{of}n-gram baseline {}", loss(y)) }));
    }
    levels.extend(floor.map(|y| Level { y, colour: None, name: format!("floor {}", loss(y)) }));
    levels
}

/// Where the last of the runs had its first evaluation after the beginning: what comes before may be cut off.
fn first_evaluation(records: &[Record], across: Across) -> f64 {
    let first =
        |record: &Record| record.evaluations.iter().find(|line| line.iter > 0).map(|line| across.of(line));
    records.iter().filter_map(first).fold(0.0, f64::max)
}

/// The least loss, and the largest after the first evaluations. Single batches do not widen the range, they may leave the
/// picture.
fn loss_range(curves: &[Curve], levels: &[Level], from: f64) -> (f64, f64) {
    let shown = || curves.iter().filter(|curve| curve.look != Look::Faint).flat_map(|curve| &curve.points);
    let least =
        shown().map(|point| point.1).chain(levels.iter().map(|level| level.y)).fold(f64::INFINITY, f64::min);
    let later = shown().filter(|point| point.0 >= from).map(|point| point.1);
    let largest = later.chain(levels.iter().map(|level| level.y)).fold(f64::NEG_INFINITY, f64::max);
    // A little of the way down is shown as well.
    let room = (largest - least).max(0.02 * largest.abs());
    let most = shown().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let low = if least >= 0.0 { (least - 0.05 * room).max(0.0) } else { least - 0.05 * room };
    (low, if most <= largest + 0.25 * room { most.max(largest) + 0.05 * room } else { largest + 0.25 * room })
}

/// A number of every logged update; none if no run has it. A noisy one is shown as its mean, and of a single run also as it
/// was measured.
fn measured(
    records: &[Record],
    name: &'static str,
    title: &str,
    unit_of_y: &str,
    of: impl Fn(&Metrics) -> Option<f64>,
    noisy: bool,
) -> Option<Figure> {
    let (across, unit, x) = Across::these(records);
    let alone = records.len() == 1;
    let mut curves = Vec::new();
    for (colour, record) in records.iter().enumerate() {
        let raw = points(&record.steps, across, unit, &of);
        let mut curve = |points: &[Point], look, name| {
            curves.push(Curve { name, points: thinned(points, MOST_POINTS), colour, look });
        };
        if !noisy {
            curve(&raw, Look::Line, if alone { String::new() } else { letter(colour) });
            continue;
        }
        let middle = median(raw.iter().map(|point| point.1).collect()).map_or(String::new(), short);
        let label = if alone { "mean; median".to_string() } else { format!("{}: median", letter(colour)) };
        curve(&smoothed(&raw, reach(raw.len())), Look::Line, format!("{label} {middle}"));
        if alone {
            curve(&raw, Look::Faint, String::new());
        }
    }
    let means = curves.iter().filter(|curve| curve.look == Look::Line).flat_map(|curve| &curve.points);
    let largest = means.map(|point| point.1).reduce(f64::max)?;
    let caption = match noisy && alone {
        true => "Faint: each update that was logged. Those far above the mean leave the picture.".to_string(),
        false => String::new(),
    };
    let y = Axis::linear(unit_of_y, (0.0, (if noisy { 1.25 } else { 1.05 } * largest).max(0.0)));
    let curves = Curves { title: title.to_string(), x, y, curves, levels: Vec::new(), height: 130.0 };
    Some(Figure { name, curves, caption })
}

/// The norm of the gradient, and from where on it is clipped if that is the same for all runs.
fn gradient(records: &[Record]) -> Option<Figure> {
    let title = "Norm of the gradient before clipping";
    let mut figure = measured(records, "gradient-norm", title, "", |line| line.grad_norm, true)?;
    let clip = |record: &Record| record.info.config.train.grad_clip;
    let y = clip(&records[0]);
    if y > 0.0 && records.iter().all(|record| clip(record) == y) {
        figure.curves.levels.push(Level { y, colour: None, name: format!("clipped to {}", short(y)) });
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
