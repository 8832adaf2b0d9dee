//! Curves over an axis, each named where it ends.

use super::{Axis, Point, Svg};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 42.0;
/// Below the plot: ticks and the name of the axis.
const FOOT: f64 = 48.0;
/// Between two names.
const SPACING: f64 = 16.0;

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Single measurements behind their mean.
    Faint,
    /// A line.
    Plain,
    /// A line with its points.
    Dots,
    /// A dashed line with its points: the parts of another.
    Dashes,
}

impl Look {
    /// Width and dashes of the line.
    fn stroke(self) -> (f64, &'static str) {
        match self {
            Look::Faint => (0.6, ""),
            Look::Plain => (1.5, ""),
            Look::Dots => (2.2, ""),
            Look::Dashes => (1.5, "7 3"),
        }
    }

    fn has_dots(self) -> bool {
        matches!(self, Look::Dots | Look::Dashes)
    }
}

/// Points from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) points: Vec<Point>,
    pub(crate) colour: usize,
    pub(crate) look: Look,
    /// What it is called; empty for one that belongs to another.
    pub(crate) label: String,
}

/// A horizontal line; not drawn if it lies beyond the range.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) y: f64,
    /// The number of a colour, or no colour.
    pub(crate) colour: Option<usize>,
    pub(crate) label: String,
}

/// A picture of curves.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it shows, with the unit.
    pub(crate) title: String,
    /// What the horizontal axis shows, with the unit.
    pub(crate) across: String,
    pub(crate) curves: Vec<Curve>,
    pub(crate) levels: Vec<Level>,
    /// The least and the largest number of the vertical axis.
    pub(crate) range: (f64, f64),
    pub(crate) height: f64,
    /// Who drew it, before the title in the description.
    pub(crate) marker: &'static str,
}

impl Chart {
    /// Draws it.
    pub(crate) fn draw(&self) -> Svg {
        let names = self.names(self.axis(0.0, 1.0));
        let bottom = (TOP + self.height).max(TOP + SPACING * names.len() as f64);
        let description = format!("{}: {} by {}", self.marker, self.title, self.across);
        let mut svg = Svg::new(&description, WIDTH, bottom + FOOT);
        let last = self.curves.iter().filter_map(|curve| curve.points.last()).map(|point| point.0);
        let x = Axis::new((0.0, last.fold(0.0, f64::max)), LEFT, RIGHT);
        let y = self.axis(bottom, TOP);
        svg.text((LEFT - 44.0, 20.0), "start", "bold", &self.title);
        self.grid(&mut svg, &x, &y, bottom);
        for level in self.levels.iter().filter(|level| y.holds(level.y)) {
            let at = y.at(level.y);
            svg.line((LEFT, at), (RIGHT, at), &class(level.colour), 1.4, "2 4");
        }
        for look in [Look::Faint, Look::Plain, Look::Dashes, Look::Dots] {
            for curve in self.curves.iter().filter(|curve| curve.look == look) {
                draw_curve(&mut svg, curve, &x, &y, bottom);
            }
        }
        draw_names(&mut svg, names, &y, bottom);
        svg
    }

    /// The vertical one, with a little room beyond the numbers.
    fn axis(&self, bottom: f64, top: f64) -> Axis {
        let (least, largest) = self.range;
        let room = 0.04 * (largest - least).max(0.0);
        let low = if least >= 0.0 { (least - room).max(0.0) } else { least - room };
        Axis::new((low, largest + room), bottom, top)
    }

    fn grid(&self, svg: &mut Svg, x: &Axis, y: &Axis, bottom: f64) {
        for (tick, text) in y.ticks(6) {
            let at = y.at(tick);
            svg.line((LEFT, at), (RIGHT, at), "grid", 1.0, "");
            svg.text((LEFT - 8.0, at + 4.0), "end", "muted small", &text);
        }
        for (tick, text) in x.ticks(8) {
            let at = x.at(tick);
            svg.line((at, bottom), (at, bottom + 5.0), "muted", 1.0, "");
            svg.text((at, bottom + 19.0), "middle", "muted small", &text);
        }
        svg.line((LEFT, bottom), (RIGHT, bottom), "muted", 1.0, "");
        svg.text((0.5 * (LEFT + RIGHT), bottom + 38.0), "middle", "muted", &self.across);
    }

    /// What is named, and where it ends.
    fn names(&self, y: Axis) -> Vec<Name<'_>> {
        let curves = self.curves.iter().filter(|curve| !curve.label.is_empty()).filter_map(|curve| {
            let (width, dashes) = curve.look.stroke();
            let y = curve.points.last()?.1;
            Some(Name { y, colour: Some(curve.colour), width, dashes, text: &curve.label })
        });
        let levels = self.levels.iter().filter(|level| y.holds(level.y)).map(|level| Name {
            y: level.y,
            colour: level.colour,
            width: 1.4,
            dashes: "2 4",
            text: &level.label,
        });
        let mut names: Vec<Name<'_>> = curves.chain(levels).collect();
        names.sort_by(|a, b| b.y.total_cmp(&a.y)); // from the top
        names
    }
}

/// A name beside the plot, with a piece of its line.
struct Name<'a> {
    y: f64,
    colour: Option<usize>,
    width: f64,
    dashes: &'static str,
    text: &'a str,
}

fn draw_curve(svg: &mut Svg, curve: &Curve, x: &Axis, y: &Axis, bottom: f64) {
    let (width, dashes) = curve.look.stroke();
    let class = class(Some(curve.colour));
    let points = curve.points.iter().map(|point| (x.at(point.0), y.at(point.1)));
    svg.curve(points, (LEFT, TOP, RIGHT, bottom), &class, width, dashes);
    if curve.look.has_dots() || curve.points.len() == 1 {
        for point in curve.points.iter().filter(|point| y.holds(point.1)) {
            svg.dot((x.at(point.0), y.at(point.1)), 2.8, &class);
        }
    }
}

/// Puts every name as near to the end of its line as the others allow.
fn draw_names(svg: &mut Svg, names: Vec<Name<'_>>, y: &Axis, bottom: f64) {
    let mut at = f64::NEG_INFINITY;
    for (i, name) in names.iter().enumerate() {
        let below = (names.len() - 1 - i) as f64; // these need their room too
        at = y.at(name.y).clamp(TOP, bottom - SPACING * below).max(at + SPACING);
        svg.line((RIGHT + 8.0, at), (RIGHT + 34.0, at), &class(name.colour), name.width, name.dashes);
        svg.text((RIGHT + 40.0, at + 4.0), "start", "small", name.text);
    }
}

fn class(colour: Option<usize>) -> String {
    colour.map_or("ink".to_string(), |number| format!("c{}", number % super::COLOURS))
}
