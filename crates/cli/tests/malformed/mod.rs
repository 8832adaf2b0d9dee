//! Malformed files: exit code 2, a message that names the file, the place and the remedy, nothing written.
//!
//! A table is a file here, named in `tables!` with its functions that answer cases. A case is a file, the commands
//! that are to refuse it, and words of the message. Each ends within a second on an idle machine; so that
//! the tests hold on a busy one too, they only give up after [`PATIENCE`].

mod encodings;
mod manifests;
mod models;
mod paths;
mod settings;
mod tables_and_objects;
mod texts_for_training;
mod token_files;
mod tokenizers;
mod vectors;
mod word_lists;

use crate::common::{contents, newleaf};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a command may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tables: a test each, and their functions in [`CASES`]. (The modules are declared outside of the macro, where
/// rustfmt finds them.)
macro_rules! tables {
    ($($table:ident($($cases:ident),+))*) => {
        const CASES: &[fn() -> Vec<Case>] = &[$($($table::$cases),+),*];
        $(#[test] fn $table() {
            let cases: &[fn() -> Vec<Case>] = &[$($table::$cases),+];
            let wrong: Vec<String> = cases.iter().flat_map(|cases| cases()).flat_map(|case| case.check()).collect();
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        })*
    };
}

tables! {
    encodings(utf8, wide, double_byte)
    tables_and_objects(rows, objects, pages_and_lines)
    texts_for_training(cases)
    paths(inputs, outputs)
    settings(cases)
    tokenizers(json_files, damaged_bpe, damaged_tables, gpt2_files)
    token_files(cases)
    vectors(texts, binaries, analogies)
    manifests(whole_files, one_entry, checksums)
    word_lists(segmented_text, dictionaries, for_augmentation, examples, short_texts)
    models(configs, weights, tokenizers, texts)
}

#[test]
fn there_are_enough() {
    let cases: usize = CASES.iter().map(|cases| cases().len()).sum();
    assert!(cases >= 240, "{cases} cases");
}

/// The command lines that read a file. `FILE` is the malformed one, `DIR` its directory, `GOOD` a good one,
/// `BESIDE` the one beside it, `OUT` what would be written.
const CLEAN: &str = "clean --in FILE --out OUT";
const CLEAN_SECOND: &str = "clean --in GOOD FILE --out OUT";
const LEAK_TRAIN: &str = "leak --train FILE --test GOOD";
const LEAK_TEST: &str = "leak --train GOOD --test FILE";
const TRAIN: &str =
    "train --data FILE --out OUT --n-layer=1 --n-head=1 --n-embd=8 --block-size=8 --max-iters=2";

/// Those that read documents.
const READERS: &[&str] = &[CLEAN, LEAK_TRAIN, LEAK_TEST];

/// What stands at the path of the malformed file.
enum Content {
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// Whatever this function makes there; false if this machine cannot.
    Made(fn(&Path) -> bool),
    /// Nothing is made: the name is a path of its own.
    Elsewhere,
}

/// A malformed file.
struct Case {
    name: String,
    /// Its name; its extension says the format.
    file: &'static str,
    content: Content,
    /// Good files in its directory: names and bytes.
    beside: Vec<(&'static str, Vec<u8>)>,
    commands: Vec<String>,
    /// What the message must contain; in all of them `FILE` is replaced as in the commands.
    words: Vec<&'static str>,
}

impl Case {
    fn new(file: &'static str, bytes: impl Into<Vec<u8>>, commands: &[&str], words: &[&'static str]) -> Self {
        Self::with(file, Content::Bytes(bytes.into()), commands, words)
    }

    fn with(file: &'static str, content: Content, commands: &[&str], words: &[&'static str]) -> Self {
        let commands = commands.iter().map(|command| command.to_string()).collect();
        let name = format!("{file}: {}", words.join(", "));
        Self { name, file, content, beside: Vec::new(), commands, words: words.to_vec() }
    }

    /// With a good file in the same directory.
    fn beside(mut self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.beside.push((name, bytes.into()));
        self
    }

    /// Every command refuses the file, says why, and leaves everything as it was; else what is wrong.
    fn check(&self) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // A path of its own is in the file system already, and joining it to the folder gives just that.
        let (file, good, out) = (path(self.file), path("good.txt"), path("out.txt"));
        fs::write(&good, "a good text\n\nof two documents\n").unwrap();
        match &self.content {
            Content::Bytes(bytes) => {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, bytes).unwrap();
            }
            Content::Made(make) if !make(&file) => return Vec::new(),
            _ => {}
        }
        let dir = file.parent().unwrap().to_path_buf();
        self.beside.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
        let before = contents(folder.path());
        let mut wrong = Vec::new();
        for line in &self.commands {
            let replaced = |word: &str| match word {
                "FILE" => file.clone().into_os_string(),
                "DIR" => dir.clone().into_os_string(),
                "BESIDE" => dir.join(self.beside[0].0).into_os_string(),
                "GOOD" => good.clone().into_os_string(),
                "OUT" => out.clone().into_os_string(),
                word => word.into(),
            };
            let mut command = newleaf();
            command.args(line.split(' ').map(replaced)).current_dir(folder.path()).timeout(PATIENCE);
            let output = command.output().unwrap();
            let message = String::from_utf8(output.stderr).expect("messages are UTF-8");
            let mut check = |good: bool, what: &str| {
                if !good {
                    wrong.push(format!("{}\n  {line}\n  {what}: {message}", self.name));
                }
            };
            check(output.status.code() == Some(2), &format!("exit code {:?}", output.status.code()));
            for word in &self.words {
                let word = word.replace("FILE", file.to_str().unwrap());
                check(message.contains(&word), &format!("{word:?} is not in the message"));
            }
            check(!message.contains("panicked"), "a panic");
            check(output.stdout.is_empty(), "something on standard output");
            check(before == contents(folder.path()), "something was written");
        }
        wrong
    }
}

/// A text that a model can be trained on.
const GOOD_TEXT: &str = "the cat sat on the mat, and the dog ran to the man\n";

/// The files that a command makes of [`GOOD_TEXT`], to be damaged: `IN` is that text, `OUT` what is written.
fn made(command: &str, files: &[&str]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (text, out) = (folder.path().join("text.txt"), folder.path().join("out"));
    fs::write(&text, GOOD_TEXT.repeat(20)).unwrap();
    let replaced = |word: &str| match word {
        "IN" => text.clone().into_os_string(),
        "OUT" => out.clone().into_os_string(),
        word => word.into(),
    };
    newleaf().args(command.split(' ').map(replaced)).timeout(PATIENCE).assert().success();
    files
        .iter()
        .map(|name| fs::read(if name.is_empty() { out.clone() } else { out.join(name) }).unwrap())
        .collect()
}

/// Bytes with others in their place.
fn patched(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    [&bytes[..at], new, &bytes[at + new.len()..]].concat()
}
