//! The pictures of a fine-tuning.

use super::record::{Predictions, Record};
use crate::commands::report::figures::Figure;
use crate::commands::report::words::loss;
use chart::{Axis, Curve, Curves, Look, Point};
use data::metrics::Bin;
use gpt::tune::{Measured, Metric};

/// All that there are numbers for.
pub(super) fn all(record: &Record) -> Vec<Figure> {
    let mut figures = vec![score(record)];
    figures.extend(training_loss(record));
    match &record.predictions {
        Predictions::Labels { texts, .. } => {
            let labels: Vec<usize> = texts.iter().map(|text| text.label).collect();
            let p: Vec<Vec<f64>> = texts.iter().map(|text| text.p.clone()).collect();
            figures.push(calibration(&Bin::all(&p, &labels), record.test("expected_calibration_error")));
        }
        Predictions::Numbers(texts) => {
            figures.push(scatter(texts.iter().map(|text| (text.number, text.predicted)).collect()));
        }
        Predictions::Answers(_) | Predictions::None => {}
    }
    figures
}

/// What the score is called.
pub(super) fn name_of(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::MacroF1 => "macro F1",
        Metric::Loss => "loss",
        Metric::Pearson => "correlation",
    }
}

/// The score as people read it: a loss is smaller if it is better.
pub(super) fn shown(metric: Metric, score: f64) -> f64 {
    if metric == Metric::Loss { -score } else { score }
}

fn score(record: &Record) -> Figure {
    let name = name_of(record.metric);
    let of = |measured: &Measured| (measured.epoch, shown(record.metric, measured.score));
    let points: Vec<Point> = record.history.iter().map(of).collect();
    let mut curves =
        vec![Curve { name: "validation".into(), points: points.clone(), colour: 0, look: Look::Points }];
    if let Some(best) = record.best() {
        let name = format!("chosen: {}", loss(of(best).1));
        curves.push(Curve { name, points: vec![of(best)], colour: 1, look: Look::Rings });
    }
    let caption = match record.metric {
        Metric::Loss => {
            "Smaller is better. Measured on texts that are not learned from; the weights with the least are kept."
        }
        _ => {
            "Larger is better. Measured on texts that are not learned from; the weights with the largest are kept."
        }
    };
    Figure {
        name: "validation",
        curves: Curves {
            title: format!("Validation {name}"),
            x: Axis::linear("epochs", (0.0, last_epoch(record))),
            y: Axis::linear(name, range(&points)),
            curves,
            levels: Vec::new(),
            height: 200.0,
        },
        caption: caption.into(),
    }
}

fn training_loss(record: &Record) -> Option<Figure> {
    let of = |measured: &Measured| Some((measured.epoch, measured.train_loss?));
    let points: Vec<Point> = record.history.iter().filter_map(of).collect();
    let y = Axis::linear("loss", (0.0, points.iter().map(|point| point.1).reduce(f64::max)?));
    let curve = Curve { name: "training".into(), points, colour: 2, look: Look::Points };
    Some(Figure {
        name: "training-loss",
        curves: Curves {
            title: "Training loss".into(),
            x: Axis::linear("epochs", (0.0, last_epoch(record))),
            y,
            curves: vec![curve],
            levels: Vec::new(),
            height: 130.0,
        },
        caption: "The mean loss of the examples learned from since the measurement before. Where it goes on falling while the \
                  validation score gets no better, examples are being learnt by heart."
            .into(),
    })
}

fn calibration(bins: &[Bin], expected_error: f64) -> Figure {
    let point = |bin: &Bin| (bin.p / bin.answers, bin.right / bin.answers);
    let points: Vec<Point> = bins.iter().filter(|bin| bin.answers > 0.0).map(point).collect();
    let exact =
        Curve { name: "exact".into(), points: vec![(0.0, 0.0), (1.0, 1.0)], colour: 2, look: Look::Dashed };
    let found = Curve { name: "this classifier".into(), points, colour: 0, look: Look::Points };
    Figure {
        name: "calibration",
        curves: Curves {
            title: "How sure it is, and how often right".into(),
            x: Axis::linear("probability of the label that it predicts", (0.0, 1.0)),
            y: Axis::linear("share that is right", (0.0, 1.0)),
            curves: vec![found, exact],
            levels: Vec::new(),
            height: 200.0,
        },
        caption: format!(
            "Test texts whose label has about the same probability, together. Below the dashed line it is too sure. The mean distance \
             to it is {expected_error:.3} (expected calibration error)."
        ),
    }
}

fn scatter(points: Vec<Point>) -> Figure {
    let both: Vec<Point> = points.iter().flat_map(|&(x, y)| [(0.0, x), (0.0, y)]).collect();
    let (from, to) = range(&both);
    let exact =
        Curve { name: "exact".into(), points: vec![(from, from), (to, to)], colour: 2, look: Look::Dashed };
    let found = Curve { name: "test texts".into(), points, colour: 0, look: Look::Markers };
    Figure {
        name: "predictions",
        curves: Curves {
            title: "What it predicts".into(),
            x: Axis::linear("the number of a text", (from, to)),
            y: Axis::linear("the number that is predicted", (from, to)),
            curves: vec![exact, found],
            levels: Vec::new(),
            height: 260.0,
        },
        caption: String::new(),
    }
}

fn last_epoch(record: &Record) -> f64 {
    record.history.last().map_or(0.0, |measured| measured.epoch)
}

/// From the least to the largest y.
fn range(points: &[Point]) -> (f64, f64) {
    let y = || points.iter().map(|point| point.1).filter(|y| y.is_finite());
    (y().fold(f64::INFINITY, f64::min), y().fold(f64::NEG_INFINITY, f64::max))
}
