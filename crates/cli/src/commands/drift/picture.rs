//! The report as one picture, and as a page with it.

use crate::screen::page::page;
use chart::{Axis, Mark, Panel, Picture, Row, Rows, escaped, shortened};
use data::drift::Report;

/// Colours: the training text, and what chance alone gives; the test text.
const TRAIN: usize = 0;
const TEST: usize = 1;

/// The picture as a file of its own.
pub(super) fn svg(report: &Report, names: &(String, String)) -> String {
    draw(report, names).standalone()
}

/// A page with the picture, the figures and what helps.
pub(super) fn html(report: &Report, names: &(String, String), text: &str) -> String {
    let figures = text.split("what helps:").next().unwrap_or(text).trim_end();
    let remedies: String = report.remedies.iter().map(|r| format!("<li>{}</li>\n", escaped(r))).collect();
    let body = format!(
        "<h1>Distribution shift</h1>\n{}<h2>What helps</h2>\n<ul>\n{remedies}</ul>\n<h2>Figures</h2>\n<pre>{}</pre>\n",
        draw(report, names).inline(),
        escaped(figures)
    );
    page("newleaf drift", "Distribution shift", &body)
}

fn draw(report: &Report, names: &(String, String)) -> Picture {
    let of = |name: &str, chars: usize| format!("{} ({chars} characters)", shortened(name));
    let mut vocabulary = vocabulary(report);
    vocabulary.legend = vec![
        (format!("train: {}", of(&names.0, report.train_chars)), TRAIN),
        (format!("test: {}", of(&names.1, report.test_chars)), TEST),
    ];
    let panels = [vocabulary, divergence(report), perplexity(report), domain(report)];
    Picture::new("Distribution shift between two texts", panels.into_iter().map(Panel::from).collect())
}

/// S1: what is new, in percent.
fn vocabulary(report: &Report) -> Rows {
    let v = &report.vocabulary;
    let bars = [
        ("words", v.oov_words_percent),
        ("different words", v.oov_types_percent),
        ("characters", v.oov_chars_percent),
    ];
    let most = bars.iter().map(|bar| bar.1).fold(10.0, f64::max);
    let row = |(name, percent): (&str, f64)| Row {
        name: name.into(),
        marks: vec![(Mark::Bar(percent), TEST)],
        value: format!("{percent:.2} %"),
    };
    let title = "What is new in the test text".to_string();
    Rows { title, x: Axis::linear("percent", (0.0, most)), rows: bars.map(row).into(), legend: Vec::new() }
}

/// S2: the divergences with their error bars beside what chance gives, on a logarithmic axis.
fn divergence(report: &Report) -> Rows {
    let all = report.divergence.iter().flat_map(|d| [d.kl, d.floor, d.floor_95]).filter(|x| *x > 0.0);
    let (least, most) = all.fold((0.1_f64, 0.1_f64), |(a, b), x| (a.min(x), b.max(x)));
    let power = |x: f64| 10_f64.powf(x);
    let range = (power(least.log10().floor().max(-6.0)), power(most.log10().ceil()));
    let rows = report.divergence.iter().map(|d| Row {
        name: format!("{}-grams", d.order),
        marks: vec![
            (Mark::Interval(d.floor, d.floor_95), TRAIN),
            (Mark::Dot(d.floor), TRAIN),
            (Mark::Interval(d.kl - 2.0 * d.standard_error, d.kl + 2.0 * d.standard_error), TEST),
            (Mark::Dot(d.kl), TEST),
        ],
        value: format!("{:.4}", d.kl),
    });
    Rows {
        title: "KL divergence of character n-grams".to_string(),
        x: Axis::log("nats a character", range),
        rows: rows.collect(),
        legend: vec![("by chance".into(), TRAIN), ("found".into(), TEST)],
    }
}

/// S3: the losses.
fn perplexity(report: &Report) -> Rows {
    let p = &report.perplexity;
    let most = p.in_distribution.max(p.test).max(f64::MIN_POSITIVE);
    let row = |(name, loss, colour): (&str, f64, usize)| Row {
        name: name.into(),
        marks: vec![(Mark::Bar(loss), colour)],
        value: format!("{loss:.4}"),
    };
    let rows = [("held-out train", p.in_distribution, TRAIN), ("test", p.test, TEST)].map(row);
    let unit = format!("nats a character; gap {:+.4} ± {:.4}", p.gap, 2.0 * p.standard_error);
    let title = format!("Loss of the n-gram baseline, order {}", p.order);
    Rows { title, x: Axis::linear(&unit, (0.0, most)), rows: rows.into(), legend: Vec::new() }
}

/// S4: the area under the curve, from chance to certainty.
fn domain(report: &Report) -> Rows {
    let row = match &report.domain {
        Some(d) => Row {
            name: "AUC".into(),
            marks: vec![
                (Mark::Interval(0.5 - 2.0 * d.null_deviation, 0.5 + 2.0 * d.null_deviation), TRAIN),
                (Mark::Dot(d.auc), TEST),
            ],
            value: format!("{:.3}", d.auc),
        },
        None => Row { name: "too little text".into(), marks: Vec::new(), value: String::new() },
    };
    Rows {
        title: "Passages told apart by a classifier".to_string(),
        x: Axis::linear("area under the ROC curve", (0.4, 1.0)),
        rows: vec![row],
        legend: vec![("no shift".into(), TRAIN), ("found".into(), TEST)],
    }
}
