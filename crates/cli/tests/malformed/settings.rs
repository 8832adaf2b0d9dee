//! Settings of `newleaf clean` and `newleaf leak` that make no sense.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let clean = |flags: &str, words: &[&'static str]| {
        Case::new("a.txt", "text", &[&format!("clean --in FILE --out OUT {flags}")], words)
    };
    vec![
        clean("--format docx", &["docx", "\"text\"", "\"jsonl\""]),
        clean("--delimiter ab", &["--delimiter", "one ASCII character"]),
        clean("--delimiter \"", &["--delimiter", "one ASCII character"]),
        clean("--filter sense", &["--filter sense", "word-length", "all"]),
        clean("--dedup soft", &["--dedup soft", "exact", "minhash:0.7"]),
        clean("--dedup exact:2", &["--dedup exact:2", "minhash:0.7"]),
        clean("--dedup minhash:2", &["\"2\"", "similarity from 0 to 1"]),
        clean("--dedup minhash:nan", &["similarity from 0 to 1"]),
        clean("--dedup exact --dedup-memory 0", &["--dedup-memory", "0"]),
        clean("--without sense", &["--without sense", "whitespace"]),
        clean("--min-words many", &["--min-words", "many"]),
        clean("--longest=-1", &["--longest", "-1"]),
        Case::new("a.txt", "text", &["leak --train FILE --test GOOD --ngram 0"], &["--ngram", "0"]),
        Case::new("a.txt", "text", &["leak --train FILE"], &["--test"]),
        Case::new("a.txt", "text", &["clean --in FILE"], &["--out"]),
    ]
}
