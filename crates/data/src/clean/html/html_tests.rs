//! Pages and their texts; hostile pages; and that nothing is ever lost for a reason that is not markup.

use super::html_to_text;
use proptest::prelude::*;

/// Pages as they are found, and the text that a person would copy from them.
const PAGES: [(&str, &str); 34] = [
    ("", ""),
    ("plain text", "plain text"),
    ("a < b and b > c", "a < b and b > c"),
    ("1 <2, x<3", "1 <2, x<3"),
    ("un<b>believ</b>able", "unbelievable"),
    ("<p>one</p><p>two</p>", "one\ntwo"),
    ("<p>one<p>two", "one\ntwo"),
    ("<div><div><div>deep</div></div></div>end", "deep\nend"),
    ("<h1>Title</h1>\n\n  <p>Text.</p>", "Title\nText."),
    ("line<br>line<br/>line", "line\nline\nline"),
    ("a<br><br>b<br><br><br><br>c", "a\n\nb\n\nc"),
    ("<ul><li>tea<li>milk</ul>", "tea\nmilk"),
    ("<table><tr><td>1<td>2<tr><td>3<td>4</table>", "1\t2\n3\t4"),
    ("Fish &amp; chips &lt;3", "Fish & chips <3"),
    ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
    ("&#20013;&#x6587;&hellip;&nbsp;x", "中文…\u{A0}x"),
    ("AT&T &unknown; &copy 2020", "AT&T &unknown; © 2020"),
    ("a<script>if (a < b) document.write('<p>no</p>');</script>b", "ab"),
    ("<style>p { color: red }</style>x", "x"),
    ("<SCRIPT type=x>no</sCrIpT >yes", "yes"),
    ("<script>never closed, <p>never shown", ""),
    ("a<!-- comment <b>not bold</b> -->b", "ab"),
    ("a<!-- x > y -->b<!>c<!-->d", "abcd"),
    ("<!DOCTYPE html><html><head><title>T &amp; t</title></head><body>B", "T & t\nB"),
    ("<a href='x>y' title=\"a>b\">link</a>s", "links"),
    ("<pre>\n  indented\n    more\n</pre>after", "  indented\n    more\n\nafter"),
    ("many     spaces\n and\tline ends", "many spaces and line ends"),
    ("<b>bold </b> <i> italic</i>", "bold italic"),
    ("<p>你好，<b>世</b>界！</p><p>第二段　全角空格</p>", "你好，世界！\n第二段　全角空格"),
    ("<textarea>a <b>c</b></textarea>", "a <b>c</b>"),
    ("<p>unclosed <b attribute='", "unclosed"),
    ("</p></nonsense><nonsense/>ok", "ok"),
    ("<iframe><p>fallback</p></iframe>shown", "shown"),
    ("\u{FEFF}<p>mark", "\u{FEFF}\nmark"),
];

#[test]
fn pages_and_their_texts() {
    for (page, text) in PAGES {
        assert_eq!(html_to_text(page), text, "{page:?}");
    }
}

/// Ten patterns that make parsers quadratic; in a debug build a tenth of the size that the example takes.
#[test]
fn hostile_pages_end() {
    let size = 1 << 20;
    for pattern in
        ["<", "&", "</", "<!", "<!--", "<a ", "<b>", "</b>", "&#", "<a b='", "<p><table>", "<script>"]
    {
        html_to_text(&pattern.repeat(size / pattern.len()));
    }
    let attributes: String = (0..size / 8).map(|i| format!(" a{i:06x}")).collect();
    assert_eq!(html_to_text(&format!("<p{attributes}>text")), "text");
    assert_eq!(html_to_text(&format!("<p{attributes}")), "");
    let quoted: String = (0..size / 10).map(|i| format!(" a{i:x}='>'")).collect();
    assert_eq!(html_to_text(&format!("a<i{quoted}>b</i>")), "ab");
    // A comment that looks like such a tag still ends where it ends.
    assert_eq!(html_to_text(&format!("a<!-- <p{attributes} -->b")), "ab");
    assert_eq!(html_to_text(&format!("a<!-- <p{attributes}é-->b")), "ab");
}

proptest! {
    #[test]
    fn any_string_is_a_page(page in "\\PC{0,60}|[<>/!a-c&;'\"= -]{0,60}") {
        html_to_text(&page);
    }

    /// Text without markup comes out as it is, but for white space.
    #[test]
    fn text_stays(page in "[a-z ,.>中文，。\n]{0,40}") {
        let expected = page.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let text = html_to_text(&page);
        prop_assert_eq!(&text, &expected);
        prop_assert_eq!(html_to_text(&text), text);
    }
}
