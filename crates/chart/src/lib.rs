//! Charts as SVG, in the style of this project: one picture is one file that loads nothing.
//!
//! A [`Picture`] stacks panels: [`Curves`] over an x axis, or [`Rows`] of bars and intervals. `plotters` draws them; what is
//! added here is the style. The picture is narrow and its letters large, so that it can be read on a phone. The legend stands
//! above the plot, where it hides nothing. Every colour has a second one for dark screens, which a style sheet inside the
//! picture chooses; programs that know no style sheets show the light one. Colours are those of Okabe and Ito, which people
//! with any kind of colour blindness tell apart, and each has a marker of its own besides.
//!
//! ```
//! use chart::{Axis, Curve, Curves, Look, Picture};
//!
//! let points = vec![(0.0, 4.2), (100.0, 2.1), (200.0, 1.6)];
//! let curves = Curves {
//!     title: "Loss of a small model".into(),
//!     x: Axis::linear("updates", (0.0, 200.0)),
//!     y: Axis::linear("nats per token", (1.5, 4.2)),
//!     curves: vec![Curve { name: "validation".into(), points, colour: 0, look: Look::Points }],
//!     levels: vec![],
//!     height: 200.0,
//! };
//! let picture = Picture::new("Loss by updates", vec![curves.into()]);
//! assert!(picture.standalone().starts_with("<svg xmlns="));
//! ```

mod axis;
mod curves;
mod frame;
mod picture;
mod rows;
mod style;

pub use axis::Axis;
pub use curves::{Curve, Curves, Level, Look};
pub use picture::{Panel, Picture};
pub use rows::{Mark, Row, Rows};
pub use style::{escaped, shortened, style_sheet};

/// A point of a curve: x, and y.
pub type Point = (f64, f64);
