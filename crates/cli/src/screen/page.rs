//! The frame of an HTML page.

use chart::{escaped, style_sheet};

/// Text as wide as it reads well; on a phone as wide as the screen. On paper it is light.
const PAGE: &str = "\
:root{color-scheme:light dark}
body{font-family:sans-serif;line-height:1.5;max-width:42rem;margin:1.5rem auto;padding:0 1rem;color:#1f2328;background:#fff}
svg.chart{display:block;width:100%;max-width:600px;height:auto}figure{margin:1.5rem 0}
figcaption,.note{color:#59606a;font-size:.9rem}.lead{font-size:1.15rem}
.table{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0}
td,th{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}
th{font-weight:600}td{overflow-wrap:anywhere;min-width:5rem}tr{border-bottom:1px solid #8884}
pre{background:#8881;padding:.8rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
code{white-space:nowrap}summary{cursor:pointer;font-weight:600;margin:1rem 0}dt{font-weight:600}dd{margin:0 0 .6rem 1rem}li{margin:.5rem 0}
@media screen and (prefers-color-scheme:dark){
body{color:#d7dce2;background:#14171b}figcaption,.note{color:#9aa3ad}
}
";

/// A page that loads nothing, and says so to the browser. `marker` names the command that wrote it; `body` is HTML.
pub(crate) fn page(marker: &str, title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"generator\" content=\"{}\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n<style>\n{PAGE}{}</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n",
        escaped(marker),
        escaped(title),
        style_sheet()
    )
}
