//! Colours, sizes and text.

use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, DrawingAreaErrorKind, FontStyle, RGBColor, SVGBackend, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, IntoFont};
use std::fmt::Write;

/// Units across a picture. A phone has about as many, so that letters keep their size there.
pub(crate) const WIDTH: f64 = 420.0;
/// Places are whole numbers in `plotters`: so many to a unit.
const FINE: f64 = 4.0;

/// Where panels are drawn.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Of drawing. Into a string nothing can fail.
pub(crate) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// A colour on a light screen and on a dark one.
type Pair = (RGBColor, RGBColor);

const fn rgb(hex: u32) -> RGBColor {
    RGBColor((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

pub(crate) const PAPER: Pair = (rgb(0xffffff), rgb(0x14171b));
pub(crate) const INK: Pair = (rgb(0x1f2328), rgb(0xd7dce2));
pub(crate) const MUTED: Pair = (rgb(0x59606a), rgb(0x9aa3ad));
pub(crate) const GRID: Pair = (rgb(0xdfe2e6), rgb(0x31363d));
const COLOURS: [Pair; 7] = [
    (rgb(0x0072b2), rgb(0x4ba3df)),
    (rgb(0xd55e00), rgb(0xf08136)),
    (rgb(0x008f68), rgb(0x2fc296)),
    (rgb(0xbb5a91), rgb(0xdb8fb8)),
    (rgb(0x9c6a00), rgb(0xdfa02a)),
    (rgb(0x3a87b5), rgb(0x7cc4ee)),
    (rgb(0x6f5abf), rgb(0xa597e6)),
];

/// The colour of a number; they repeat.
pub(crate) fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()].0
}

/// Units as places.
pub(crate) fn px(units: f64) -> i32 {
    (FINE * units).round() as i32
}

/// The rules that give the pictures of a page, or a picture alone, their dark colours.
pub fn style_sheet() -> String {
    let mut rules = String::from("@media screen and (prefers-color-scheme:dark){\n");
    for (light, dark) in [PAPER, INK, MUTED, GRID].iter().chain(&COLOURS) {
        let hex = |RGBColor(r, g, b): &RGBColor| format!("#{r:02X}{g:02X}{b:02X}");
        let (light, dark) = (hex(light), hex(dark));
        for attribute in ["fill", "stroke"] {
            // Writing to a String does not fail.
            let _ = writeln!(rules, ".chart [{attribute}=\"{light}\"]{{{attribute}:{dark}}}");
        }
    }
    rules + "}\n"
}

/// A font of so many units.
pub(crate) fn font(size: f64, colour: RGBColor, is_bold: bool) -> TextStyle<'static> {
    let style = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
    // plotters divides by 1.24 what it writes as a font's size.
    (FontFamily::SansSerif, 1.24 * FINE * size).into_font().style(style).color(&colour.to_rgba())
}

/// A line of text; `at` in units, its height is the middle of the letters.
pub(crate) fn text(
    area: &Area<'_>,
    at: (f64, f64),
    text: &str,
    style: TextStyle<'static>,
    side: HPos,
) -> Drawn {
    area.draw(&Text::new(legal(text), (px(at.0), px(at.1)), style.pos(Pos::new(side, VPos::Center))))
}

/// About how many units a text needs at a size of font. A picture does not know what its letters look like.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let letters: f64 = text.chars().map(|c| if c >= '\u{1100}' { 1.0 } else { 0.56 }).sum();
    size * letters
}

/// The end of a long name.
pub fn shortened(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    match chars.len() {
        0..=24 => name.to_string(),
        n => format!("…{}", chars[n - 23..].iter().collect::<String>()),
    }
}

/// Without what XML has no place for: control characters, U+FFFE and U+FFFF.
pub(crate) fn legal(text: &str) -> String {
    let legal =
        |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars().filter(legal).collect()
}

/// A text as XML and HTML hold it, between tags or in double quotes.
pub fn escaped(text: &str) -> String {
    legal(text).replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
