//! Dictionaries, segmented text, synonyms, words to protect, stop words; and texts too short to count words in.

use super::{Case, TRAIN};

const SYNONYMS: &str = "augment --in GOOD --out OUT --synonyms FILE";
const PROTECT: &str = "augment --in GOOD --out OUT --protect FILE";
const STOP_WORDS: &str = "embed train --data GOOD --out OUT --min-count 1 --stop-words FILE";
const GOLD: &[&str] = &["tokenizer segment --train FILE", "tokenizer segment --eval FILE"];
const DICT: &[&str] = &["tokenizer segment --dict FILE", "augment --in GOOD --out OUT --dict FILE"];

/// A case whose message begins with the file.
fn case(bytes: &[u8], commands: &[&str], words: &[&'static str]) -> Case {
    Case::new("list.txt", bytes, commands, &[&["FILE"], words].concat())
}

pub(super) fn segmented_text() -> Vec<Case> {
    let long = format!("他 去\n他 {}\n", "好".repeat(65));
    let apart = "set the words apart by spaces";
    vec![
        case(b"", GOLD, &["empty file", "check how"]),
        case(b"# remark\n", GOLD, &["at least one word", "is this the right file?"]),
        case("今天天气很好\n我们去公园\n".as_bytes(), GOLD, &["no space in any line", apart]),
        case(long.as_bytes(), GOLD, &["line 2", "more than 64 characters", apart]),
        case(b"\xC4\xE3 \xBA\xC3\n", GOLD, &["byte offset 0, line 1", "iconv -f GB18030"]),
    ]
}

pub(super) fn dictionaries() -> Vec<Case> {
    let long = "好".repeat(65);
    let correct = "correct the line or delete it";
    let line =
        |text: &str, words: &[&'static str]| case(text.as_bytes(), DICT, &[words, &[correct]].concat());
    vec![
        line("图书馆 120 n\n图书馆 x n\n", &["line 2", "a word, its count", "\"x\""]),
        line("图书馆 -1\n", &["line 1", "\"-1\" where the count"]),
        line("图书馆 99999999999\n", &["line 1", "\"99999999999\""]),
        line("图书馆 1 n x\n", &["line 1", "4 columns"]),
        line(&long, &["line 1", "more than 64 characters"]),
        case(b"# remark\n", DICT, &["at least one word", "is this the right file?"]),
        case(b"\xC4\xE3 1\n", DICT, &["byte offset 0, line 1", "iconv -f GB18030"]),
    ]
}

pub(super) fn for_augmentation() -> Vec<Case> {
    let correct = "correct the line or delete it";
    vec![
        case(b"", &[SYNONYMS, PROTECT, STOP_WORDS], &["empty file", "check how"]),
        case(b"\xFF", &[SYNONYMS, PROTECT, STOP_WORDS], &["byte offset 0, line 1", "iconv"]),
        case(b"big\tlarge\nsmall\n", &[SYNONYMS], &["line 2", "separated by tabs", "\"small\"", correct]),
        case(b"big large huge\n", &[SYNONYMS], &["line 1", "separated by tabs", correct]),
        case(b"# remark\n", &[SYNONYMS], &["found none", correct]),
        case(b"not\n", &[PROTECT], &["line 1", "negation, contrast, degree or polarity", "\"not\"", correct]),
        case(b"negation\tnot\nwrong\tno\n", &[PROTECT], &["line 2", "\"wrong\"", correct]),
        case(b"negation\t \n", &[PROTECT], &["line 1", "a tab, and words", correct]),
        case(b"# remark\n", &[PROTECT], &["at least one word", "is this the right file?"]),
        case(
            b"the\nof and\n",
            &[STOP_WORDS],
            &["line 2", "one word a line", "\"of and\"", "put every word on a line"],
        ),
    ]
}

/// Examples to augment.
pub(super) fn examples() -> Vec<Case> {
    let augment = |file, text: &str, more: &str, words: &[&'static str]| {
        Case::new(file, text, &[&format!("augment --in FILE --out OUT{more}")], &[&["FILE"], words].concat())
    };
    vec![
        augment("a.tsv", "good\tfine\nbad\n", "", &["line 1", "a column \"text\"", "--text-column"]),
        augment("a.tsv", "id\ttext\n1\tbad\n2\n", "", &["line 3", "2 fields", "--skip-bad"]),
        augment("a.tsv", "x\ty\n", " --text-column z", &["line 1", "a column \"z\"", "\"x\", \"y\""]),
        augment(
            "a.jsonl",
            "{\"text\": 1}\n",
            "",
            &["line 1", "a string in the field \"text\"", "--text-column"],
        ),
        augment("a.jsonl", "{\"text\": \"a\"}\nx\n", "", &["line 2", "a JSON object", "--skip-bad"]),
        augment("a.csv", "x,y\n", "", &["line 1", "a column \"text\"", "--text-column"]),
    ]
}

pub(super) fn short_texts() -> Vec<Case> {
    let tokenizer = |kind: &str| format!("tokenizer train --kind {kind} --data FILE --out OUT");
    let pack = "data pack --in FILE --out OUT";
    vec![
        case(b"aaaa", &[&tokenizer("char"), pack, TRAIN], &["2 distinct characters", "use a real text"]),
        case(b"a", &["ngram --train FILE"], &["a text of 1 tokens", "use a longer text"]),
        case(b"a b", &[&tokenizer("word")], &["min_count is 2", "--min-count"]),
        case(b"a b", &["embed train --data FILE --out OUT"], &["at least 2 words", "a smaller --min-count"]),
        case(
            b"a\nb\na\nb\n",
            &["embed train --data FILE --out OUT --min-count 1"],
            &["several words", "a sentence"],
        ),
        case(b"short", &["drift --train FILE --test GOOD"], &["at least 2000", "on longer texts"]),
        case(b"a,b\n1,2\n", &["baseline --train FILE"], &["a .csv, .tsv or .jsonl file", "rename the file"]),
    ]
}
