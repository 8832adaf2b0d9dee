//! Pages and their texts; hostile pages; and that nothing is ever lost for a reason that is not markup.

use super::long_tags::shortened;
use super::{html_to_text, text_of};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// Pages as they are found, and the text that a person would copy from them.
const PAGES: [(&str, &str); 48] = [
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
    ("a</br>b</br>\n</br>c", "a\nb\n\nc"),
    ("<table><tr><td>1</td><td></td> <td> </td><td>2</td></tr></table>", "1\t\t\t2"),
    ("<table><tr><td>1<td><td>2<tr><td>3<td>4<td>5</table>", "1\t\t2\n3\t4\t5"),
    ("<table><tr><th></th><th>x</th></tr><tr><td></td><td></td><td>y</td></tr>", "\tx\n\t\ty"),
    ("<tr><td>1</td><td></td><td></td></tr><tr><td></td></tr><tr><td></td></tr>end", "1\nend"),
    ("<tr><td><td><p>1</p></td><td>2", "\t1\n2"),
    ("<table><tr><td><td></table>end", "end"),
    ("a<td>b</td>c<td></td>d", "a\tb\tc\td"),
    ("柳树\n发了芽，\r\n <b>\n孩子</b>", "柳树发了芽，孩子"),
    ("柳树 发了芽， <b> 孩子</b>", "柳树 发了芽， 孩子"),
    ("GPT\n模型\nis 好\n。", "GPT 模型 is 好。"),
    ("ひら\nカタ\n（漢）\n한국\n어\n“", "ひらカタ（漢） 한국 어 “"),
    ("<td>柳</td>\n<td>树</td>", "柳\t树"),
    ("<p>柳\n<p>\n树<br>\n发<pre>了\n芽", "柳\n树\n发\n了\n芽"),
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

/// Sixty whole pages with the texts that a careful person would want, in the data sets.
#[test]
fn dirty_pages_and_their_texts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/dirty-html");
    let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "html"));
    assert!(pages.len() >= 60, "{} pages", pages.len());
    for page in pages {
        let text = fs::read_to_string(page.with_extension("txt")).unwrap();
        assert_eq!(html_to_text(&fs::read_to_string(&page).unwrap()) + "\n", text, "{}", page.display());
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

/// What looks like a tag with hundreds of attributes where there are no tags: what comes after it is still there.
#[test]
fn scripts_and_comments_hide_no_text() {
    let words: String = (0..600).map(|i| format!(" t{i}")).collect();
    for (hidden, shown) in [
        (format!("<script>for (i = 0; i<n; i++) {{{words} }}</script>"), String::new()),
        (format!("<script type='application/ld+json'>{{\"a\": \"x<b{words}\"}}</script>"), String::new()),
        (format!("<style>/* a<b{words} */</style>"), String::new()),
        (format!("<script>var a = [x<y,{words}];</script>"), String::new()),
        (format!("<textarea>a<b{words}</textarea>"), format!("a<b{words}\n")),
        (format!("<script><!-- if (i<n{words}) <script> i<n{words} </script> --></script>"), String::new()),
        (format!("<!-- i<n{words} -->"), String::new()),
    ] {
        let text = html_to_text(&format!("<p>before</p>{hidden}<p>after</p>"));
        assert_eq!(text, format!("before\n{shown}after"), "{hidden:.60}");
    }
}

/// Quotation marks in comments and scripts do not switch the cutting off.
#[test]
fn hostile_pages_that_hide_their_long_tag_end() {
    let attributes: String = (0..100_000).map(|i| format!(" a{i:x}")).collect();
    for before in [
        "<!-- <a href=\" -->",
        "<script>var s='<a title=\"'</script>",
        "<title><a href=\"</title>",
        "<!x <a b=\">",
        "<? <a b='>",
    ] {
        let page = format!("{before}<b{attributes}>text</b>");
        assert!(shortened(&page, 512).len() < 10_000, "{before}");
        assert!(html_to_text(&page).ends_with("text"), "{before}");
    }
}

proptest! {
    /// The tokenizer itself is the oracle: attributes are no text, so cutting them changes none, wherever they stand.
    #[test]
    fn cutting_attributes_changes_no_text(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "<", ">", "</", "<!--", "-->", "--!>", "<!-->", "--", "-", "!", "<script", "</script", "<b", "</b", "<textarea>",
            "</textarea>", "<title>", "</title", "<style>", "</style>", "<xmp>", "</xmp>", "<plaintext>", " a b c", " a=b",
            " c='", "'", "\"", "=", "/", " ", "x", "<?", "<!", "<SCRIPT>", "</ScRipt>",
        ]), 0..25)
    ) {
        let page = pieces.concat();
        prop_assert_eq!(text_of(&shortened(&page, 1)), text_of(&page));
        prop_assert_eq!(text_of(&shortened(&page, 0)), text_of(&page));
    }
}

proptest! {
    #[test]
    fn any_string_is_a_page(page in "\\PC{0,60}|[<>/!a-c&;'\"= -]{0,60}") {
        html_to_text(&page);
    }

    /// Text without markup comes out as it is, but for white space: none around it; within it, nothing if it has
    /// a line end and is between Chinese characters or signs, and one space otherwise.
    #[test]
    fn text_stays(page in "[a-z ,.>中文，。\n]{0,40}") {
        let wide = |c: Option<char>| c.is_some_and(|c| "中文，。".contains(c));
        let mut expected = String::new();
        let mut rest = page.trim();
        while let Some(start) = rest.find([' ', '\n']) {
            let (word, gap) = rest.split_at(start);
            rest = gap.trim_start();
            let gap = &gap[..gap.len() - rest.len()];
            let vanishes = gap.contains('\n') && wide(word.chars().next_back()) && wide(rest.chars().next());
            expected += word;
            expected += if vanishes { "" } else { " " };
        }
        expected += rest;
        let text = html_to_text(&page);
        prop_assert_eq!(&text, &expected);
        prop_assert_eq!(html_to_text(&text), text);
    }
}
