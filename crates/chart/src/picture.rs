//! Panels, one below another, as SVG.

use crate::curves::Curves;
use crate::rows::Rows;
use crate::style::{Area, Drawn, PAPER, WIDTH, escaped, px, style_sheet};
use plotters::prelude::{IntoDrawingArea, SVGBackend};

/// How wide a picture is shown where there is room, in pixels of the screen.
const SHOWN: f64 = 600.0;

/// A part of a picture.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Curves over an x axis.
    Curves(Curves),
    /// Bars and intervals.
    Rows(Rows),
}

impl From<Curves> for Panel {
    fn from(curves: Curves) -> Self {
        Panel::Curves(curves)
    }
}

impl From<Rows> for Panel {
    fn from(rows: Rows) -> Self {
        Panel::Rows(rows)
    }
}

impl Panel {
    fn height(&self) -> f64 {
        match self {
            Panel::Curves(curves) => curves.height(),
            Panel::Rows(rows) => rows.height(),
        }
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        match self {
            Panel::Curves(curves) => curves.draw(area),
            Panel::Rows(rows) => rows.draw(area),
        }
    }
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Picture {
    description: String,
    panels: Vec<Panel>,
}

impl Picture {
    /// A picture of these panels. The description is for those who cannot see it.
    pub fn new(description: &str, panels: Vec<Panel>) -> Self {
        Self { description: description.to_string(), panels }
    }

    /// As a file of its own, with its style sheet.
    pub fn standalone(&self) -> String {
        self.svg(" xmlns=\"http://www.w3.org/2000/svg\"", &format!("<style>\n{}</style>\n", style_sheet()))
    }

    /// As a part of a page, which must have the [`style_sheet`].
    pub fn inline(&self) -> String {
        self.svg("", "")
    }

    fn svg(&self, namespace: &str, style: &str) -> String {
        let (width, height) =
            (px(WIDTH), self.panels.iter().map(|panel| px(panel.height())).sum::<i32>().max(1));
        let mut drawn = String::new();
        self.draw(&mut drawn, (width as u32, height as u32)).expect("drawing into a string does not fail");
        // The first tag of plotters says the size in places alone.
        let body =
            drawn.split_once('>').map_or("", |(_, body)| body.trim_start()).replace(" opacity=\"1\"", "");
        let shown = SHOWN * f64::from(height) / f64::from(width);
        format!(
            "<svg{namespace} viewBox=\"0 0 {width} {height}\" width=\"{SHOWN}\" height=\"{shown:.0}\" class=\"chart\" \
             role=\"img\">\n<desc>{}</desc>\n{style}{body}",
            escaped(&self.description)
        )
    }

    fn draw(&self, into: &mut String, size: (u32, u32)) -> Drawn {
        let mut rest = SVGBackend::with_string(into, size).into_drawing_area();
        rest.fill(&PAPER.0)?;
        for panel in &self.panels {
            let (area, below) = rest.split_vertically(px(panel.height()));
            panel.draw(&area)?;
            rest = below;
        }
        rest.present()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Curve, Level, Look, Mark, Row};

    fn curves(points: Vec<(f64, f64)>) -> Curves {
        let curve = |look| Curve { name: "a curve".into(), points: points.clone(), colour: 0, look };
        Curves {
            title: "Title".into(),
            x: Axis::linear("updates", (0.0, 100.0)),
            y: Axis::linear("nats", (1.0, 3.0)),
            curves: [Look::Faint, Look::Line, Look::Dashed, Look::Points, Look::Markers, Look::Rings]
                .map(curve)
                .into(),
            levels: vec![
                Level { name: "inside".into(), y: 2.0, colour: None },
                Level { name: "outside".into(), y: 9.0, colour: None },
            ],
            height: 100.0,
        }
    }

    #[test]
    fn points_lie_where_they_belong() {
        let mut chart = curves(vec![(0.0, 1.0), (50.0, 2.0), (100.0, 3.0)]);
        chart.curves.truncate(2);
        let svg = Picture::new("about it", vec![chart.into()]).standalone();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1680 "), "{svg}");
        assert!(svg.contains("<desc>about it</desc>") && svg.contains("prefers-color-scheme:dark"));
        // The two samples of the legend, and the two curves.
        let lines: Vec<Vec<f64>> = svg
            .split("points=\"")
            .skip(1)
            .map(|part| part.split('"').next().unwrap())
            .map(|points| points.split([' ', ',']).filter_map(|number| number.parse().ok()).collect())
            .filter(|line: &Vec<f64>| line.len() == 6)
            .collect();
        assert_eq!(lines.len(), 2, "{svg}");
        for line in lines {
            let [x0, y0, x1, y1, x2, y2] = line[..] else { unreachable!() };
            assert!((x1 - x0 - (x2 - x1)).abs() <= 2.0 && x2 > x0 + 1000.0, "{line:?}");
            assert!((y0 - y1 - (y1 - y2)).abs() <= 2.0 && (y0 - y2 - 400.0).abs() <= 4.0, "{line:?}");
        }
        assert!(svg.contains("inside") && !svg.contains("outside"), "a level beyond the axis has no entry");
        assert!(!svg.contains("cut off"));
    }

    #[test]
    fn what_is_cut_off_is_said() {
        let svg = Picture::new("", vec![curves(vec![(0.0, 7.5), (50.0, 2.0), (100.0, 1.0)]).into()]).inline();
        assert!(svg.contains("nats; the beginning, up to 7.50, is cut off"), "{svg}");
        assert!(!svg.contains("http"), "a page needs no namespace");
    }

    #[test]
    fn hostile_numbers_and_texts_draw_something() {
        let edges = [f64::MIN, -1.0, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let text = "<b>&\"'\u{1}\u{fffe}".repeat(50);
        for from in edges {
            for to in edges {
                let mut chart = curves(edges.iter().map(|&y| (y, y)).collect());
                (chart.title, chart.x, chart.y) =
                    (text.clone(), Axis::log(&text, (from, to)), Axis::linear(&text, (from, to)));
                chart.levels[0].y = from;
                let marks = vec![(Mark::Bar(from), 0), (Mark::Interval(from, to), 1), (Mark::Dot(to), 2)];
                let rows = Rows {
                    title: text.clone(),
                    x: Axis::linear(&text, (from, to)),
                    rows: vec![Row { name: text.clone(), marks, value: text.clone() }],
                    legend: vec![(text.clone(), 0)],
                };
                let svg = Picture::new(&text, vec![chart.into(), rows.into()]).standalone();
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf") && !svg.contains(['\u{1}', '\u{fffe}']),
                    "{svg}"
                );
                assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
                assert!(!svg.contains("<b>"));
            }
        }
        Picture::new("", Vec::new()).standalone();
    }
}
