//! Rows of bars and intervals, one below another.

use crate::axis::{Axis, Ticks};
use crate::frame::Frame;
use crate::style::{Area, Drawn, INK, colour, font, px, shortened, text, width};
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

/// What stands in a row; what lies beyond the axis is drawn at its end.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// A bar from the beginning of the axis.
    Bar(f64),
    /// A thick line from one number to another.
    Interval(f64, f64),
    /// A dot.
    Dot(f64),
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is about, to the left.
    pub name: String,
    /// Its marks, each with the number of a colour.
    pub marks: Vec<(Mark, usize)>,
    /// Its number, to the right.
    pub value: String,
}

/// A panel of rows.
#[derive(Clone, Debug)]
pub struct Rows {
    /// What is seen.
    pub title: String,
    /// The axis across.
    pub x: Axis,
    /// The rows from the top.
    pub rows: Vec<Row>,
    /// The names of colours.
    pub legend: Vec<(String, usize)>,
}

/// From row to row, in units.
const SPACING: f64 = 26.0;
const LETTERS: f64 = 14.0;

impl Rows {
    pub(crate) fn height(&self) -> f64 {
        self.frame().height()
    }

    fn frame(&self) -> Frame<'_> {
        let legend = self.legend.iter().map(|(name, number)| {
            let sample: crate::frame::Sample<'_> = Box::new(|area, [from, to]| bar(area, from, to, *number));
            (name.as_str(), sample)
        });
        let widest = self.rows.iter().map(|row| width(&row.value, LETTERS)).fold(0.0, f64::max);
        let n = self.rows.len().max(1) as f64;
        let name = |(i, row): (usize, &Row)| (1.0 - (i as f64 + 0.5) / n, shortened(&row.name));
        Frame {
            title: &self.title,
            subtitle: Vec::new(),
            legend: legend.collect(),
            x: self.x.ticks(5),
            x_name: &self.x.name,
            y: Ticks(self.rows.iter().enumerate().map(name).collect()),
            height: SPACING * n,
            right: 18.0 + widest,
            has_lines_across: false,
        }
    }

    pub(crate) fn draw(&self, area: &Area<'_>) -> Drawn {
        let frame = self.frame();
        let plot = frame.draw(area)?;
        for (row, (y, _)) in self.rows.iter().zip(&frame.y.0) {
            let at = |x: f64| plot.at((self.x.share(x).clamp(0.0, 1.0), *y));
            for (mark, number) in &row.marks {
                match *mark {
                    Mark::Bar(x) => bar(area, plot.at((0.0, *y)), at(x), *number)?,
                    Mark::Interval(from, to) => {
                        let style = colour(*number).stroke_width(px(3.0) as u32);
                        area.draw(&PathElement::new(vec![at(from), at(to)], style))?;
                    }
                    Mark::Dot(x) => area.draw(&Circle::new(at(x), px(4.5), colour(*number).filled()))?,
                }
            }
            let (x, y) = plot.at((1.0, *y));
            let units = |place: i32| f64::from(place) / f64::from(px(1.0));
            text(area, (units(x) + 10.0, units(y)), &row.value, font(LETTERS, INK.0, false), HPos::Left)?;
        }
        Ok(())
    }
}

/// A bar around the line from one place to another.
fn bar(area: &Area<'_>, from: (i32, i32), to: (i32, i32), number: usize) -> Drawn {
    let (half, to) = (px(6.0), to.0.max(from.0 + px(1.0)));
    area.draw(&Rectangle::new([(from.0, from.1 - half), (to, from.1 + half)], colour(number).filled()))
}
