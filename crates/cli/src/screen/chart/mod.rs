//! Pictures and pages without anything from elsewhere: no scripts, no fonts, no network.
//!
//! [`Svg`] draws shapes and text, [`Axis`] finds round ticks, [`Chart`] draws curves over an axis, [`page`] is the frame of
//! an HTML page. Colours are classes: `ink`, `muted`, `grid`, and `c0` to `c6`, the palette of Okabe and Ito without its
//! yellow, which people with any kind of colour blindness tell apart. Nothing is told by colour alone.

mod axis;
mod curves;
mod series;
mod svg;

pub(crate) use axis::Axis;
pub(crate) use curves::{Chart, Curve, Level, Look};
pub(crate) use series::{Point, median, smoothed, thinned};
pub(crate) use svg::{Svg, escaped, shortened};

/// How many different colours there are.
pub(crate) const COLOURS: usize = 7;

/// Sizes, and a colour for each class that can be read on white and on black: a picture alone does not know where it is
/// shown.
const NEUTRAL: &str = "\
.chart{font-family:sans-serif}.chart text{font-size:13px;fill:currentColor}
.chart .small{font-size:11px}.chart .big{font-size:19px;font-weight:bold}.chart .bold{font-weight:bold}
.chart,.ink{color:#767b84}.muted{color:#767b84}.grid{color:#767b84;opacity:.25}
.c0{color:#1f83c4}.c1{color:#d55e00}.c2{color:#009e73}.c3{color:#c4699b}.c4{color:#c98a00}.c5{color:#4fa3d6}
.c6{color:#8572c9}
";

/// Of a page, which does know it. On paper it is light.
const PAGE: &str = "\
:root{color-scheme:light dark}
body{font-family:sans-serif;line-height:1.45;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}
svg.chart{max-width:100%;height:auto}figure{margin:1.5rem 0}figcaption,.note{color:#59606a;font-size:.9rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere;font-variant-numeric:tabular-nums}tr{border-bottom:1px solid #8884}
pre{background:#8881;padding:.8rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}li{margin:.5rem 0}
.chart,.ink{color:#1f2328}.muted{color:#59606a}.grid{color:#dfe2e6;opacity:1}.c0{color:#0072b2}
@media screen and (prefers-color-scheme:dark){
body{color:#d7dce2;background:#14171b}figcaption,.note{color:#9aa3ad}
.chart,.ink{color:#d7dce2}.muted{color:#9aa3ad}.grid{color:#31363d}.c0{color:#4ba3df}.c1{color:#f08136}
}
";

/// A page that loads nothing, and says so to the browser. `marker` names the command that wrote it; `body` is HTML.
pub(crate) fn page(marker: &str, title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"generator\" content=\"{}\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width\"/>\n<title>{}</title>\n<style>\n{NEUTRAL}{PAGE}</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n",
        escaped(marker),
        escaped(title)
    )
}
