//! Word vectors, and the lists of analogies that are asked of them. (What a damaged vector in the middle of a file
//! is answered is in tests/embed.rs, too.)

use super::Case;

const NEAR: &str = "embed near --vectors FILE --word cat";
const READERS: &[&str] = &[
    NEAR,
    "embed analogy --vectors FILE --a cat --b dog --c cat",
    "train --data GOOD --out OUT --init-emb FILE --n-layer=1 --n-head=1 --n-embd=8 --block-size=1",
];

pub(super) fn texts() -> Vec<Case> {
    let case = |bytes: &[u8], words: &[&'static str]| {
        Case::new("v.txt", bytes, READERS, &[&["FILE"], words].concat())
    };
    let stated = |text: &str, format: &str, words: &[&'static str]| {
        Case::new("v.txt", text, &[&format!("{NEAR} --format {format}")], &[&["FILE, line"], words].concat())
    };
    vec![
        case(b"", &["empty", "check how it was made"]),
        case(b"3 2\ncat 1 2\ndog 3 4\n", &["line 4", "word 3 of 3", "copy it again"]),
        case(b"1 2\ncat 1 2\ndog 3 4\n", &["byte 12", "after 1 words", "correct the number"]),
        case(b"0 2\n", &["line 1", "at least one word", "train the vectors again"]),
        case(b"2 0\ncat\ndog\n", &["line 1", "1 to 65536 dimensions", "is this a file of vectors?"]),
        case(
            b"2 2\ncat 1 2\ndog 3\n",
            &["line 3", "a word and 2 numbers", "1 after \"dog\"", "repair the line"],
        ),
        case(b"cat 1 2\ndog 3 4 5\n", &["line 2", "3 after \"dog\"", "repair the line"]),
        case(b"2 2\ncat 1 2\ndog 3 x\n", &["line 3", "finite number", "\"x\"", "repair the line"]),
        case(b"cat 1 2\ndog NaN 4\n", &["line 2", "finite number", "\"NaN\"", "repair the line"]),
        case(b"cat 1 2\ndog 3 inf\n", &["line 2", "finite number", "\"inf\"", "repair the line"]),
        case(b"2 2\ncat 1 2\ncat 3 4\n", &["line 3", "\"cat\" for the second time", "repair the line"]),
        case(b"2 2\n 1 2\ndog 1 2\n", &["line 2", "2 after \"\"", "repair the line"]),
        case(b"cat 1 2\nd\xF6g 3 4\n", &["byte 9, line 2", "UTF-8", "iconv"]),
        stated("cat 1 2\n", "text", &["1: ", "the number of words", "read it as glove"]),
        stated("cat 1 2\n", "binary", &["1: ", "the number of words", "read it as glove"]),
        stated("2 2\ncat 1 2\n", "glove", &["2: ", "a word and 1 numbers", "repair the line"]),
    ]
}

pub(super) fn binaries() -> Vec<Case> {
    let row = |word: &str, numbers: &[f32]| {
        let numbers = numbers.iter().flat_map(|x| x.to_le_bytes());
        [word.as_bytes(), b" "].concat().into_iter().chain(numbers).chain([b'\n']).collect::<Vec<u8>>()
    };
    let file = |header: &str, rows: &[Vec<u8>]| [header.as_bytes(), &rows.concat()].concat();
    let (cat, dog) = (row("cat", &[1.1, 2.1]), row("dog", &[3.1, f32::NAN]));
    let case = |bytes: Vec<u8>, words: &[&'static str]| {
        Case::new("v.bin", bytes, READERS, &[&["FILE, "], words].concat())
    };
    vec![
        case(file("2 2\n", &[cat.clone(), dog[..8].to_vec()]), &["2 numbers after \"dog\"", "copy it again"]),
        case(
            file("2 2\n", &[cat.clone(), dog]),
            &["byte 17", "NaN in the vector of \"dog\"", "train the vectors again"],
        ),
        case(
            file("2 2\n", &[cat.clone(), cat.clone()]),
            &["\"cat\" for the second time", "dimensions in the first line"],
        ),
        case(file("9 2\n", std::slice::from_ref(&cat)), &["line 1", "copy it again"]),
        case(file("1 2\n", &[cat.clone(), cat]), &["end of the file after 1 words", "correct the number"]),
    ]
}

pub(super) fn analogies() -> Vec<Case> {
    let case = |list: &[u8], words: &[&'static str]| {
        let command = "embed analogy --vectors BESIDE --file FILE";
        Case::new("list.tsv", list, &[command], &[&["FILE"], words].concat())
            .beside("v.txt", "cat 1 2\ndog 3 4\n")
    };
    let help = "newleaf embed analogy --help";
    vec![
        case(b"", &["empty file", "check how it was made"]),
        case(b"# ours\nkind\ta\tb\n", &["line 2", "3 fields", help]),
        case(b"kind\ta\tb\tc\td\te\n", &["line 1", "6 fields", help]),
        case(b"kind,a,b,c,d\n", &["line 1", "1 fields", help]),
        case(b"relation\ta\tb\tc\td\n", &["no analogy", help]),
        case(b"kind\ta\xFF\n", &["byte offset 6, line 1", "iconv"]),
    ]
}
