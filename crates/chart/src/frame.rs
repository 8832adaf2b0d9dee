//! What stands around a plot: title, legend, axes.

use crate::Point;
use crate::axis::Ticks;
use crate::style::{Area, Drawn, GRID, INK, MUTED, WIDTH, font, legal, px, text, width};
use plotters::prelude::{ChartBuilder, TRANSPARENT};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

/// Draws the sample of a legend's entry, from the left end to the right one.
pub(crate) type Sample<'f> = Box<dyn Fn(&Area<'_>, [Place; 2]) -> Drawn + 'f>;
/// A place in an area, from its corner.
pub(crate) type Place = (i32, i32);

const TITLE: f64 = 16.0;
const LETTERS: f64 = 14.0;
const MARGIN: f64 = 10.0;
/// Between two lines of text.
const LINE: f64 = 20.0;
/// Of a legend's sample, and the room after it and after its name.
const SAMPLE: f64 = 26.0;
const AFTER: (f64, f64) = (6.0, 14.0);
/// Below the plot: ticks, and the name of the axis.
const FOOT: f64 = 44.0;

/// What surrounds a plot.
pub(crate) struct Frame<'f> {
    pub(crate) title: &'f str,
    /// Lines below the title: what the y axis shows.
    pub(crate) subtitle: Vec<String>,
    pub(crate) legend: Vec<(&'f str, Sample<'f>)>,
    pub(crate) x: Ticks,
    pub(crate) x_name: &'f str,
    pub(crate) y: Ticks,
    /// Of the plot alone.
    pub(crate) height: f64,
    /// Units to the right of the plot.
    pub(crate) right: f64,
    /// Whether the lines of the grid go across, or up.
    pub(crate) has_lines_across: bool,
}

impl Frame<'_> {
    /// Units from the title to the name of the x axis.
    pub(crate) fn height(&self) -> f64 {
        self.top() + self.height + FOOT + MARGIN
    }

    /// Units above the plot.
    fn top(&self) -> f64 {
        let rows = self.places().last().map_or(0, |place| place.1 + 1);
        MARGIN + LINE * (1 + self.subtitle.len() + rows) as f64 + 8.0
    }

    /// Where each entry of the legend begins, and in which row.
    fn places(&self) -> Vec<(f64, usize)> {
        let (mut x, mut row) = (MARGIN, 0);
        let place = |(name, _): &(&str, Sample<'_>)| {
            let entry = SAMPLE + AFTER.0 + width(name, LETTERS);
            if x > MARGIN && x + entry > WIDTH - MARGIN {
                (x, row) = (MARGIN, row + 1);
            }
            let place = (x, row);
            x += entry + AFTER.1;
            place
        };
        self.legend.iter().map(place).collect()
    }

    /// Draws it, and returns the plot.
    pub(crate) fn draw(&self, area: &Area<'_>) -> Drawn<Plot> {
        let mut y = MARGIN + LINE / 2.0;
        text(area, (MARGIN, y), self.title, font(TITLE, INK.0, true), HPos::Left)?;
        for line in &self.subtitle {
            y += LINE;
            text(area, (MARGIN, y), line, font(LETTERS, MUTED.0, false), HPos::Left)?;
        }
        for ((name, sample), (x, row)) in self.legend.iter().zip(self.places()) {
            let y = y + LINE * (row + 1) as f64;
            sample(area, [(px(x), px(y)), (px(x + SAMPLE), px(y))])?;
            text(area, (x + SAMPLE + AFTER.0, y), name, font(LETTERS, INK.0, false), HPos::Left)?;
        }
        let widest = self.y.0.iter().map(|tick| width(&tick.1, LETTERS)).fold(0.0, f64::max).min(0.4 * WIDTH);
        let mut plot = ChartBuilder::on(area)
            .margin_top(px(self.top()))
            .margin_right(px(self.right.min(0.3 * WIDTH)))
            .margin_bottom(px(MARGIN))
            .margin_left(px(MARGIN))
            .x_label_area_size(px(FOOT))
            .y_label_area_size(px(widest + 8.0))
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let mut mesh = plot.configure_mesh();
        match self.has_lines_across {
            true => mesh.disable_x_mesh(),
            false => mesh.disable_y_mesh(),
        };
        mesh.axis_style(MUTED.0.stroke_width(px(1.0) as u32))
            .bold_line_style(GRID.0.stroke_width(px(1.0) as u32))
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(px(4.0))
            .label_style(font(LETTERS, MUTED.0, false))
            .axis_desc_style(font(LETTERS, MUTED.0, false))
            .x_label_formatter(&|share| legal(&self.x.text(*share)))
            .y_label_formatter(&|share| legal(&self.y.text(*share)))
            .x_desc(legal(self.x_name))
            .draw()?;
        let ((left, right), (top, bottom)) = {
            let (x, y) = plot.plotting_area().get_pixel_range();
            ((x.start, x.end), (y.start, y.end))
        };
        let base = area.get_base_pixel();
        Ok(Plot { corner: (left - base.0, bottom - base.1), size: (right - left, top - bottom) })
    }
}

/// Where a plot is.
pub(crate) struct Plot {
    /// Of both axes' beginnings.
    corner: Place,
    /// To their ends.
    size: Place,
}

impl Plot {
    /// The place of shares of both axes.
    pub(crate) fn at(&self, (x, y): Point) -> Place {
        let place = |corner: i32, size: i32, share: f64| corner + (f64::from(size) * share).round() as i32;
        (place(self.corner.0, self.size.0, x), place(self.corner.1, self.size.1, y))
    }
}

/// Whether a line of text is not wider than a picture. A sentence is narrower than a name with digits.
pub(crate) fn fits(line: &str) -> bool {
    0.9 * width(line, LETTERS) <= WIDTH - 2.0 * MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However long the names are, no entry reaches into the next, and none that is not too long by itself out of the picture.
    #[test]
    fn entries_of_a_legend_do_not_overlap() {
        let names: Vec<String> = (0..40).map(|i| "n".repeat(1 + i * i % 37)).collect();
        let sample = || -> Sample<'_> { Box::new(|_, _| Ok(())) };
        let frame = Frame {
            title: "",
            subtitle: Vec::new(),
            legend: names.iter().map(|name| (name.as_str(), sample())).collect(),
            x: Ticks(Vec::new()),
            x_name: "",
            y: Ticks(Vec::new()),
            height: 100.0,
            right: 0.0,
            has_lines_across: true,
        };
        let places = frame.places();
        let end = |i: usize| places[i].0 + SAMPLE + AFTER.0 + width(&names[i], LETTERS);
        for i in 0..names.len() {
            assert!(end(i) <= WIDTH - MARGIN, "{i}: {}", end(i));
            if let Some(next) = places.get(i + 1) {
                assert!(
                    next.1 == places[i].1 + 1 && next.0 == MARGIN || next.1 == places[i].1 && next.0 > end(i),
                    "{i}"
                );
            }
        }
        assert!(places[39].1 > 5 && frame.height() > 100.0 + LINE * places[39].1 as f64);
    }
}
