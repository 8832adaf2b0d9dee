//! The commands of both READMEs, as they stand there, on small data and with trainings cut short.

use crate::common::{Place, newleaf};
use std::fs;
use std::path::Path;

/// A command: its words, and the file that is its standard input.
#[derive(Debug, PartialEq)]
struct Line {
    words: Vec<String>,
    input: Option<String>,
}

/// The lines of the `sh` blocks that call the program, without remarks.
fn commands(readme: &str) -> Vec<Line> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(readme)).unwrap();
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if let Some(rest) = line.strip_prefix("newleaf ").filter(|_| inside) {
            let mut words = split(rest);
            let input = words.iter().position(|word| word == "<").map(|at| words.split_off(at)[1].clone());
            found.push(Line { words, input });
        }
    }
    found
}

/// The words of a shell command, up to a remark.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            '#' if !quoted && word.is_none() => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Files of the names in the READMEs; all have the same characters.
fn files(place: &Place) {
    let nouns = ["cat", "dog", "hen", "boy", "fox", "girl", "king", "zebra"];
    let verbs = ["saw", "met", "liked", "heard", "found", "missed"];
    let sentence =
        |i: usize| format!("Once The {} {} a {}, {i}.", nouns[i % 8], verbs[i % 6], nouns[(i / 8 + 3) % 8]);
    let alphabet = "从前 Quick waltz: job vex'd my \"nymph\", for 0123456789 <&>;/= - ! ? ()\n\n";
    let text = |range: std::ops::Range<usize>| {
        alphabet.to_string() + &range.map(|i| sentence(i) + "\n\n").collect::<String>()
    };
    for (name, range) in [("my.txt", 0..400), ("new.txt", 400..800), ("other.txt", 200..700)] {
        place.write(name, text(range));
    }
    let row = |i: usize| format!("{i},\"<p>{} {}</p>\"\n", sentence(i % 150), sentence(i % 150 + 7));
    place.write("pages.csv", "id,text\n".to_string() + &(0..160).map(row).collect::<String>());
    let review =
        |i: usize| format!("{},\"{}\"\n", if i.is_multiple_of(2) { "good" } else { "bad" }, sentence(i));
    place.write("reviews.csv", "label,text\n".to_string() + &(0..200).map(review).collect::<String>());
    place.write("lines.txt", sentence(1) + "\n" + &sentence(2) + "\n");
    let pair = |i: usize| format!("a {} met {i}\tone {} saw\n", nouns[i % 8], nouns[i % 7]);
    place.write("pairs.tsv", "source\ttarget\n".to_string() + &(0..200).map(pair).collect::<String>());
    let talk = |i: usize| {
        let message = |role: &str, content: String| serde_json::json!({ "role": role, "content": content });
        serde_json::json!({ "messages": [message("user", sentence(i)), message("assistant", sentence(i + 1))] }).to_string() + "\n"
    };
    place.write("dialogues.jsonl", (0..30).map(talk).collect::<String>());
}

/// What is added to a command so that it is short, or what is asked of one that cannot be.
fn shortened(words: &[String]) -> Vec<String> {
    let has = |flag: &str| words.iter().any(|word| word == flag);
    let mut words = words.to_vec();
    let more = match words[0].as_str() {
        "train" if has("--resume") => {
            let at = words.iter().position(|word| word == "--max-iters").unwrap();
            words[at + 1] = "5".into();
            ""
        }
        "train" if has("--from") => "--max-iters 2 --eval-iters 1 --sample-length 5",
        "train" => {
            "--max-iters 3 --eval-iters 1 --sample-length 5 --n-layer 1 --n-head 2 --n-embd 16 --block-size 64 --batch-size 4"
        }
        "finetune" => "--epochs 1",
        _ => "",
    };
    words.extend(more.split_whitespace().map(String::from));
    words
}

/// As many commands as there are, in their order: each finds what those before it have made.
#[test]
fn the_commands_of_the_readmes_run() {
    for readme in ["README.md", "README.zh.md"] {
        let place = Place::new();
        files(&place);
        let commands = commands(readme);
        assert!(commands.len() >= 20, "{readme}: {} commands", commands.len());
        for line in &commands {
            let mut command = newleaf();
            command.current_dir(place.folder());
            if line.words.iter().any(|word| word == "--time") {
                // Minutes long: that it is understood is seen by what it misses.
                let words = line.words.iter().map(|word| if word == "my.txt" { "gone.txt" } else { word });
                let output = command.args(words).output().unwrap();
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    output.status.code() == Some(2) && message.contains("gone.txt"),
                    "{line:?}: {message}"
                );
                continue;
            }
            let input = line.input.as_ref().map_or(String::new(), |name| place.read(name));
            let output = command.args(shortened(&line.words)).write_stdin(input).output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{readme}: {line:?}: {message}");
        }
    }
}

/// The two pages say the same: the same commands, but for the text of prompts.
#[test]
fn both_readmes_have_the_same_commands() {
    let without_prompts = |readme: &str| -> Vec<Line> {
        let mut lines = commands(readme);
        for line in &mut lines {
            if let Some(at) = line.words.iter().position(|word| word == "--prompt") {
                line.words[at + 1].clear();
            }
        }
        lines
    };
    assert_eq!(without_prompts("README.md"), without_prompts("README.zh.md"));
}
