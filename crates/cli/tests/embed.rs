//! `newleaf embed` and `newleaf train --init-emb`: vectors are trained, asked and used, the same for any number of
//! threads, and what is wrong is refused with its place and the remedy.

use crate::common::{Place, json, newleaf, stdout};
use assert_cmd::Command;
use data::word_vectors::WordVectors;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A folder with a text, of two kinds of sentences that share no noun.
fn place() -> Place {
    let place = Place::new();
    let animals = ["cat", "dog", "cow", "pig"];
    let things = ["cup", "jar", "pot", "pan"];
    let lines = (0..800).map(|i| {
        let (a, b) = (i / 2 % 4, i / 8 % 4);
        match i % 2 {
            0 => format!("the {} bites the {} again\n", animals[a], animals[b]),
            _ => format!("she puts a {} beside a {}\n", things[a], things[b]),
        }
    });
    place.write("text.txt", lines.collect::<String>());
    place
}

/// `newleaf embed train` of short vectors.
fn train(place: &Place, out: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["embed", "train", "--data"]).arg(place.path("text.txt"));
    command
        .arg("--out")
        .arg(place.path(out))
        .args(with_defaults(more, &["--dim=10", "--subsample=0", "--window=2"]));
    command
}

/// `newleaf embed near` and `analogy`, with the file of vectors.
fn ask(action: &str, vectors: &Path, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["embed", action, "--vectors"]).arg(vectors).args(more);
    command
}

/// `newleaf train` of a tiny model.
fn model(place: &Place, run: &str, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["train", "--data"]).arg(place.path("text.txt")).arg("--out").arg(place.path(run));
    command.args(["--n-layer=1", "--n-head=2", "--block-size=8", "--batch-size=4", "--eval-iters=2"]);
    command.args(["--max-iters=6", "--eval-interval=3", "--sample-length=5"]);
    command.args(with_defaults(more, &["--n-embd=8"]));
    command
}

/// These flags, and those of the defaults that are not among them.
fn with_defaults<'a>(flags: &[&'a str], defaults: &[&'a str]) -> Vec<&'a str> {
    let name = |flag: &'a str| flag.split('=').next();
    let missing = defaults.iter().filter(|default| flags.iter().all(|flag| name(flag) != name(default)));
    flags.iter().chain(missing).copied().collect()
}

#[test]
fn trained_vectors_know_their_like() {
    let place = place();
    for (method, more) in [("sgns", &["--learning-rate=0.1", "--epochs=20"][..]), ("glove", &["--keep=word"])]
    {
        for format in ["text", "binary", "glove"] {
            let flags = ["--json", "--method", method, "--out-format", format];
            let summary = json(train(&place, "v", &flags).args(more));
            assert_eq!((summary["words"].as_u64(), summary["dim"].as_u64()), (Some(15), Some(10)));
            assert!(summary["loss"].is_number() && summary["words_per_s"].as_f64().unwrap() > 0.0);
            let answer = json(&mut ask("near", &place.path("v"), &["--word=cat", "-n=3", "--json"]));
            let mut near: Vec<&str> = answer["neighbours"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x["word"].as_str().unwrap())
                .collect();
            near.sort_unstable();
            assert_eq!(near, ["cow", "dog", "pig"], "{method} {format}: {answer}");
            fs::remove_file(place.path("v")).unwrap();
        }
    }
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let place = place();
    for method in ["sgns", "glove"] {
        let mut files = ["1", "2", "4"].map(|threads| {
            train(&place, "v", &["--method", method]).env("RAYON_NUM_THREADS", threads).assert().success();
            fs::read(place.path("v")).unwrap()
        });
        files.sort();
        assert!(files[0].len() > 1000 && files[0] == files[2], "{method}");
    }
}

#[test]
fn flags_choose_the_words() {
    let place = place();
    place.write("text.txt", "The cat THE dog\nthe 猫 狗\nrare\n".repeat(6) + "once seen\n");
    place.write("stop.txt", "# ours\nthe\n");
    let words = |more: &[&str]| {
        train(&place, "v", more).assert().success();
        WordVectors::read(place.path("v"), None).unwrap().words().join(" ")
    };
    assert_eq!(words(&[]), "THE The cat dog rare the 狗 猫");
    assert_eq!(words(&["--lowercase", "--min-count=1"]), "the cat dog rare 狗 猫 once seen");
    let stop = place.path("stop.txt");
    assert_eq!(words(&["--lowercase", "--stop-words", stop.to_str().unwrap()]), "cat dog rare 狗 猫");
    assert_eq!(words(&["--tokenizer=chars", "--min-count=12"]), "e T a h r t");
    train(&place, "other", &["--seed=1"]).assert().success();
    train(&place, "another", &["--seed=2"]).assert().success();
    assert_ne!(fs::read(place.path("other")).unwrap(), fs::read(place.path("another")).unwrap());
}

/// king = male + royal, and so on: the answers are exact.
#[test]
fn analogies_are_answered_and_scored() {
    let place = place();
    let vectors = place.write("v.txt", "king 1 0 2\nqueen 0 1 2\nman 1 0 0\nwoman 0 1 0\nsoup -1 -1 .5\n");
    let abc = ["--a=king", "--b=man", "--c=woman"];
    assert_eq!(stdout(ask("analogy", &vectors, &abc).arg("-n=1")).split('\t').nth(1), Some("queen\n"));
    let answer = json(ask("analogy", &vectors, &abc).arg("--json"));
    assert_eq!(answer["answers"][0]["word"], "queen");
    let list = "# kinds\nfamily\tking\tman\twoman\tqueen\nfamily\tking\tman\tduke\tqueen\nodd\tman\tking\tqueen\tsoup\n";
    let list = place.write("list.tsv", list);
    let flags = ["--json", "--file", list.to_str().unwrap()];
    let score = json(&mut ask("analogy", &vectors, &flags));
    let all = &score["all"];
    assert_eq!(
        [&all["right"], &all["asked"], &all["unknown"]].map(Value::as_u64),
        [Some(1), Some(2), Some(1)]
    );
    assert_eq!(score["kinds"][0]["accuracy"].as_f64(), Some(1.0));
    let lines = stdout(&mut ask("analogy", &vectors, &flags[1..]));
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.ends_with("50.0 %  1 of 2 right, 1 with unknown words\tall\n"), "{lines}");
}

/// The names of columns are no question; below the first line, and under other names, they are one.
#[test]
fn a_list_of_analogies_may_have_a_header() {
    let place = place();
    let vectors = place.write("v.txt", "king 1 0 2\nqueen 0 1 2\nman 1 0 0\nwoman 0 1 0\n");
    let row = "family\tking\tman\twoman\tqueen\n";
    let kinds = |list: String| {
        let list = place.write("list.tsv", list);
        let score = json(&mut ask("analogy", &vectors, &["--json", "--file", list.to_str().unwrap()]));
        let kind = |tally: &Value| (tally["kind"].as_str().unwrap().to_string(), tally["unknown"].as_u64());
        score["kinds"].as_array().unwrap().iter().map(kind).collect::<Vec<_>>()
    };
    let family = [("family".to_string(), Some(0))];
    assert_eq!(kinds(row.into()), family);
    assert_eq!(kinds(format!("# ours\nrelation\ta\tb\tc\td\n{row}")), family);
    for other in ["relation\tw\tx\ty\tz\n".to_string(), format!("{row}relation\ta\tb\tc\td\n")] {
        assert!(kinds(other.clone() + row).contains(&("relation".to_string(), Some(1))), "{other:?}");
    }
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/analogies.tsv");
    assert!(kinds(fs::read_to_string(ours).unwrap()).iter().all(|(kind, _)| kind != "relation"));
    let only = place.write("list.tsv", "relation\ta\tb\tc\td\n");
    place.refuses(&mut ask("analogy", &vectors, &["--file", only.to_str().unwrap()]), &["no analogy"]);
}

/// What a person may hand over as vectors, and what the message has to say about it.
#[test]
fn damaged_vectors_are_refused() {
    let place = place();
    let float = |x: f32| x.to_le_bytes();
    let half = [b"2 2\ncat ".as_slice(), &float(1.0), &float(2.0), b"\ndog ", &float(3.0)].concat();
    let nan = [b"1 2\ncat ".as_slice(), &float(1.0), &float(f32::NAN)].concat();
    let cases: [(&[u8], &[&str]); 14] = [
        (b"", &["empty"]),
        (b"2 2\ncat 1 2\ndog 3\n", &["line 3", "1 after \"dog\"", "a word and 2 numbers", "repair"]),
        (b"cat 1 2\ndog 3 4 5\n", &["line 2", "3 after \"dog\"", "repair"]),
        (b"2 2\ncat 1 2\ndog 3 NaN\n", &["line 3", "\"NaN\"", "finite", "repair"]),
        (b"2 2\ncat 1 2\ncat 3 4\n", &["line 3", "second time", "repair"]),
        (b"3 2\ncat 1 2\ndog 3.5 4\n", &["line 4", "end of the file", "word 3 of 3", "copy it again"]),
        (b"1 2\ncat 1 2\ndog 3 4\n", &["byte 12", "end of the file after 1 words", "correct the number"]),
        (b"4000000000 65536\ncat 1\n", &["line 1", "23 bytes of the file", "copy it again"]),
        (b"99999999999999999999 2\ncat 1 2\n", &["line 1", "number of words"]),
        (b"2 2\nc\xe9t .25 .75\ndog 1 1\n", &["byte 5, line 2", "UTF-8", "iconv"]),
        (&half, &["byte 17", "end of the file", "2 numbers after \"dog\"", "copy it again"]),
        (&nan, &["byte 4", "NaN in the vector of \"cat\"", "train the vectors again"]),
        (b"To be, or not to be\nthat is\n", &["line 1", "\"be,\"", "finite number"]),
        (b"{\n", &["line 1", "a file of vectors?"]),
    ];
    for (contents, words) in cases {
        let file = place.write("damaged.vec", contents);
        let words: Vec<&str> = words.iter().copied().chain(["damaged.vec"]).collect();
        place.refuses(&mut ask("near", &file, &["--word=cat"]), &words);
        place.refuses(&mut model(&place, "run", &["--init-emb", file.to_str().unwrap()]), &words);
    }
    place.refuses(&mut ask("near", &place.path("none"), &["--word=cat"]), &["none"]);
    place.refuses(&mut ask("near", place.folder(), &["--word=cat"]), &["directory"]);
}

#[test]
fn wrong_questions_and_flags_are_refused() {
    let place = place();
    let vectors = place.write("v.txt", "Cat 1 2\ndog 3 4\n");
    place.refuses(&mut ask("near", &vectors, &["--word=cat"]), &["\"cat\"", "did you mean Cat?"]);
    place.refuses(&mut ask("near", &vectors, &["--word=x"]), &["2 words, such as Cat"]);
    place.refuses(&mut ask("analogy", &vectors, &["--a=dog", "--b=dog", "--c=fish"]), &["\"fish\""]);
    place.refuses(&mut ask("analogy", &vectors, &["--a=dog"]), &["--b"]);
    place.refuses(&mut ask("near", &vectors, &["--word=dog", "--format=xml"]), &["text, binary or glove"]);
    for (list, words) in [("kind\ta\tb\n", ["line 1", "3 fields"]), ("# none\n", ["no analogy", "--help"])] {
        let list = place.write("list.tsv", list);
        place.refuses(&mut ask("analogy", &vectors, &["--file", list.to_str().unwrap()]), &words);
    }
    for (flag, word) in [
        ("--dim=0", "1..=65536"),
        ("--negatives=16", "1..=15"),
        ("--noise=0.6", "0.75"),
        ("--learning-rate=nan", "above 0"),
        ("--subsample=2", "0 to 1"),
        ("--tokenizer=bpe", "whitespace"),
        ("--min-count=100000", "0 of 15 different words"),
    ] {
        place.refuses(&mut train(&place, "v2", &[flag]), &[word]);
    }
    place.refuses(&mut train(&place, "no/such/folder/v", &[]), &["existing directory"]);
    place.refuses(&mut train(&place, "text.txt", &[]), &["would replace"]);
    let stop = place.write("stop.txt", "the\nof and\n");
    place.refuses(
        &mut train(&place, "v2", &["--stop-words", stop.to_str().unwrap()]),
        &["stop.txt", "line 2", "one word a line"],
    );
    place.write("text.txt", "word\nother\n".repeat(10));
    place.refuses(&mut train(&place, "v2", &[]), &["text.txt", "lines of several words"]);
}

#[test]
fn a_training_that_diverges_writes_nothing() {
    let place = place();
    let output = train(&place, "v", &["--method=glove", "--learning-rate=1e30"]).assert().code(1);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains("lower --learning-rate") && !place.path("v").exists(), "{message}");
}

/// The rows of the embedding are those of the file, also after a training in which it rests.
#[test]
fn a_model_begins_with_the_vectors_and_keeps_them_while_frozen() {
    let place = place();
    let rows = [("a", 1.0f32), ("b", -2.0), ("e", 0.5)];
    let line = |(word, x): &(&str, f32)| format!("{word} {x} {x} 0 0 {x} 1 2 3\n");
    let vectors = place.write("v.txt", rows.iter().map(line).collect::<String>());
    let flags = ["--init-emb", vectors.to_str().unwrap(), "--init-emb-std=keep"];
    let frozen = model(&place, "frozen", &flags).args(["--freeze-emb=6"]).assert().success();
    let message = String::from_utf8(frozen.get_output().stderr.clone()).unwrap();
    assert!(message.contains("vectors for 3 of 19 tokens (15.8 %)"), "{message}");
    model(&place, "free", &flags).assert().success();
    let row = |run: &str, row: usize| {
        let bytes = fs::read(place.path(run).join("last/model.safetensors")).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let names: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let name = names.as_object().unwrap().keys().find(|name| name.ends_with("wte.weight")).unwrap();
        let start = names[name]["data_offsets"][0].as_u64().unwrap() as usize + 8 + header;
        let numbers = bytes[start + row * 8 * 4..][..8 * 4].as_chunks::<4>().0;
        numbers.iter().map(|x| f32::from_le_bytes(*x)).collect::<Vec<_>>()
    };
    // The characters in order: line end, space, a, b, d, e, ...
    for (at, (_, x)) in [(2, rows[0]), (3, rows[1])] {
        assert_eq!(row("frozen", at), [x, x, 0.0, 0.0, x, 1.0, 2.0, 3.0]);
        assert_ne!(row("free", at), row("frozen", at));
    }
}

#[test]
fn a_model_takes_vectors_of_another_width() {
    let place = place();
    train(&place, "v", &["--tokenizer=chars", "--dim=12"]).assert().success();
    let vectors = place.path("v");
    for (more, words) in [
        (&["--n-embd=8"][..], "12 numbers to 8 on main axes"),
        (&["--n-embd=16"], "12 numbers to 16 on random axes"),
        (&["--n-embd=8", "--init-emb-projection=random"], "12 numbers to 8 on random axes"),
    ] {
        let flags = [more, &["--json", "--init-emb", vectors.to_str().unwrap()]].concat();
        let output =
            model(&place, &format!("run{}", more.concat()), &flags).assert().success().get_output().clone();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(words), "{message}");
    }
    let strange = place.write("strange.txt", "word 1 2\nother 3 4\n");
    let strange = strange.to_str().unwrap();
    place.refuses(&mut model(&place, "none", &["--init-emb", strange]), &["none of the 19", "embed train"]);
    place.refuses(&mut model(&place, "none", &["--init-emb-std=keep"]), &["--init-emb"]);
    let resume = ["train", "--resume", "--init-emb", strange, "--out"];
    place.refuses(newleaf().args(resume).arg(place.path("run--n-embd=8")), &["--resume"]);
}
