//! Pictures and pages without anything from elsewhere: no scripts, no fonts, no network.
//!
//! [`Svg`] draws shapes and text, [`Axis`] finds round ticks, [`Chart`] draws curves over an axis, [`page()`] is the frame of
//! an HTML page. Colours are classes: `ink`, `muted`, `grid`, and `c0` to `c6`, the palette of Okabe and Ito without its
//! yellow, which people with any kind of colour blindness tell apart. Nothing is told by colour alone.

mod axis;
mod curves;
mod page;
mod series;
mod svg;

pub(crate) use axis::Axis;
pub(crate) use curves::{Chart, Curve, Level, Look};
pub(crate) use page::page;
pub(crate) use series::{Point, median, smoothed, thinned};
pub(crate) use svg::{Svg, escaped, shortened};

/// How many different colours there are.
pub(crate) const COLOURS: usize = 7;
