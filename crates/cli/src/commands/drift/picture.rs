//! The report as one picture, and as a page with it.

use crate::screen::chart::{Svg, escaped, page, shortened};
use data::drift::Report;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 560.0;
/// Where the axes of the panels begin and end.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 660.0;
const BLUE: &str = "c0"; // the training text, and what chance alone gives
const RED: &str = "c1"; // the test text

/// The picture as a file of its own.
pub(super) fn svg(report: &Report, names: &(String, String)) -> String {
    draw(report, names).standalone()
}

/// A page with the picture, the figures and what helps.
pub(super) fn html(report: &Report, names: &(String, String), text: &str) -> String {
    let figures = text.split("what helps:").next().unwrap_or(text).trim_end();
    let remedies: String = report.remedies.iter().map(|r| format!("<li>{}</li>\n", escaped(r))).collect();
    let body = format!(
        "{}<h2>What helps</h2>\n<ul>\n{remedies}</ul>\n<h2>Figures</h2>\n<pre>{}</pre>\n",
        draw(report, names).inline(),
        escaped(figures)
    );
    page("newleaf drift", "Distribution shift", &body)
}

fn draw(report: &Report, names: &(String, String)) -> Svg {
    let mut svg = Svg::new("Distribution shift between two texts", WIDTH, HEIGHT);
    svg.text((20.0, 30.0), "start", "big", "Distribution shift");
    let of = |name: &str, chars: usize| format!("{} ({chars} characters)", shortened(name));
    svg.text((20.0, 52.0), "start", BLUE, &format!("train: {}", of(&names.0, report.train_chars)));
    svg.text((390.0, 52.0), "start", RED, &format!("test: {}", of(&names.1, report.test_chars)));
    vocabulary(&mut svg, report, 85.0);
    divergence(&mut svg, report, 225.0);
    perplexity(&mut svg, report, 365.0);
    domain(&mut svg, report, 480.0);
    svg
}

/// S1: what is new, in percent.
fn vocabulary(svg: &mut Svg, report: &Report, top: f64) {
    let v = &report.vocabulary;
    title(svg, top, "New in the test, percent");
    let bars = [
        ("words", v.oov_words_percent),
        ("different words", v.oov_types_percent),
        ("characters", v.oov_chars_percent),
    ];
    let most = bars.iter().map(|bar| bar.1).fold(10.0, f64::max);
    for (i, (name, percent)) in bars.into_iter().enumerate() {
        let y = top + 30.0 + 26.0 * i as f64;
        svg.text((LEFT - 10.0, y), "end", "ink", name);
        svg.bar(y, LEFT, LEFT + (RIGHT - LEFT) * percent / most, RED);
        let end = LEFT + (RIGHT - LEFT) * percent / most;
        svg.text((end + 8.0, y), "start", "ink", &format!("{percent:.2} %"));
    }
}

/// S2: the divergences with their error bars beside what chance gives, on a logarithmic axis.
fn divergence(svg: &mut Svg, report: &Report, top: f64) {
    title(svg, top, "KL divergence of character n-grams, nats a character");
    let all = report.divergence.iter().flat_map(|d| [d.kl, d.floor, d.floor_95]).filter(|x| *x > 0.0);
    let (least, most) = all.fold((0.1_f64, 0.1_f64), |(a, b), x| (a.min(x), b.max(x)));
    let (from, to) = (least.log10().floor().max(-6.0), most.log10().ceil());
    let x =
        |value: f64| LEFT + (RIGHT - LEFT) * ((value.max(1e-9).log10() - from) / (to - from)).clamp(0.0, 1.0);
    let bottom = top + 24.0 + 26.0 * report.divergence.len() as f64;
    for power in from as i32..=to as i32 {
        let at = x(10_f64.powi(power));
        svg.line((at, top + 14.0), (at, bottom), "grid", 1.0, "");
        svg.text((at, bottom + 14.0), "middle", "muted small", &format!("{}", 10_f64.powi(power)));
    }
    for (i, d) in report.divergence.iter().enumerate() {
        let y = top + 30.0 + 26.0 * i as f64;
        svg.text((LEFT - 10.0, y), "end", "ink", &format!("{}-grams", d.order));
        svg.line((x(d.floor), y - 4.0), (x(d.floor_95), y - 4.0), BLUE, 3.0, "");
        svg.dot((x(d.floor), y - 4.0), 5.0, BLUE);
        let (low, high) = (d.kl - 2.0 * d.standard_error, d.kl + 2.0 * d.standard_error);
        svg.line((x(low), y - 4.0), (x(high), y - 4.0), RED, 3.0, "");
        svg.dot((x(d.kl), y - 4.0), 5.0, RED);
        svg.text((RIGHT + 12.0, y), "start", "ink", &format!("{:.4}", d.kl));
    }
    svg.text((RIGHT + 80.0, bottom + 14.0), "end", "c0 small", "blue: by chance");
}

/// S3: the losses.
fn perplexity(svg: &mut Svg, report: &Report, top: f64) {
    let p = &report.perplexity;
    title(svg, top, &format!("Loss of counting (Kneser-Ney, order {}), nats a character", p.order));
    let most = p.in_distribution.max(p.test).max(f64::MIN_POSITIVE);
    let rows = [("held-out training text", p.in_distribution, BLUE), ("test", p.test, RED)];
    for (i, (name, loss, colour)) in rows.into_iter().enumerate() {
        let y = top + 30.0 + 26.0 * i as f64;
        let end = LEFT + (RIGHT - LEFT) * loss / most;
        svg.text((LEFT - 10.0, y), "end", "ink", name);
        svg.bar(y, LEFT, end, colour);
        svg.text((end + 8.0, y), "start", "ink", &format!("{loss:.4}"));
    }
    let gap = format!("gap {:+.4} ± {:.4}", p.gap, 2.0 * p.standard_error);
    svg.text((LEFT, top + 80.0), "start", "ink", &gap);
}

/// S4: the area under the curve, from chance to certainty.
fn domain(svg: &mut Svg, report: &Report, top: f64) {
    title(svg, top, "Passages told apart by a classifier: AUC");
    let Some(d) = &report.domain else {
        return svg.text((LEFT, top + 30.0), "start", "muted", "too little text");
    };
    let x = |auc: f64| LEFT + (RIGHT - LEFT) * ((auc - 0.4) / 0.6).clamp(0.0, 1.0);
    let y = top + 30.0;
    svg.line((LEFT, y), (RIGHT, y), "muted", 2.0, "");
    svg.line((x(0.5 - 2.0 * d.null_deviation), y), (x(0.5 + 2.0 * d.null_deviation), y), BLUE, 8.0, "");
    svg.dot((x(d.auc), y), 5.0, RED);
    for tick in [0.5, 0.6, 0.7, 0.8, 0.9, 1.0] {
        svg.text((x(tick), y + 24.0), "middle", "muted small", &format!("{tick}"));
    }
    svg.text((RIGHT + 12.0, y + 4.0), "start", "ink", &format!("{:.3}", d.auc));
    svg.text((LEFT - 10.0, y + 4.0), "end", BLUE, "blue: no shift");
}

fn title(svg: &mut Svg, y: f64, text: &str) {
    svg.text((20.0, y), "start", "bold", text);
}
