//! Bytes that are no text, or not in the encoding that they seem to be in.

use super::{CLEAN_SECOND, Case, READERS};

const CHINESE: &str = "今天天气很好，我们一起去公园散步。\n孩子们跑来跑去，笑声不断。\n";

pub(super) fn utf8() -> Vec<Case> {
    let text = CHINESE.as_bytes();
    let cut = &text[..text.len() - 2]; // within the full stop
    let mixed = [text, &encoding_rs::GB18030.encode("你").0].concat();
    let late = [CHINESE.repeat(15_000).as_bytes(), b"\xC4\xE3\n"].concat(); // behind what is looked at first
    let marked = b"\xEF\xBB\xBFtext \xFF\xFE".as_slice();
    vec![
        Case::new("empty.txt", "", READERS, &["FILE: ", "empty file", "check how"]),
        Case::new("empty.txt", "", &[CLEAN_SECOND], &["FILE: ", "empty file"]),
        Case::new("mark.txt", "\u{FEFF}", READERS, &["FILE: ", "empty file", "check how"]),
        Case::new(
            "cut.txt",
            cut,
            READERS,
            &["FILE, byte offset 88, line 2", "UTF-8", "E3 80", "cut short", "mend"],
        ),
        Case::new("mixed.txt", mixed, READERS, &["FILE, byte offset 92, line 3", "UTF-8", "C4", "mend"]),
        Case::new("late.txt", late, READERS, &["FILE, byte offset 1380000, line 30001", "C4", "--encoding"]),
        Case::new(
            "marked.txt",
            marked,
            READERS,
            &["FILE, byte offset 8, line 1", "UTF-8", "FF", "--encoding"],
        ),
        Case::new("zero.txt", "one\ntwo\0", READERS, &["FILE, byte offset 7, line 2", "zero byte", "binary"]),
        Case::new(
            "a.csv",
            "text\na\0b\n",
            READERS,
            &["FILE, byte offset 6, line 2", "zero byte", "--encoding"],
        ),
        Case::new("a.jsonl", "{\"text\":\"\0\"}", READERS, &["FILE, byte offset 9, line 1", "zero byte"]),
        Case::new("a.html", "<p>a\0", READERS, &["FILE, byte offset 4, line 1", "zero byte"]),
        Case::new(
            "a.png",
            b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR",
            READERS,
            &["FILE, byte offset 8, line 3", "binary"],
        ),
    ]
}

pub(super) fn wide() -> Vec<Case> {
    let little: Vec<u8> = CHINESE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let odd = [b"\xFF\xFE", &little[..little.len() - 1]].concat();
    let lonely = b"\xFE\xFF\0a\xD8\x00\0b".as_slice(); // half of a pair
    let short: Vec<u8> = "hello".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32 = b"\xFF\xFE\0\0a\0\0\0".as_slice();
    let stated_8 = "clean --in FILE --out OUT --encoding UTF-8";
    let stated_big = "clean --in FILE --out OUT --encoding UTF-16BE";
    vec![
        Case::new(
            "odd.txt",
            odd,
            READERS,
            &["FILE, byte offset 64, line 2", "UTF-16LE", "ends in the middle", "mend"],
        ),
        Case::new(
            "lonely.txt",
            lonely,
            READERS,
            &["FILE, byte offset 4, line 1", "UTF-16BE", "D8 00", "mend"],
        ),
        Case::new(
            "short.txt",
            short,
            READERS,
            &["FILE: ", "UTF-16", "either byte order", "--encoding UTF-16LE"],
        ),
        Case::new("utf32.txt", utf32, READERS, &["FILE, byte offset 0", "UTF-32LE", "iconv -f UTF-32LE"]),
        Case::new("little.txt", little.clone(), &[stated_8], &["FILE, byte offset", "line 1", "UTF-8"]),
        Case::new(
            "marked.txt",
            "\u{FEFF}text",
            &[stated_big],
            &["FILE, byte offset 0", "mark of UTF-8", "leave out"],
        ),
    ]
}

pub(super) fn double_byte() -> Vec<Case> {
    let gb = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    let broken = [&gb(CHINESE)[..], b"\xC4\x20\n"].concat(); // half of a character
    let cut = &gb(CHINESE)[..gb("今天天").len() - 1];
    let stated = "clean --in FILE --out OUT --encoding GB18030";
    let korean = encoding_rs::EUC_KR.encode("오늘은 날씨가 아주 좋아서 우리는 공원에 산책하러 갔습니다.").0;
    let western = b"Ein sch\xF6ner Tag f\xFCr \xC4rger".as_slice();
    let unsure = &["FILE: ", "not UTF-8", "byte offset", "--encoding"];
    vec![
        Case::new("short.txt", gb("你好"), READERS, unsure),
        Case::new("broken.txt", broken.clone(), READERS, unsure),
        Case::new(
            "broken.txt",
            broken,
            &[stated],
            &["FILE, byte offset 62, line 3", "gb18030", "C4", "mend"],
        ),
        Case::new(
            "cut.txt",
            cut,
            &[stated],
            &["FILE, byte offset 4, line 1", "gb18030", "ends in the middle"],
        ),
        Case::new("korean.txt", korean, READERS, unsure),
        Case::new("western.txt", western, READERS, unsure),
        Case::new(
            "big5.txt",
            "text",
            &["clean --in FILE --out OUT --encoding Klingon"],
            &["Klingon", "GB18030"],
        ),
    ]
}
