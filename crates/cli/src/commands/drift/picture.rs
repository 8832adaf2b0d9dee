//! The report as one picture: SVG by hand, without scripts, fonts or anything from elsewhere.

use data::drift::Report;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 560.0;
/// Where the axes of the panels begin and end.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 660.0;
const BLUE: &str = "#2b6cb0"; // the training text, and what chance alone gives
const RED: &str = "#c05621"; // the test text
const GREY: &str = "#8a8f98";

/// The picture as a file of its own.
pub(super) fn svg(report: &Report, names: &(String, String)) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    label(
        &mut svg,
        20.0,
        30.0,
        "start",
        "#222",
        "Distribution shift",
        "font-size=\"19\" font-weight=\"bold\"",
    );
    let of = |name: &str, chars: usize| format!("{} ({chars} characters)", shortened(name));
    label(&mut svg, 20.0, 52.0, "start", BLUE, &format!("train: {}", of(&names.0, report.train_chars)), "");
    label(&mut svg, 390.0, 52.0, "start", RED, &format!("test: {}", of(&names.1, report.test_chars)), "");
    vocabulary(&mut svg, report, 85.0);
    divergence(&mut svg, report, 225.0);
    perplexity(&mut svg, report, 365.0);
    domain(&mut svg, report, 480.0);
    svg + "</svg>\n"
}

/// A page with the picture, the figures and what helps.
pub(super) fn html(report: &Report, names: &(String, String), text: &str) -> String {
    let figures = text.split("what helps:").next().unwrap_or(text).trim_end();
    let remedies: String = report.remedies.iter().map(|r| format!("<li>{}</li>\n", escaped(r))).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Distribution shift</title>\n\
         <style>body {{ font-family: sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; color: #222 }} \
         svg {{ max-width: 100%; height: auto }} pre {{ background: #f4f5f7; padding: 1rem; white-space: pre-wrap }} \
         li {{ margin: .5rem 0 }}</style>\n</head>\n<body>\n{}<h2>What helps</h2>\n<ul>\n{remedies}</ul>\n\
         <h2>Figures</h2>\n<pre>{}</pre>\n</body>\n</html>\n",
        svg(report, names),
        escaped(figures)
    )
}

/// S1: what is new, in percent.
fn vocabulary(svg: &mut String, report: &Report, top: f64) {
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
        label(svg, LEFT - 10.0, y, "end", "#222", name, "");
        bar(svg, y, LEFT, LEFT + (RIGHT - LEFT) * percent / most, RED);
        let end = LEFT + (RIGHT - LEFT) * percent / most;
        label(svg, end + 8.0, y, "start", "#222", &format!("{percent:.2} %"), "");
    }
}

/// S2: the divergences with their error bars beside what chance gives, on a logarithmic axis.
fn divergence(svg: &mut String, report: &Report, top: f64) {
    title(svg, top, "KL divergence of character n-grams, nats a character");
    let all = report.divergence.iter().flat_map(|d| [d.kl, d.floor, d.floor_95]).filter(|x| *x > 0.0);
    let (least, most) = all.fold((0.1_f64, 0.1_f64), |(a, b), x| (a.min(x), b.max(x)));
    let (from, to) = (least.log10().floor().max(-6.0), most.log10().ceil());
    let x =
        |value: f64| LEFT + (RIGHT - LEFT) * ((value.max(1e-9).log10() - from) / (to - from)).clamp(0.0, 1.0);
    let bottom = top + 24.0 + 26.0 * report.divergence.len() as f64;
    for power in from as i32..=to as i32 {
        let at = x(10_f64.powi(power));
        line(svg, (at, top + 14.0), (at, bottom), "#e2e4e8", 1.0);
        label(svg, at, bottom + 14.0, "middle", GREY, &format!("{}", 10_f64.powi(power)), "font-size=\"11\"");
    }
    for (i, d) in report.divergence.iter().enumerate() {
        let y = top + 30.0 + 26.0 * i as f64;
        label(svg, LEFT - 10.0, y, "end", "#222", &format!("{}-grams", d.order), "");
        line(svg, (x(d.floor), y - 4.0), (x(d.floor_95), y - 4.0), BLUE, 3.0);
        dot(svg, x(d.floor), y - 4.0, BLUE);
        let (low, high) = (d.kl - 2.0 * d.standard_error, d.kl + 2.0 * d.standard_error);
        line(svg, (x(low), y - 4.0), (x(high), y - 4.0), RED, 3.0);
        dot(svg, x(d.kl), y - 4.0, RED);
        label(svg, RIGHT + 12.0, y, "start", "#222", &format!("{:.4}", d.kl), "");
    }
    label(svg, RIGHT + 80.0, bottom + 14.0, "end", BLUE, "blue: by chance", "font-size=\"11\"");
}

/// S3: the losses.
fn perplexity(svg: &mut String, report: &Report, top: f64) {
    let p = &report.perplexity;
    title(svg, top, &format!("Loss of counting (Kneser-Ney, order {}), nats a character", p.order));
    let most = p.in_distribution.max(p.test).max(f64::MIN_POSITIVE);
    let rows = [("held-out training text", p.in_distribution, BLUE), ("test", p.test, RED)];
    for (i, (name, loss, colour)) in rows.into_iter().enumerate() {
        let y = top + 30.0 + 26.0 * i as f64;
        let end = LEFT + (RIGHT - LEFT) * loss / most;
        label(svg, LEFT - 10.0, y, "end", "#222", name, "");
        bar(svg, y, LEFT, end, colour);
        label(svg, end + 8.0, y, "start", "#222", &format!("{loss:.4}"), "");
    }
    let gap = format!("gap {:+.4} ± {:.4}", p.gap, 2.0 * p.standard_error);
    label(svg, LEFT, top + 80.0, "start", "#222", &gap, "");
}

/// S4: the area under the curve, from chance to certainty.
fn domain(svg: &mut String, report: &Report, top: f64) {
    title(svg, top, "Passages told apart by a classifier: AUC");
    let Some(d) = &report.domain else {
        return label(svg, LEFT, top + 30.0, "start", GREY, "too little text", "");
    };
    let x = |auc: f64| LEFT + (RIGHT - LEFT) * ((auc - 0.4) / 0.6).clamp(0.0, 1.0);
    let y = top + 30.0;
    line(svg, (LEFT, y), (RIGHT, y), "#c9ccd1", 2.0);
    line(svg, (x(0.5 - 2.0 * d.null_deviation), y), (x(0.5 + 2.0 * d.null_deviation), y), BLUE, 8.0);
    dot(svg, x(d.auc), y, RED);
    for tick in [0.5, 0.6, 0.7, 0.8, 0.9, 1.0] {
        label(svg, x(tick), y + 24.0, "middle", GREY, &format!("{tick}"), "font-size=\"11\"");
    }
    label(svg, RIGHT + 12.0, y + 4.0, "start", "#222", &format!("{:.3}", d.auc), "");
    label(svg, LEFT - 10.0, y + 4.0, "end", BLUE, "blue: no shift", "");
}

fn title(svg: &mut String, y: f64, text: &str) {
    label(svg, 20.0, y, "start", "#222", text, "font-weight=\"bold\"");
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, fill: &str, text: &str, more: &str) {
    let text = escaped(text);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\" {more}>{text}</text>"
    );
}

fn bar(svg: &mut String, y: f64, from: f64, to: f64, fill: &str) {
    let (y, width) = (y - 13.0, (to - from).max(1.0));
    let _ = writeln!(
        svg,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"17\" fill=\"{fill}\"/>"
    );
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn dot(svg: &mut String, x: f64, y: f64, fill: &str) {
    let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{fill}\"/>");
}

/// The end of a long path.
fn shortened(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    match chars.len() {
        0..=24 => name.to_string(),
        n => format!("…{}", chars[n - 23..].iter().collect::<String>()),
    }
}

fn escaped(text: &str) -> String {
    let legal = |c: &char| *c == '\n' || !c.is_control(); // XML has no other control characters
    text.chars()
        .filter(legal)
        .collect::<String>()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
