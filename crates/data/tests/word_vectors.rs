//! Files of word vectors: what is written is read back to the last bit, and what is damaged is refused with its place.

use data::DataError;
use data::word_vectors::{Format, Split, Vocabulary, WordVectors};
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const FORMATS: [Format; 3] = [Format::Text, Format::Binary, Format::Glove];

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(bytes: &[u8], format: Option<Format>) -> Result<WordVectors, DataError> {
    let (_folder, path) = file(bytes);
    WordVectors::read(path, format)
}

fn bits(vectors: &WordVectors) -> Vec<u32> {
    vectors.values().iter().map(|x| x.to_bits()).collect()
}

/// Any table that can be written: distinct words without ASCII white space, numbers of any finite bit pattern.
fn tables() -> impl Strategy<Value = WordVectors> {
    let finite = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite());
    let words = prop::collection::hash_set("[^\\x00-\\x20\\x7f\u{feff}]{1,8}", 1..20);
    (1usize..9, words).prop_flat_map(move |(dim, words)| {
        let mut words: Vec<String> = words.into_iter().collect();
        words.sort();
        let values = prop::collection::vec(finite.clone(), dim * words.len());
        values.prop_map(move |values| WordVectors::new(words.clone(), dim, values).unwrap())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_format_round_trips_to_the_last_bit(table in tables()) {
        for format in FORMATS {
            let mut bytes = Vec::new();
            table.write_to(&mut bytes, format).unwrap();
            let again = read(&bytes, Some(format)).unwrap();
            prop_assert_eq!(again.words(), table.words());
            prop_assert_eq!(bits(&again), bits(&table));
            let mut rewritten = Vec::new();
            again.write_to(&mut rewritten, format).unwrap();
            prop_assert_eq!(rewritten, bytes);
        }
    }

    /// Whatever the bytes, the answer is a table or an error.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), header in "([0-9]{1,20} [0-9]{1,20}\n)?") {
        let bytes = [header.as_bytes(), &bytes].concat();
        for format in FORMATS.map(Some).into_iter().chain([None]) {
            if let Ok(table) = read(&bytes, format) {
                prop_assert_eq!(table.values().len(), table.len() * table.dim());
            }
        }
    }

    /// A file that ends too early is refused wherever it ends, but at the end of one of GloVe's lines or within
    /// the digits of its last number.
    #[test]
    fn truncated_files_are_refused(table in tables(), share in 0.0..1.0f64) {
        for format in [Format::Text, Format::Binary] {
            let mut bytes = Vec::new();
            table.write_to(&mut bytes, format).unwrap();
            let last = if format == Format::Text { bytes.iter().rposition(|&b| b == b' ').unwrap() + 1 } else { bytes.len() - 1 };
            let end = (share * last as f64) as usize;
            prop_assert!(read(&bytes[..end], Some(format)).is_err());
        }
    }
}

#[test]
fn formats_are_recognised() {
    let words = ["你好", "cat", "the"].map(String::from).to_vec();
    let table = WordVectors::new(words, 3, vec![0.5, -1.25, 3.0e-8, 1.0, 2.0, 3.0, -0.0, 7.5, 1e30]).unwrap();
    for format in FORMATS {
        let mut bytes = Vec::new();
        table.write_to(&mut bytes, format).unwrap();
        assert_eq!(bits(&read(&bytes, None).unwrap()), bits(&table), "{format:?}");
    }
    // Numbers whose bytes have a line end and otherwise only letters in them.
    let letters = b"abc\nefgh\n\n\n\n\xf0\x9f\x99\x42";
    let binary = [b"2 2\na ".as_slice(), &letters[..8], b"\nb ", &letters[8..]].concat();
    assert_eq!(read(&binary, None).unwrap().words(), ["a", "b"]);
    // A text in another encoding is still seen to be a text.
    let error = read(b"2 2\nc\xe9t .25 .75\ndog 1 1\n", None).unwrap_err().to_string();
    assert!(error.contains("byte 5, line 2") && error.contains("iconv"), "{error}");
}

#[test]
fn what_others_write_is_read() {
    // word2vec.c ends lines with a space; Windows with \r\n; Google's binary file has no line ends between words.
    for text in [
        "2 2\ncat 1 2 \ndog 3 4 \n",
        "2 2\r\ncat 1 2\r\ndog 3 4\r\n",
        "\u{feff}2 2\ncat 1 2\ndog 3.0e0 +4",
        "cat 1 2 \ndog 3 4 \n",
    ] {
        let table = read(text.as_bytes(), None).unwrap();
        assert_eq!(
            (table.words().join(" "), table.values()),
            ("cat dog".to_string(), &[1.0, 2.0, 3.0, 4.0][..])
        );
    }
    let numbers = |x: [f32; 2]| x.map(f32::to_le_bytes).concat();
    let bytes = [&b"2 2\ncat "[..], &numbers([1.0, 2.0]), b"dog ", &numbers([3.0, 4.0])].concat();
    assert_eq!(read(&bytes, None).unwrap().values(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(read(b"cat 1 2\ndog 3 4", None).unwrap().index("dog"), Some(1));
    // Words of GloVe's published files: a no-break space, the next-line character, an ideographic space.
    let odd = read("a\u{a0}b 1 2\n\u{85} 3 4\n\u{3000} 5 6\n".as_bytes(), None).unwrap();
    assert_eq!((odd.len(), odd.index("\u{85}")), (3, Some(1)));
}

/// The numbers are the last fields: GloVe's largest file has words such as ". . ." and "at name@domain.com"
/// (GloVe 150).
#[test]
fn words_with_spaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glove.txt");
    std::fs::write(&path, "cat 1 2\n. . . 3 4\nat name@example.org 5 6\n").unwrap();
    let vectors = WordVectors::read(&path, None).unwrap();
    assert_eq!(vectors.words(), ["cat", ". . .", "at name@example.org"]);
    assert_eq!(vectors.vector(1), [3.0, 4.0]);
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    let float = |x: f32| x.to_le_bytes();
    let binary = |parts: &[&[u8]]| parts.concat();
    let (text, glove, bin) = (Some(Format::Text), Some(Format::Glove), Some(Format::Binary));
    let long_line = [b"1 1\n".as_slice(), &b"x".repeat(3 << 20)].concat();
    let long_word = [b"1 2000\n".as_slice(), &b"x".repeat(9000)].concat();
    // (contents, format, what the message says)
    let cases: Vec<(Vec<u8>, Option<Format>, &[&str])> = vec![
        (b"".to_vec(), None, &["empty"]),
        (b"cat 1 2\n".to_vec(), text, &["line 1", "cat 1 2", "number of words and of dimensions", "glove"]),
        (b"2 x\ncat 1\n".to_vec(), text, &["line 1", "number of words"]),
        (b"-2 3\ncat 1\n".to_vec(), text, &["line 1"]),
        (b"1 1 1\ncat 1\n".to_vec(), text, &["line 1"]),
        (b"0 3\n".to_vec(), text, &["line 1", "at least one word"]),
        (b"3 0\n".to_vec(), text, &["line 1", "1 to 65536 dimensions"]),
        (b"1 99999\ncat 1\n".to_vec(), text, &["line 1", "1 to 65536 dimensions"]),
        (b"999999999 300\ncat 1\n".to_vec(), text, &["line 1", "bytes of the file", "not complete"]),
        (b"18446744073709551615 65536\ncat 1\n".to_vec(), bin, &["line 1", "4294967295"]),
        (b"99999999999999999999999 2\ncat 1\n".to_vec(), text, &["line 1"]),
        (b"2 2\ncat 1 2\ndog 3\n".to_vec(), text, &["line 3", "1 after \"dog\"", "2 numbers"]),
        (b"cat 1 2\n. . x 2\n".to_vec(), glove, &["line 2", "\"x\"", "a finite number"]),
        (b"2 2\ncat 1 2\ndog 3 4 5\n".to_vec(), text, &["line 3", "3 after \"dog\""]),
        (b"2 2\ncat 1  2\ndog 3 4\n".to_vec(), text, &["line 2", "3 after \"cat\"", "one space"]),
        (b"2 2\ncat\t1\t2\ndog\t3\t4\n".to_vec(), text, &["line 2", "0 after"]),
        (b"2 2\ncat 1 2\n cat2 4\n".to_vec(), text, &["line 3", "2 after \"\""]),
        (b"2 2\ncat 1 two\ndog 3 4\n".to_vec(), text, &["line 2", "\"two\"", "finite number"]),
        (b"2 2\ncat 1 nan\ndog 3 4\n".to_vec(), text, &["line 2", "\"nan\""]),
        (b"2 2\ncat 1 2\ndog 3 -inf\n".to_vec(), text, &["line 3", "\"-inf\""]),
        (b"2 2\ncat 1 1e39\ndog 3 4\n".to_vec(), text, &["line 2", "\"1e39\""]),
        (b"2 2\ncat 1 2\ncat 3 4\n".to_vec(), text, &["line 3", "\"cat\" for the second time"]),
        (b"2 2\ncat 1.50 2.5\n".to_vec(), text, &["line 3", "end of the file", "word 2 of 2"]),
        (b"1 2\ncat 1 2\ndog 3 4\n".to_vec(), text, &["byte 12", "more bytes", "end of the file"]),
        (b"1 2\nc\xffat 1 2\n".to_vec(), text, &["byte 5, line 2", "UTF-8"]),
        (b"1 2\n\x01cat 1 2\n".to_vec(), text, &["line 2", "control characters"]),
        (long_line, text, &["line 2", "2 MiB"]),
        (b"cat\ndog\n".to_vec(), glove, &["line 1", "a word and its numbers"]),
        (b"cat 1 2\n\ndog 3 4\n".to_vec(), glove, &["line 2", "0 after"]),
        (b"cat 1 2\ndog 3\n".to_vec(), None, &["line 2", "1 after \"dog\""]),
        (b"cat 1 2\ncat 3 4 5\n".to_vec(), None, &["line 2", "3 after \"cat\"", "2 numbers"]),
        (
            binary(&[b"2 1\ncat ", &float(1.0), b"\ndog ", &[0, 1]]),
            None,
            &["byte 13", "end of the file", "1 numbers after \"dog\""],
        ),
        (binary(&[b"2 1\ncat ", &float(1.0), b"\n"]), bin, &["byte 13", "word 2 of 2", "not complete"]),
        (
            binary(&[b"2 1\nsixteencharacters ", &float(1.0), b"\n"]),
            bin,
            &["byte 27", "end of the file", "word 2 of 2"],
        ),
        (binary(&[b"1 1\ncat ", &float(f32::NAN), b"\n"]), None, &["byte 4", "NaN in the vector of \"cat\""]),
        (binary(&[b"1 1\ncat ", &float(1.0), b"\nmore"]), None, &["byte 13", "more bytes"]),
        (binary(&[b"2 1\ncat ", &float(1.0), b"\ncat ", &float(1.0)]), None, &["byte 13", "second time"]),
        (binary(&[b"1 1\nc\xff ", &float(1.0)]), bin, &["byte 4", "UTF-8"]),
        (binary(&[b"1 1\n ", &float(1.0), b"  "]), bin, &["byte 4", "\"\"", "a word"]),
        (long_word, bin, &["byte 7", "4096 bytes"]),
    ];
    assert!(cases.len() >= 15);
    for (contents, format, words) in &cases {
        let (_folder, path) = file(contents);
        let start = String::from_utf8_lossy(&contents[..contents.len().min(40)]).into_owned();
        let message = WordVectors::read(&path, *format).expect_err(&start).to_string();
        assert!(message.contains("vectors.txt"), "{message}");
        words
            .iter()
            .for_each(|word| assert!(message.contains(word), "{start:?}: {word:?} is not in: {message}"));
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = WordVectors::read(folder.path(), None).unwrap_err().to_string();
    assert!(error.contains("directory"), "{error}");
    let error = WordVectors::read(folder.path().join("none"), None).unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }));
}

#[test]
fn tables_that_cannot_be_written_are_refused() {
    let table =
        |words: [&str; 2], x: f32| WordVectors::new(words.map(String::from).to_vec(), 1, vec![x, 1.0]);
    assert!(table(["a", "b"], 1.0).is_ok());
    for (words, x) in [
        (["a", "a"], 1.0),
        (["a", ""], 1.0),
        (["a b", "c"], 1.0),
        (["a\n", "c"], 1.0),
        (["a", "b"], f32::NAN),
    ] {
        assert!(table(words, x).is_err(), "{words:?} {x}");
    }
}

#[test]
fn writing_replaces_the_file_or_leaves_it() {
    let (folder, path) = file(b"before");
    let table = WordVectors::new(vec!["a".into()], 1, vec![1.5]).unwrap();
    table.write(&path, Format::Text).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1 1\na 1.5\n");
    assert!(table.write(&folder.path().join("no/such/folder.txt"), Format::Text).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn vocabularies_are_counted_in_one_order() {
    let text = "b a c\na b\n的 了 的\n";
    let particle = |word: &str| word == "了";
    let vocabulary = Vocabulary::count(text.lines(), Split::Words, 1, particle).unwrap();
    assert_eq!(vocabulary.words(), ["a", "b", "的", "c"]);
    assert_eq!((vocabulary.counts(), vocabulary.total(), vocabulary.distinct()), (&[2, 2, 2, 1][..], 8, 5));
    let error = Vocabulary::count(text.lines(), Split::Words, 3, particle).unwrap_err().to_string();
    assert!(error.contains("0 of 5") && error.contains("--min-count"), "{error}");
}
