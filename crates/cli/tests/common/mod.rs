//! What the tests of the program share: running it, reading what it says, folders for files, and what a refusal is.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// The program.
pub(crate) fn newleaf() -> Command {
    Command::cargo_bin("newleaf").expect("the program is built")
}

/// The program in a folder.
pub(crate) fn newleaf_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = newleaf();
    command.current_dir(folder).args(arguments);
    command
}

/// The command succeeds: what it says on stdout.
#[track_caller]
pub(crate) fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// The command succeeds: the JSON on stdout.
#[track_caller]
pub(crate) fn json(command: &mut Command) -> Value {
    serde_json::from_str(&stdout(command)).unwrap()
}

/// A number, or NaN, with which every comparison fails.
pub(crate) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// The values of a file with one in each line.
#[track_caller]
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The JSON in a file.
#[track_caller]
pub(crate) fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A file of a data set that lies beside the program.
pub(crate) fn dataset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(name)
}

/// The command fails with this exit code and says all of `words`, without a panic. Answers the message.
#[track_caller]
pub(crate) fn fails(command: &mut Command, code: i32, words: &[&str]) -> String {
    message(command.assert().code(code).get_output(), words)
}

/// The message of a program that failed.
#[track_caller]
fn message(output: &Output, words: &[&str]) -> String {
    let message = String::from_utf8(output.stderr.clone()).expect("messages are UTF-8");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// The same with exit code 2, nothing on stdout, and everything in the folder as it was.
#[track_caller]
pub(crate) fn refuses(folder: &Path, command: &mut Command, words: &[&str]) {
    let before = contents(folder);
    let output = command.assert().code(2).get_output().clone();
    let message = message(&output, words);
    assert!(before == contents(folder), "something was written: {message}");
    assert!(output.stdout.is_empty(), "something on standard output: {message}");
}

/// Everything below a folder in the order of the names: paths, and the bytes of files. Locks are left out: they hold the
/// number of the process that was there last.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(contents(&path));
        }
        let small = kind.is_file() && fs::metadata(&path).unwrap().len() < 1 << 28;
        let bytes = if small { fs::read(&path).ok() } else { None };
        if path.file_name().is_none_or(|name| name != "run.lock") {
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// A folder for files, removed at the end of the test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names in it, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command is refused, and nothing in this folder changes.
    #[track_caller]
    pub(crate) fn refuses(&self, command: &mut Command, words: &[&str]) {
        refuses(self.folder(), command, words);
    }
}

/// Fine-tunes the model of [`reviews`] on its tables, to tell labels.
pub(crate) fn finetune(place: &Place, out: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["finetune", "classify", "--text-column", "review", "--model"]).arg(place.path("base"));
    for part in ["train", "dev", "test"] {
        command.arg(format!("--{part}")).arg(place.path(&format!("{part}.csv")));
    }
    command.arg("--out").arg(place.path(out)).args(more);
    command
}

/// A folder with a model of a few words and tables of reviews, whose label is decided by one word.
pub(crate) fn reviews() -> Place {
    let place = Place::new();
    let mut state = 7_u64;
    let mut pick = |of: &[&str]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        of[((state >> 33) % of.len() as u64) as usize].to_string()
    };
    let things = ["the soup", "a cake", "the tea", "this rice", "the fish", "a pie", "our bread", "the egg"];
    let times = ["today", "at noon", "again", "for once", "as ever", "in the end", "at first", "by night"];
    let mut review = |good: bool| {
        let word = if good { pick(&["good", "fine"]) } else { pick(&["bad", "poor"]) };
        format!("{} was {word} {} with {}", pick(&things), pick(&times), pick(&things))
    };
    let mut rows = |count: usize| -> String {
        (0..count)
            .map(|i| format!("{},{}\n", review(i % 2 == 0), if i % 2 == 0 { "pos" } else { "neg" }))
            .collect()
    };
    let head = "review,label\n";
    place.write("train.csv", format!("{head}{}", rows(400)));
    place.write("dev.csv", format!("{head}{}", rows(60)));
    place.write("test.csv", format!("{head}{}", rows(60)));
    place.write("text.txt", rows(300).replace(",pos", ".").replace(",neg", "."));
    let mut command = newleaf();
    command.args(["train", "--preset", "nano-cpu", "--data"]).arg(place.path("text.txt"));
    command.arg("--out").arg(place.path("base"));
    command.args([
        "--n-layer=2",
        "--n-head=2",
        "--n-embd=32",
        "--block-size=64",
        "--batch-size=16",
        "--max-iters=60",
    ]);
    command.args(["--eval-interval=60", "--position=rope", "--learning-rate=3e-3"]).assert().success();
    place
}

/// Whether these tests, and so what they start, were told to ignore SIGHUP: `nohup`.
#[cfg(unix)]
pub(crate) fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Sends a signal, such as `INT`, to a program that is running.
#[cfg(unix)]
#[track_caller]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Elements are closed in the order in which they were opened, and nothing that is no markup holds a bare `<` or `&`.
pub(crate) fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"];
    let bare =
        |text: &str| text.match_indices('&').any(|(i, _)| !entities.iter().any(|e| text[i..].starts_with(e)));
    for piece in xml.split('<').skip(1) {
        let Some((tag, text)) = piece.split_once('>') else { return false };
        if bare(text) || tag.matches('"').count() % 2 != 0 {
            return false;
        }
        let name = tag.split([' ', '/']).next().unwrap_or("").to_string();
        match tag.strip_prefix('/') {
            Some(name) if open.pop().as_deref() != Some(name) => return false,
            Some(_) => {}
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    open.is_empty()
}
