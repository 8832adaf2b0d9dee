//! Files of every format, whole and byte by byte; what is refused, with its place; arbitrary bytes.

use super::*;
use crate::read::{DocumentWriter, OutFormat, Quotes, Wanted};
use encoding_rs::{BIG5, GB18030};
use proptest::prelude::*;
use std::io::{self, Read};
use std::path::Path;

/// Hands out at most `step` bytes at a time.
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Slow {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.step.min(to.len()).min(self.bytes.len() - self.at);
        to[..n].copy_from_slice(&self.bytes[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}

fn format(name: &str) -> Options {
    Options { format: Some(name.into()), ..Options::default() }
}

fn read(bytes: &[u8], options: &Options) -> Result<Vec<Document>, DataError> {
    let input = Slow { bytes: bytes.to_vec(), at: 0, step: 1 << 20 };
    Documents::from_reader("a", input, options)?.collect()
}

/// Line and text of each document.
fn texts(bytes: &[u8], options: &Options) -> Vec<(u64, String)> {
    read(bytes, options).unwrap().into_iter().map(|document| (document.line, document.text)).collect()
}

#[track_caller]
fn check(bytes: &[u8], options: &Options, expected: &[(u64, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, text.to_string())).collect();
    assert_eq!(texts(bytes, options), expected);
}

#[track_caller]
fn check_error(bytes: &[u8], options: &Options, words: &[&str]) {
    let message = read(bytes, options).unwrap_err().to_string();
    words.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in: {message}"));
}

#[test]
fn plain_text() {
    check(b"a\r\nb\r\rc\n\n \n\nd\n", &format("text"), &[(1, "a\nb"), (4, "c"), (8, "d")]);
    check(b"a\r\nb\r\rc\n\n \n\nd", &format("lines"), &[(1, "a"), (2, "b"), (4, "c"), (8, "d")]);
    check("\u{FEFF}mark".as_bytes(), &format("lines"), &[(1, "mark")]);
    check(b"\n\n  \n", &format("text"), &[]);
}

#[test]
fn csv() {
    let text = "id,text,note\r\n1,plain,x\r\n\r\n2,\"a, \"\"b\"\"\r\nc\",\r\n3,5\" wide,\"\"\n";
    check(text.as_bytes(), &format("csv"), &[(2, "plain"), (4, "a, \"b\"\nc"), (6, "5\" wide")]);
    let documents = read(text.as_bytes(), &format("csv")).unwrap();
    let fields: Vec<_> = documents[1].fields.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect();
    assert_eq!(fields, [("id", "2"), ("text", ""), ("note", "")]);
    check(b"only\none\ntwo", &format("csv"), &[(2, "one"), (3, "two")]);
    check(b"a\ttext\n1\tx,y\n", &format("tsv"), &[(2, "x,y")]);
    let options = Options { delimiter: Some(b';'), text_column: Some("b".into()), ..format("csv") };
    check(b"a;b\n1;x,y\n", &options, &[(2, "x,y")]);
}

/// What Excel writes where the comma is a decimal one (ai-inspector 15, mr-data-converter 52).
#[test]
fn csv_with_another_delimiter() {
    let text = b"sep=;\r\ntext;label\r\na, b;good\r\n";
    check(text, &format("csv"), &[(3, "a, b")]);
    let semicolon = Options { delimiter: Some(b';'), ..format("csv") };
    check(text, &semicolon, &[(3, "a, b")]);
    let comma = Options { delimiter: Some(b','), ..format("csv") };
    check_error(text, &comma, &["line 1", "states", "leave out --delimiter"]);
    check_error(b"text;label\na, b;good\n", &format("csv"), &["line 1", "\"text;label\"", "--delimiter ';'"]);
    check_error(b"text,label\na,good\n", &format("tsv"), &["line 1", "--delimiter ','", "--delimiter '\\t'"]);
    check(b"a;b\nx;y\n", &comma, &[(2, "x;y")]);
    check_error(b"sep=;\n", &format("csv"), &["header"]);
    // What is no delimiter is the name of a column.
    for name in ["sep=é", "sep=\u{1F600}", "sep=", "sep=ab"] {
        check(format!("{name}\nx\n").as_bytes(), &format("csv"), &[(2, "x")]);
    }
}

#[test]
fn csv_that_is_none() {
    let csv = format("csv");
    check_error(b"a,text\n1,x\n1,2,3\n", &csv, &["line 3", "2 fields", "3 fields"]);
    check_error(b"a,text\n1\n", &csv, &["line 2", "1 field:"]);
    check_error(b"a,text\n1,x\n2,\"open\n3,x\n4,", &csv, &["line 3", "quote that closes", "end of the file"]);
    check_error(b"a,text\r1,x\r", &csv, &["line 1", "carriage return", "tr '\\r' '\\n'"]);
    check_error(b"a,text\n1,\"x\"y\n", &csv, &["line 2", "'y'", "double the quotes"]);
    check_error(b"a,b\n1,x\n", &csv, &["line 1", "a column \"text\"", "\"a\", \"b\"", "--text-column"]);
    check_error(b"a,a\n1,x\n", &csv, &["line 1", "\"a\" twice"]);
    check_error(b"\n\n", &csv, &["line 1", "header"]);
}

#[test]
fn jsonl() {
    let text = b"{\"text\":\"a\\nb\",\"n\":1}\n\n{\"n\":[2],\"text\":\"c\"}";
    check(text, &format("jsonl"), &[(1, "a\nb"), (3, "c")]);
    let documents = read(text, &format("jsonl")).unwrap();
    assert_eq!(serde_json::to_string(&documents[1].fields).unwrap(), r#"{"n":[2],"text":null}"#);
    for (text, words) in [
        ("{\"text\":\"a\"}\n{\"text\":\n", &["line 2", "column", "EOF"][..]),
        ("[{\"text\":\"a\"}]", &["line 1", "an array", "jq"]),
        ("{\"text\":7}", &["line 1", "a number", "--text-column"]),
        ("{\"label\":1}", &["line 1", "a field \"text\"", "\"label\""]),
        ("\"text\"", &["line 1", "a string"]),
        (&"[".repeat(1000), &["line 1", "an array", "jq"]),
    ] {
        check_error(text.as_bytes(), &format("jsonl"), words);
    }
}

/// What stands alone, what is a pair, and what is an escaped backslash before a u.
#[test]
fn halves_of_surrogate_pairs() {
    let text = r#"{"text":"a\ud83d","x":"\udc00\ud83d\ude00\\ud83d\\\ud83d"}"#;
    let mut documents = Documents::from_reader("a", text.as_bytes(), &format("jsonl")).unwrap();
    let document = documents.next().unwrap().unwrap();
    assert_eq!(document.text, "a\u{FFFD}");
    assert_eq!(document.fields["x"], "\u{FFFD}\u{1F600}\\ud83d\\\u{FFFD}");
    assert_eq!(documents.notes().surrogates, 3);
}

/// What is not the text is written again as it stands: numbers of any size, spaces, names that are there twice.
#[test]
fn objects_keep_what_is_beside_the_text() {
    let object = |text| {
        format!(
            r#"{{ "id": 123456789012345678901234567890, "x":1.50, "x" : 1e400,"text" :{text} , "n":null}}"#
        )
    };
    let document = &read(object("\"a\\u0062\"").as_bytes(), &format("jsonl")).unwrap()[0];
    assert_eq!((document.text.as_str(), document.raw()), ("ab", &object("\"a\\u0062\"")[..]));
    assert_eq!(document.fields["id"], "123456789012345678901234567890");
    let mut out = Vec::new();
    let changed = Document { text: "c\n".into(), ..document.clone() };
    DocumentWriter::new(&mut out, OutFormat::Jsonl).write(&changed).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), object("\"c\\n\"") + "\n");
}

/// Bad rows are left out and counted if that is asked for; a file that cannot be read on is an error all the same.
#[test]
fn bad_rows() {
    for (name, text, expected) in [
        ("jsonl", "{\"text\":\"a\"}\n{\n[1]\n{\"n\":1}\n{\"text\":\"b\"}\n", [(1, "a"), (5, "b")]),
        ("csv", "n,text\n1,a\n1\n2,\"x\"y,\n1,2,3\n2,b\n", [(2, "a"), (6, "b")]),
    ] {
        assert!(read(text.as_bytes(), &format(name)).is_err());
        let options = Options { skip_bad: true, ..format(name) };
        check(text.as_bytes(), &options, &expected);
        let mut documents = Documents::from_reader("a", text.as_bytes(), &options).unwrap();
        assert_eq!(documents.by_ref().filter(Result::is_ok).count(), 2);
        let notes = documents.notes();
        assert_eq!(notes.skipped, 3);
        assert!(notes.first_skipped.unwrap().contains(if name == "csv" { "line 3" } else { "line 2" }));
    }
    let options = Options { skip_bad: true, ..format("csv") };
    check_error(b"n,text\n1,\"a\n", &options, &["quote that closes"]);
}

/// TSV as it is written without quoting, with it, and with both in one file.
#[test]
fn quotes() {
    let tsv = format("tsv");
    let with = |quotes| Options { quotes, ..format("tsv") };
    let lone = b"text\tlabel\n\"I came early.\tpos\nThen I left.\"\tneg\n\"good\"\tpos\n";
    let expected = [(2, "\"I came early."), (3, "Then I left.\""), (4, "good")];
    check(lone, &tsv, &expected);
    check(lone, &with(Quotes::None), &[expected[0], expected[1], (4, "\"good\"")]);
    check(lone, &with(Quotes::Double), &[(2, "I came early.\tpos\nThen I left."), (4, "good")]);
    check(b"label\ttext\npos\t\"one\n\ntwo\"\nneg\t\"a\tb\"\n", &tsv, &[(2, "one\n\ntwo"), (5, "a\tb")]);
    check(b"label\ttext\npos\t\"open\n\nneg\t\"last", &tsv, &[(2, "\"open"), (4, "\"last")]);
    check(b"text\tl\n\"a\" b\tx\n", &tsv, &[(2, "\"a\" b")]);
    let mut documents = Documents::from_reader("a", &lone[..], &tsv).unwrap();
    assert_eq!(documents.by_ref().count(), 3);
    assert_eq!((documents.notes().lone_quotes, documents.notes().quoted_breaks), (1, 0));
    // A field that goes on is counted, for it may have been two rows.
    let mut documents = Documents::from_reader("a", &b"l\ttext\nx\t\"a\nb\"\n"[..], &tsv).unwrap();
    assert_eq!(documents.by_ref().count(), 1);
    assert_eq!(documents.notes().quoted_breaks, 1);
    // The row of a misplaced quotation mark is named by its first line.
    check_error(
        b"a,text\n1,\"x\ny\"z\n",
        &format("csv"),
        &["line 3", "row begins on line 2", "--quotes none"],
    );
}

#[test]
fn rows_without_a_text() {
    let options = |wanted| Options { wanted, ..Options::default() };
    let read = |name: &str, text: &'static str, wanted| {
        let options = Options { format: Some(name.into()), ..options(wanted) };
        let mut documents = Documents::from_reader("a", text.as_bytes(), &options)?;
        let first = documents.next().unwrap()?;
        Ok::<_, DataError>((first.text, first.fields.len(), documents.notes().whole_rows))
    };
    for (name, text, row) in
        [("csv", "a,b\n1,\"2\"\n", "1,\"2\""), ("jsonl", "{\"a\":1, \"b\":2}\n", "{\"a\":1, \"b\":2}")]
    {
        assert_eq!(read(name, text, Wanted::TextOrRow).unwrap(), (row.to_string(), 2, 1));
        assert_eq!(read(name, text, Wanted::Fields).unwrap(), (String::new(), 2, 0));
        assert!(read(name, text, Wanted::Text).is_err());
    }
}

#[cfg(feature = "html")]
#[test]
fn html() {
    check(b"<h1>Title</h1><p>Text", &format("html"), &[(1, "Title\nText")]);
}

#[test]
fn encodings() {
    let text = "今天天气很好，我们一起去公园散步。\n孩子们跑来跑去，笑声不断。\n";
    let expected = texts(text.as_bytes(), &format("lines"));
    let wide = |mark: bool, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let marked = if mark { format!("\u{FEFF}{text}") } else { text.into() };
        marked.encode_utf16().flat_map(bytes).collect()
    };
    let files = [
        format!("\u{FEFF}{text}").into_bytes(),
        GB18030.encode(text).0.into_owned(),
        wide(true, u16::to_le_bytes),
        wide(true, u16::to_be_bytes),
        wide(false, u16::to_le_bytes),
        wide(false, u16::to_be_bytes),
    ];
    for bytes in files {
        assert_eq!(texts(&bytes, &format("lines")), expected);
    }
    let big5 = Options { encoding: Some("big5".into()), ..format("lines") };
    check(&BIG5.encode("短文").0, &big5, &[(1, "短文")]);
    check_error(&BIG5.encode("短文").0, &format("lines"), &["byte offset 0", "--encoding"]);
    let unknown = Options { encoding: Some("klingon".into()), ..format("lines") };
    check_error(b"text", &unknown, &["klingon", "GB18030"]);
}

#[test]
fn damaged_bytes_are_located() {
    let text = "今天天气很好，我们一起去公园散步。孩子们跑来跑去，笑声不断。";
    // Beyond the part that the encoding is found from.
    let lines = 1 + (crate::read::encoding::SNIFF + 100_000) / (text.len() + 1);
    let mut bytes = format!("{text}\n").repeat(lines).into_bytes();
    let offset = bytes.len();
    bytes.extend(b"\xC4\xE3 more\n");
    let (place, line) = (format!("byte offset {offset}"), format!("line {}", lines + 1));
    check_error(&bytes, &format("text"), &[&place, &line, "UTF-8", "C4", "--encoding"]);
    bytes.truncate(offset);
    bytes.push(0);
    check_error(&bytes, &format("lines"), &[&place, &line, "a zero byte"]);
    bytes.truncate(offset);
    bytes.extend(&"中".as_bytes()[..2]);
    check_error(&bytes, &format("lines"), &[&place, &line, "E4 B8 (the file ends in the middle"]);
    check_error(b"\xFF\xFEa\0\0\xD8b\0", &format("lines"), &["byte offset 4", "UTF-16LE", "00 D8"]);
    check_error(b"", &format("lines"), &["empty"]);
    check_error(b"\xEF\xBB\xBF", &format("lines"), &["empty"]);
}

/// A file that grows or shrinks meanwhile is not what was asked for, whatever it holds.
#[test]
fn files_that_change() {
    let bytes = b"a line\n".repeat(300_000);
    for size in [bytes.len() + 1, bytes.len() - 1, 7] {
        let input = Slow { bytes: bytes.clone(), at: 0, step: 1 << 16 };
        let documents =
            Documents::read("a".into(), Box::new(input), Some(size as u64), &FORMATS[1], &Options::default());
        let error = documents.unwrap().find_map(Result::err).unwrap().to_string();
        let place = format!("byte offset {}", size.min(bytes.len()));
        assert!(error.contains(&place) && error.contains("changed while it was read"), "{error}");
    }
}

#[test]
fn what_is_too_long() {
    for (name, text) in [
        ("lines", "ok\n0123456789\n".to_string()),
        ("text", "ok\n\nline\nline\nline\n".into()),
        ("csv", "text\n\"0123456789\"\n".into()),
        ("jsonl", "{\"text\":\"0123456789\"}".into()),
    ] {
        let options = Options { longest: 8, ..format(name) };
        check_error(text.as_bytes(), &options, &["line ", "at most 8 bytes", "--longest"]);
    }
}

#[test]
fn formats_by_extension() {
    for (path, name) in [
        ("a.TXT", "text"),
        ("a", "text"),
        ("a.csv", "csv"),
        ("b/a.ndjson", "jsonl"),
        ("a.tsv", "tsv"),
        ("a.log", "text"),
    ] {
        assert_eq!(format_of(Path::new(path)).name, name);
    }
    check_error(b"a", &format("docx"), &["docx", "jsonl"]);
}

proptest! {
    #[test]
    fn any_bytes_are_documents_or_an_error(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "[a,\"\r\n \u{4E2D}\\{\\}:\\[\\]]{0,40}".prop_map(String::into_bytes),
            "\\{\"text\":\"[a-c\"\\\\u0-9]{0,12}\"\\}\n\\{?".prop_map(String::into_bytes),
        ],
        encoding in prop::option::of(prop::sample::select(vec!["utf-8", "utf-16le", "gb18030", "big5", "shift_jis"])),
        which in 0..FORMATS.len(),
        step in 1..5usize,
    ) {
        let options = Options { encoding: encoding.map(String::from), ..format(FORMATS[which].name) };
        let whole = read(&bytes, &options).map_err(|e| e.to_string());
        if let Ok(documents) = &whole {
            let empty = documents.iter().any(|document| document.text.is_empty());
            prop_assert!(!empty || !["text", "lines"].contains(&FORMATS[which].name));
        }
        // The same, however the bytes arrive.
        let slow = Slow { bytes, at: 0, step };
        let slow = Documents::from_reader("a", slow, &options)
            .and_then(|documents| documents.collect::<Result<Vec<_>, _>>())
            .map_err(|e| e.to_string());
        prop_assert_eq!(whole, slow);
    }

    /// Any table comes back from RFC 4180.
    #[test]
    fn csv_round_trip(rows in prop::collection::vec(prop::array::uniform2("[a,\"\n \u{4E2D}]{0,8}"), 0..6)) {
        let quote = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let mut file = "x,text\r\n".to_string();
        for [x, text] in &rows {
            file += &format!("{},{}\r\n", quote(x), quote(text));
        }
        let documents = read(file.as_bytes(), &format("csv")).unwrap();
        let found: Vec<[String; 2]> =
            documents.into_iter().map(|d| [d.fields["x"].as_str().unwrap().into(), d.text]).collect();
        prop_assert_eq!(found, rows);
    }
}
