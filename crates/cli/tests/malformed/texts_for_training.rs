//! Texts that `newleaf train` cannot learn from: it takes UTF-8 alone, and says how to convert the rest.

use super::{Case, TRAIN};

pub(super) fn cases() -> Vec<Case> {
    let case = |bytes: &[u8], words: &[&'static str]| Case::new("a.txt", bytes, &[TRAIN], words);
    let gb = encoding_rs::GB18030.encode("今天天气很好").0;
    let wide: Vec<u8> = "text".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        case(b"", &["FILE: ", "empty file", "check how"]),
        case(b"\xEF\xBB\xBF", &["FILE: ", "empty file"]),
        case(b"one\r\ntwo\rthree \xFF", &["FILE: ", "byte offset 15, line 3", "FF", "iconv"]),
        case(
            "一二三".as_bytes().split_last().unwrap().1,
            &["FILE: ", "byte offset 6, line 1", "E4 B8", "complete"],
        ),
        case(&gb, &["FILE: ", "byte offset 0, line 1", "iconv -f GB18030"]),
        case(&wide, &["FILE: ", "zero byte at byte offset 1, line 1", "iconv -f UTF-16LE"]),
        case(&[b"\xFF\xFE", &wide[..]].concat(), &["FILE: ", "UTF-16LE", "iconv -f UTF-16LE"]),
        case(b"\xFE\xFF\0a", &["FILE: ", "UTF-16BE", "iconv -f UTF-16BE"]),
        case(b"\0\0\xFE\xFF\0\0\0a", &["FILE: ", "UTF-32BE", "iconv -f UTF-32BE"]),
        case(b"a\nb\0", &["FILE: ", "zero byte at byte offset 3, line 2", "binary"]),
        case(&b"a".repeat(1000), &["FILE: ", "one-character vocabulary", "use a real text"]),
        case(b"ab", &["block_size 8", "give a longer text"]),
        case(b"a text of which a tenth is too short for a window", &["block_size 8", "--block-size"]),
    ]
}
