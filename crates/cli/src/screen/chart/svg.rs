//! Shapes and text of a picture.

use super::NEUTRAL;
use std::fmt::{Display, Write};

/// A picture in the making. Classes give the colours: see [`super`].
#[derive(Clone, Debug)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    description: String,
    body: String,
}

impl Svg {
    /// An empty one. The description is for those who cannot see it.
    pub(crate) fn new(description: &str, width: f64, height: f64) -> Self {
        Self { width, height, description: escaped(description), body: String::new() }
    }

    /// As a file of its own.
    pub(crate) fn standalone(&self) -> String {
        self.wrapped(" xmlns=\"http://www.w3.org/2000/svg\"", &format!("<style>\n{NEUTRAL}</style>\n"))
    }

    /// As a part of a [`super::page`].
    pub(crate) fn inline(&self) -> String {
        self.wrapped("", "")
    }

    fn wrapped(&self, namespace: &str, style: &str) -> String {
        let Self { width, height, description, body } = self;
        format!(
            "<svg{namespace} viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" class=\"chart\" \
             role=\"img\">\n<desc>{description}</desc>\n{style}{body}</svg>\n"
        )
    }

    /// A line of text; `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: &str, class: &str, text: &str) {
        let text = escaped(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A horizontal bar for the text whose base is at `y`.
    pub(crate) fn bar(&mut self, y: f64, from: f64, to: f64, class: &str) {
        let (y, width) = (y - 13.0, (to - from).max(1.0));
        self.put(format_args!(
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"17\" fill=\"currentColor\" class=\"{class}\"/>"
        ));
    }

    /// A straight line; `dashes` as SVG has them, or empty.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str, width: f64, dashes: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"currentColor\" \
             stroke-width=\"{width}\"{} class=\"{class}\"/>",
            dashed(dashes)
        ));
    }

    /// A line through points; what lies outside of the box (left, top, right, bottom) is not shown.
    pub(crate) fn curve(
        &mut self,
        points: impl Iterator<Item = (f64, f64)>,
        (left, top, right, bottom): (f64, f64, f64, f64),
        class: &str,
        width: f64,
        dashes: &str,
    ) {
        let path: String =
            points.map(|(x, y)| format!("{:.1},{:.1} ", x - left, y - top)).collect::<String>();
        let path = path.trim_end();
        self.put(format_args!(
            "<svg x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" overflow=\"hidden\"><polyline points=\"{path}\" \
             fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{} \
             class=\"{class}\"/></svg>",
            right - left,
            bottom - top,
            dashed(dashes)
        ));
    }

    /// A dot.
    pub(crate) fn dot(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        self.put(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"currentColor\" class=\"{class}\"/>"
        ));
    }

    fn put(&mut self, element: impl Display) {
        let _ = writeln!(self.body, "{element}"); // writing to a String does not fail
    }
}

fn dashed(dashes: &str) -> String {
    if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") }
}

/// The end of a long name.
pub(crate) fn shortened(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    match chars.len() {
        0..=24 => name.to_string(),
        n => format!("…{}", chars[n - 23..].iter().collect::<String>()),
    }
}

/// A text as XML and HTML hold it, between tags or in double quotes.
pub(crate) fn escaped(text: &str) -> String {
    // XML has no other control characters, and no U+FFFE and U+FFFF.
    let legal =
        |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars()
        .filter(legal)
        .collect::<String>()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
