//! Curves over an x axis.

use crate::Point;
use crate::axis::Axis;
use crate::frame::{Frame, Place, Plot, Sample, fits};
use crate::style::{Area, Drawn, INK, colour, px};
use plotters::element::{Circle, Cross, DashedPathElement, PathElement, Rectangle, TriangleMarker};
use plotters::style::{Color, ShapeStyle};

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A thin, faint line: single measurements behind their mean.
    Faint,
    /// A line.
    Line,
    /// A dashed line: one that stands behind another.
    Dashed,
    /// A line with a marker at each point, of the colour's own shape.
    Points,
    /// Markers alone.
    Markers,
    /// Rings around points of other curves.
    Rings,
}

impl Look {
    /// From the back to the front.
    const ALL: [Look; 6] = [Look::Faint, Look::Line, Look::Dashed, Look::Points, Look::Markers, Look::Rings];

    /// Width of the line in units, if there is one.
    fn line(self) -> Option<f64> {
        match self {
            Look::Faint => Some(0.5),
            Look::Line | Look::Dashed => Some(1.6),
            Look::Points => Some(2.2),
            Look::Markers | Look::Rings => None,
        }
    }
}

/// Points from left to right.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is called in the legend, which leaves out a curve without a name.
    pub name: String,
    /// What is not finite is left out.
    pub points: Vec<Point>,
    /// The number of its colour.
    pub colour: usize,
    /// How it is drawn.
    pub look: Look,
}

/// A dashed horizontal line; not drawn, and not in the legend, if it lies beyond the y axis.
#[derive(Clone, Debug)]
pub struct Level {
    /// What it is called in the legend.
    pub name: String,
    /// Where it is.
    pub y: f64,
    /// The number of a colour, or none.
    pub colour: Option<usize>,
}

/// A panel of curves. What lies beyond the axes is cut off, and the line below the title says so.
#[derive(Clone, Debug)]
pub struct Curves {
    /// What is seen.
    pub title: String,
    /// The axis across.
    pub x: Axis,
    /// The axis upwards; its name stands above the plot.
    pub y: Axis,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
    /// Horizontal lines, after the curves in the legend.
    pub levels: Vec<Level>,
    /// Of the plot, in units of which the picture is 420 wide.
    pub height: f64,
}

/// Of the legend and of the plot: markers, in units.
const MARKER: f64 = 3.5;
const DASH: (f64, f64) = (7.0, 4.0);

impl Curves {
    pub(crate) fn height(&self) -> f64 {
        self.frame().height()
    }

    pub(crate) fn draw(&self, area: &Area<'_>) -> Drawn {
        let plot = self.frame().draw(area)?;
        for level in self.visible_levels() {
            let y = self.y.share(level.y);
            dashes(area, vec![plot.at((0.0, y)), plot.at((1.0, y))], level.style())?;
        }
        for look in Look::ALL {
            for curve in self.curves.iter().filter(|curve| curve.look == look) {
                self.draw_curve(area, &plot, curve)?;
            }
        }
        Ok(())
    }

    fn frame(&self) -> Frame<'_> {
        let curves = self.curves.iter().filter(|curve| !curve.name.is_empty()).map(|curve| {
            let sample: Sample<'_> = Box::new(|area, [from, to]| {
                curve.line(area, vec![from, to])?;
                curve.marker(area, ((from.0 + to.0) / 2, from.1))
            });
            (curve.name.as_str(), sample)
        });
        let levels = self.visible_levels().map(|level| {
            let sample: Sample<'_> = Box::new(|area, ends| dashes(area, ends.to_vec(), level.style()));
            (level.name.as_str(), sample)
        });
        let cut = self.cut().map(|most| format!("the beginning, up to {most:.2}, is cut off"));
        let line = match (&self.y.name, &cut) {
            (name, Some(cut)) if !name.is_empty() => format!("{name}; {cut}"),
            (name, cut) => cut.as_ref().unwrap_or(name).clone(),
        };
        let subtitle = match cut {
            Some(cut) if !fits(&line) => vec![self.y.name.clone(), cut],
            _ if line.is_empty() => Vec::new(),
            _ => vec![line],
        };
        Frame {
            title: &self.title,
            subtitle,
            legend: curves.chain(levels).collect(),
            x: self.x.ticks(6),
            x_name: &self.x.name,
            y: self.y.ticks(6),
            height: self.height,
            right: 18.0,
            has_lines_across: true,
        }
    }

    fn visible_levels(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().filter(|level| (0.0..=1.0).contains(&self.y.share(level.y)))
    }

    /// The largest number above the y axis, of curves that stand for themselves.
    fn cut(&self) -> Option<f64> {
        let curves = self.curves.iter().filter(|curve| curve.look != Look::Faint);
        let above = curves.flat_map(|curve| &curve.points).map(|point| point.1);
        above.filter(|&y| y.is_finite() && self.y.share(y) > 1.0 + 1e-9).max_by(f64::total_cmp)
    }

    fn draw_curve(&self, area: &Area<'_>, plot: &Plot, curve: &Curve) -> Drawn {
        let points = curve.points.iter().filter(|point| point.0.is_finite() && point.1.is_finite());
        let shares = points.map(|point| (self.x.share(point.0), self.y.share(point.1)));
        let shares: Vec<Point> = shares.filter(|share| (-1e-9..=1.0 + 1e-9).contains(&share.0)).collect();
        for piece in within(&shares) {
            curve.line(area, piece.into_iter().map(|share| plot.at(share)).collect())?;
        }
        for share in shares.iter().filter(|share| (0.0..=1.0).contains(&share.1)) {
            match (shares.len(), curve.look) {
                // Of one point there is no line.
                (1, Look::Faint | Look::Line | Look::Dashed) => {
                    disc(area, plot.at(*share), colour(curve.colour).filled())?;
                }
                _ => curve.marker(area, plot.at(*share))?,
            }
        }
        Ok(())
    }
}

impl Curve {
    /// Its line through places, if it has one.
    fn line(&self, area: &Area<'_>, places: Vec<Place>) -> Drawn {
        let Some(width) = self.look.line() else { return Ok(()) };
        let style = colour(self.colour).stroke_width(px(width) as u32);
        match self.look {
            Look::Dashed => dashes(area, places, style),
            _ => area.draw(&PathElement::new(places, style)),
        }
    }

    /// Its marker at a place, if it has one: a shape for each colour.
    fn marker(&self, area: &Area<'_>, at: Place) -> Drawn {
        let (style, size) = (colour(self.colour), px(MARKER));
        match (self.look, self.colour % 4) {
            (Look::Faint | Look::Line | Look::Dashed, _) => Ok(()),
            (Look::Rings, _) => {
                area.draw(&Circle::new(at, px(1.8 * MARKER), style.stroke_width(px(1.6) as u32)))
            }
            (_, 0) => disc(area, at, style.filled()),
            (_, 1) => area.draw(&TriangleMarker::new(at, px(1.4 * MARKER), style.filled())),
            (_, 2) => area.draw(&Rectangle::new(
                [(at.0 - size, at.1 - size), (at.0 + size, at.1 + size)],
                style.filled(),
            )),
            _ => area.draw(&Cross::new(at, size, style.stroke_width(px(2.0) as u32))),
        }
    }
}

impl Level {
    fn style(&self) -> ShapeStyle {
        self.colour.map_or(INK.0, colour).stroke_width(px(1.4) as u32)
    }
}

fn disc(area: &Area<'_>, at: Place, style: ShapeStyle) -> Drawn {
    area.draw(&Circle::new(at, px(MARKER), style))
}

fn dashes(area: &Area<'_>, places: Vec<Place>, style: ShapeStyle) -> Drawn {
    area.draw(&DashedPathElement::new(places, px(DASH.0), px(DASH.1), style))
}

/// The pieces of a line that lie between 0 and 1: the line ends where it leaves, and not at the last point before.
fn within(places: &[Point]) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    let mut is_open = false;
    for pair in places.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        // Of the way from a to b, the part from `from` to `to` is inside.
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for edge in [0.0, 1.0] {
            if (a.1 < edge) != (b.1 < edge) {
                let crossing = (edge - a.1) / (b.1 - a.1);
                let is_leaving = (b.1 > a.1) == (edge == 1.0);
                if is_leaving { to = to.min(crossing) } else { from = from.max(crossing) }
            }
        }
        let is_inside = (0.0..=1.0).contains(&(a.1 + 0.5 * (from + to) * (b.1 - a.1)));
        if !is_inside || from > to {
            is_open = false;
            continue;
        }
        let at = |share: f64| (a.0 + share * (b.0 - a.0), (a.1 + share * (b.1 - a.1)).clamp(0.0, 1.0));
        if !is_open || from > 0.0 {
            pieces.push(vec![at(from)]);
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(at(to));
        }
        is_open = to == 1.0;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_they_leave_the_plot() {
        let inside = [(0.0, 0.5), (0.5, 0.25), (1.0, 1.0)];
        assert_eq!(within(&inside), [inside.to_vec()]);
        assert_eq!(
            within(&[(0.0, 3.0), (0.5, 0.0), (1.0, 0.5)]),
            [vec![(1.0 / 3.0, 1.0), (0.5, 0.0), (1.0, 0.5)]]
        );
        assert_eq!(
            within(&[(0.0, 0.5), (0.25, 1.5), (0.5, 0.5), (1.0, -0.5)]),
            [vec![(0.0, 0.5), (0.125, 1.0)], vec![(0.375, 1.0), (0.5, 0.5), (0.75, 0.0)]]
        );
        assert_eq!(within(&[(0.0, -1.0), (1.0, 2.0)]), [vec![(1.0 / 3.0, 0.0), (2.0 / 3.0, 1.0)]]);
        assert!(within(&[(0.0, 2.0), (0.5, 3.0), (1.0, 2.0)]).is_empty());
        assert!(within(&[(0.0, 0.5)]).is_empty() && within(&[]).is_empty());
    }
}
