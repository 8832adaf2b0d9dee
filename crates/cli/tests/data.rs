//! `newleaf data split` and `pack`, and training from a token file.

use crate::common::{self, Place, fails, newleaf_in, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;

/// The program in a folder, with arguments that hold no space.
fn newleaf(place: &Place, arguments: &str) -> Command {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    newleaf_in(place.folder(), &arguments)
}

fn json(place: &Place, arguments: &str) -> Value {
    common::json(newleaf(place, arguments).arg("--json"))
}

fn refuses(place: &Place, arguments: &str, words: &[&str]) {
    place.refuses(&mut newleaf(place, arguments), words);
}

fn text() -> String {
    (0..400).map(|i| format!("line {i} of the text, and {} more.\n", i * i % 97)).collect()
}

/// A packed text trains to the same bits as the text itself, also when it is interrupted and resumed.
#[test]
fn training_from_tokens_is_training_from_text() {
    let place = Place::new();
    place.write("a.txt", text());
    let report = json(&place, "data pack --in a.txt --out a.bin");
    assert_eq!(report["tokens"], text().len());
    assert_eq!(report["bytes_in"], text().len());
    let tiny =
        "--n-layer=1 --n-head=2 --n-embd=8 --block-size=8 --batch-size=4 --eval-iters=3 --sampler=epoch \
                --eval-interval=10 --checkpoint-interval=10 --max-iters=30 --sample-length=5 --json"
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
    let train = |data: &str, out: &str| {
        newleaf(&place, &format!("train --data {data} --out {out} {tiny}")).assert().success();
        fs::read(place.path(out).join("last/model.safetensors")).unwrap()
    };
    let of_text = train("a.txt", "run1");
    assert!(train("a.bin", "run2") == of_text);
    let shorter = tiny.replace("--max-iters=30", "--max-iters=30 --lr-decay-iters=30");
    newleaf(&place, &format!("train --data a.bin --out run3 {}", shorter.replace("ters=30 ", "ters=10 ")));
    newleaf(&place, "train --resume --out run2 --max-iters 40").assert().success();
    newleaf(&place, "train --resume --out run1 --max-iters 40").assert().success();
    let last = |run: &str| fs::read(place.path(run).join("last/model.safetensors")).unwrap();
    assert!(last("run1") == last("run2") && last("run1") != of_text);

    // Another file of the same name is noticed.
    place.write("b.txt", text().replace("text", "next"));
    json(&place, "data pack --in b.txt --tokenizer run1/last --out a.bin");
    refuses(&place, "train --resume --out run2", &["a.bin", "another text"]);
}

/// What is no plain text is trained on as it stands, and said (ru-gpts 30); ids without a header are no text at all.
#[test]
fn a_text_that_is_none() {
    let place = Place::new();
    place.write("posts.jsonl", "{\"text\":\"abc def\"}\n".repeat(40));
    place.write("posts.txt", "abc def\n".repeat(60));
    let tiny = "--n-layer 1 --n-head 2 --n-embd 8 --block-size 8 --batch-size 4 --eval-iters 1 --max-iters 1";
    let told = |data: &str| {
        let mut command = newleaf(&place, &format!("train --data {data} --out {data}.run {tiny}"));
        String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap()
    };
    assert!(told("posts.jsonl").contains("newleaf clean --in posts.jsonl --out posts.txt"));
    assert!(!told("posts.txt").contains("newleaf clean"));
    place.write("train.bin", (0..2000_u16).flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    refuses(&place, "train --data train.bin --out run", &["train.bin", "newleaf data pack --raw u16"]);
}

/// Words that a tokenizer does not know are told of before the training, and never written (GPT2-Chinese
/// 36).
#[test]
fn unknown_words_are_told_and_not_written() {
    let place = Place::new();
    let words = ["the", "old", "cat", "sees", "a", "red", "bird", "near", "some", "tree"];
    let text: String =
        (0..900_u64).map(|i| format!("{} ", words[((i * 2_654_435_761) >> 7) as usize % 10])).collect();
    place.write("a.txt", text);
    newleaf(&place, "tokenizer train --kind word --vocab-size 5 --data a.txt --out tok").assert().success();
    let tiny =
        "--n-layer 1 --n-head 2 --n-embd 8 --block-size 8 --batch-size 4 --eval-iters 1 --max-iters 20";
    let mut train = newleaf(&place, &format!("train --data a.txt --tokenizer tok --out run {tiny}"));
    let told = String::from_utf8(train.assert().success().get_output().stderr.clone()).unwrap();
    assert!(told.contains("% of them are <unk>") && told.contains("--kind bpe"), "{told}");
    let text = stdout(&mut newleaf(&place, "sample --model run --max-new-tokens 200"));
    assert!(!text.contains("<unk>"), "{text}");
}

/// A model that was trained on documents ends one, and goes on only where it is asked to (gpt-2 35,
/// gpt-2-simple 70).
#[test]
fn a_sample_ends_with_its_document() {
    let place = Place::new();
    place.write("docs.jsonl", "{\"text\":\"abcdef\"}\n".repeat(400));
    let tokenizer =
        "tokenizer train --kind bpe --vocab-size 257 --data docs.jsonl --out tok --special <|endoftext|>";
    newleaf(&place, tokenizer).assert().success();
    json(&place, "data pack --in docs.jsonl --tokenizer tok --out docs.bin");
    let tiny = "--preset=nano-cpu --n-layer=1 --n-head=2 --n-embd=16 --block-size=16 --batch-size=8 --eval-iters=1 \
                --max-iters=150 --eval-interval=150 --learning-rate=1e-2 --sample-length=0";
    let tiny = tiny.split_whitespace().collect::<Vec<_>>().join(" ");
    newleaf(&place, &format!("train --data docs.bin --out run {tiny}")).assert().success();
    let sample = |more: &str| {
        stdout(&mut newleaf(&place, &format!("sample --model run --prompt ab --temperature 0 {more}")))
    };
    let limit = "--max-new-tokens 12";
    assert_eq!(sample(limit), "abcdef\n");
    assert_eq!(sample(&format!("{limit} --ignore-eos")), "abcdef<|endoftext|>abcdef<|endoftext|>\n");
    assert_eq!(sample(&format!("{limit} --stop ef --stop zz")), "abcd\n");
    let text =
        json(&place, &format!("sample --model run --prompt ab --temperature 0 {limit}"))["text"].clone();
    assert_eq!(text, "cdef");
    refuses(&place, "sample --model run --stop=", &["--stop"]);
}

#[test]
fn token_files_that_are_damaged_train_nothing() {
    let place = Place::new();
    place.write("a.txt", text());
    json(&place, "data pack --in a.txt --out a.bin");
    newleaf(&place, "data verify a.bin").assert().success().stdout("a.bin: ok\n");
    let good = fs::read(place.path("a.bin")).unwrap();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    for (bytes, words) in [
        (good[..good.len() - 1].to_vec(), "as its header says"),
        (good[..100].to_vec(), "100 bytes"),
        ([&good[..], b"x"].concat(), "as its header says"),
        (changed(8), "version 65"),
        (changed(12), "bytes an id"),
        (changed(16), "as its header says"),
        (changed(60), "tokenizer"),
        (changed(150), "tokenizer"),
        (changed(good.len() - 100), "expected ids below the vocabulary size"),
        (changed(good.len() - 3), "document 0"),
    ] {
        fs::write(place.path("a.bin"), bytes).unwrap();
        refuses(&place, "train --data a.bin --out run", &["a.bin", words]);
        // What it says of each file is on stdout.
        fails(&mut newleaf(&place, "data verify a.bin"), 2, &["a.bin"]);
    }
    fs::write(place.path("a.bin"), changed(0)).unwrap();
    refuses(&place, "train --data a.bin --out run", &["a.bin"]);
    place.write("short.txt", "ab");
    json(&place, "data pack --in short.txt --out short.bin");
    refuses(&place, "train --data short.bin --out run", &["short.bin"]);
}

#[test]
fn a_split_by_document() {
    let place = Place::new();
    let stories: Vec<String> = (0..200).map(|i| format!("Story {i}\n\nIt was told on day {i}.\n")).collect();
    place.write("stories.txt", stories.join("* * *\n"));
    let mut command = newleaf(&place, "data split --in stories.txt --frac .8,.1,.1 --out parts --json");
    let report = common::json(command.args(["--mark", "* * *"]));
    let of = |part: &str| report[part]["documents"].as_u64().unwrap();
    assert_eq!(of("train") + of("val") + of("test"), 200);
    for part in ["train", "val", "test"] {
        let text = fs::read_to_string(place.path("parts").join(part).with_extension("txt")).unwrap();
        assert_eq!(text.matches("Story").count() as u64, of(part));
        assert_eq!(text.len() as u64, report[part]["bytes"].as_u64().unwrap());
    }
    assert_eq!(place.names(), ["parts", "stories.txt"]);
    let said =
        stdout(&mut newleaf(&place, "data split --in stories.txt --format text --frac .5,.5 --out two"));
    assert_eq!(said.lines().count(), 2);
    assert_eq!(fs::read_dir(place.path("two")).unwrap().count(), 2);
}

#[test]
fn packed_documents() {
    let place = Place::new();
    place.write("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\\nlines\"}\n");
    place.write("chars.txt", "onetwlis\n");
    json(&place, "data pack --in chars.txt --out chars.bin");
    place.write("letters.txt", "onetwlis\n".repeat(20));
    let tiny = "--n-layer=1 --n-head=1 --n-embd=8 --block-size=4 --batch-size=2 --max-iters=1 --eval-iters=1";
    json(&place, &format!("train --data letters.txt --out run {tiny} --sample-length=1"));
    let report = json(&place, "data pack --in a.jsonl --tokenizer run/best --out a.bin");
    let expected = ["one\n\n", "two\nlines\n\n"].concat().len();
    assert_eq!((&report["tokens"], &report["documents"]), (&expected.into(), &2.into()));
    fs::write(place.path("ids.bin"), [1, 0, 2, 0]).unwrap();
    let report =
        json(&place, "data pack --in ids.bin --raw u16 --tokenizer run/best/tokenizer.json --out ids.tok");
    assert_eq!(report["tokens"], 2);
    refuses(
        &place,
        "data pack --in ids.bin --raw u32 --tokenizer run/best --out x.bin",
        &["ids.bin", "131073"],
    );
}

/// A file in another encoding is what the same file in UTF-8 is, in every format; the parts are in UTF-8.
#[test]
fn other_encodings() {
    let place = Place::new();
    let gb18030 = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    let poem = |i: usize| format!("春眠不觉晓，处处闻啼鸟{i}。");
    let poems = |write: &dyn Fn(String) -> String| (0..60).map(|i| write(poem(i))).collect::<String>();
    for (name, how, text) in [
        ("a.txt", "--format lines", poems(&|poem| poem + "\r\n")),
        ("b.txt", "--mark 完", poems(&|poem| poem + "\n\n夜来风雨声。\n完\n")),
        (
            "c.csv",
            "--text-column 诗",
            "诗,作者\n".to_string() + &poems(&|poem| format!("\"“{poem}”\n夜来\",孟\n")),
        ),
        (
            "e.tsv",
            "--text-column 诗",
            "诗\t作者\n".to_string() + &poems(&|poem| format!("\"“{poem}”\n夜来\"\t5\" 孟\n")),
        ),
        (
            "d.jsonl",
            "--text-column text",
            poems(&|poem| format!("{{ \"text\":\"{poem}\", \"by\":\"孟\" }}\n")),
        ),
    ] {
        let split = |name: &str, out: &str| {
            json(&place, &format!("data split --in {name} {how} --frac .5,.5 --out {out}"));
            let part = |part: &str| {
                let path = place.path(out).join(part).with_extension(&name[2..]);
                fs::read_to_string(path).unwrap()
            };
            (part("train"), part("val"))
        };
        place.write(name, &text);
        let expected = split(name, "utf-8");
        fs::write(place.path(name), gb18030(&text)).unwrap();
        let found = split(name, "gb18030");
        assert!(found == expected && found.0.contains("春眠") && found.1.contains("春眠"), "{name}");
        let lines = |text: &str| text.lines().map(String::from).collect::<std::collections::HashSet<_>>();
        assert!(lines(&(found.0 + &found.1)) == lines(&text), "{name}: every line is as it was");
        fs::remove_dir_all(place.path("utf-8")).unwrap();
        fs::remove_dir_all(place.path("gb18030")).unwrap();

        json(&place, &format!("data pack --in {name} {how} --out gb18030.bin"));
        json(&place, &format!("data pack --in {name} --encoding GB18030 {how} --out documents.bin"));
        let documents = fs::read(place.path("documents.bin")).unwrap();
        place.write(name, &text);
        json(&place, &format!("data pack --in {name} {how} --out utf-8.bin"));
        json(&place, &format!("data pack --in {name} {how} --out documents.bin"));
        let read = |name: &str| fs::read(place.path(name)).unwrap();
        assert!(read("gb18030.bin") == read("utf-8.bin") && documents == read("documents.bin"), "{name}");
    }
}

#[test]
fn input_that_makes_no_sense() {
    let place = Place::new();
    place.write("a.txt", "one\n\ntwo\n\nthree\n");
    place.write("empty.txt", "");
    place.write("marked.txt", "<|endoftext|>\n<|endoftext|>\n");
    place.write("x.jsonl", "{\"text\": \"a\"}\n{\"text\": 5}\n");
    place.write("q.csv", "text\n\"never closed\n");
    place.write("header.csv", "text,label\n");
    place.write("label.csv", "label,note\nx,y\n");
    place.write("tokenizer.json", "{}");
    fs::create_dir(place.path("full")).unwrap();
    place.write("full/file", "");
    fs::write(place.path("gbk.txt"), b"abc\n\xC4\xE3\xBA\xC3").unwrap();
    fs::write(place.path("nul.txt"), b"abc\n\0").unwrap();
    fs::write(place.path("utf16.txt"), b"\xFF\xFEa\0b\0").unwrap();
    for (arguments, words) in [
        ("data", &["Usage"][..]),
        ("data fly", &["fly"]),
        ("data split --in a.txt", &["--out"]),
        ("data split --in no.txt --out p", &["no.txt"]),
        ("data split --in full --format lines --out p", &["full", "director"]),
        ("data split --in empty.txt --format lines --out p", &["empty.txt", "empty"]),
        (
            "data split --in gbk.txt --format lines --out p",
            &["gbk.txt", "byte offset 4", "say which", "--encoding"],
        ),
        (
            "data split --in gbk.txt --format lines --encoding UTF-8 --out p",
            &["gbk.txt, byte offset 4, line 2"],
        ),
        ("data split --in a.txt --format lines --encoding utf-88 --out p", &["a.txt", "utf-88"]),
        ("data split --in nul.txt --format lines --out p", &["nul.txt", "byte offset 4, line 2"]),
        ("data split --in utf16.txt --format lines --out p", &["utf16.txt", "UTF-16LE", "1 documents"]),
        ("data split --in a.txt --mark === --out p", &["a.txt", "\"===\"", "--mark"]),
        ("data split --in a.txt --text-column text --out p", &["a.txt", "--text-column", "the format text"]),
        (
            "data split --in label.csv --text-column review --out p",
            &["label.csv, line 1", "\"review\"", "\"label\""],
        ),
        ("data split --in label.csv --group product --out p", &["label.csv, line 2", "product", "--group"]),
        ("data split --in marked.txt --out p", &["marked.txt", "0 documents"]),
        (
            "data split --in q.csv --out p",
            &["q.csv, line 2", "the quote that closes the field", "--quotes none"],
        ),
        ("data split --in header.csv --out p", &["header.csv", "0 documents"]),
        ("data split --in a.txt --format word --out p", &["word", "\"lines\""]),
        ("data split --in a.txt --format lines --frac .5,.6 --out p", &["frac", "add up to 1"]),
        ("data split --in a.txt --format lines --frac 1 --out p", &["--frac", "two or three"]),
        ("data split --in a.txt --format lines --frac -1,1,1 --out p", &["frac"]),
        ("data split --in a.txt --format lines --frac nan,1,0 --out p", &["frac"]),
        ("data split --in a.txt --format lines --frac a,b,c --out p", &["--frac", "a,b,c"]),
        ("data split --in a.txt --format lines --frac 0,.5,.5 --out p", &["frac"]),
        (
            "data split --in a.txt --format lines --frac .999998,.000001,.000001 --out p",
            &["3 documents", "none of which"],
        ),
        ("data split --in a.txt --format lines --out full", &["full", "already"]),
        ("data split --in a.txt --format lines --out a.txt", &["a.txt", "already"]),
        ("data split --in a.txt --format lines --out no/p", &["no/p"]),
        ("data split --in a.txt --format lines --mark= --out p", &["--mark"]),
        ("data split --in a.txt --format lines --seed -1 --out p", &["-1"]),
        ("data pack --in a.txt", &["--out"]),
        ("data pack --in no.txt --out t", &["no.txt"]),
        ("data pack --in full --out t", &["full", "director"]),
        ("data pack --in empty.txt --out t", &["empty.txt", "empty"]),
        ("data pack --in gbk.txt --out t", &["gbk.txt", "byte offset 4", "say which", "--encoding"]),
        ("data pack --in gbk.txt --encoding UTF-8 --out t", &["gbk.txt, byte offset 4, line 2"]),
        ("data pack --in nul.txt --out t", &["nul.txt", "line 2"]),
        ("data pack --in a.txt --out a.txt", &["a.txt", "replace"]),
        ("data pack --in a.txt --out no/t", &["no/t"]),
        ("data pack --in a.txt --out full", &["full"]),
        ("data pack --in a.txt --tokenizer no --out t", &["no"]),
        ("data pack --in a.txt --tokenizer full --out t", &["tokenizer.json"]),
        ("data pack --in a.txt --tokenizer . --out t", &["tokenizer.json"]),
        ("data pack --in a.txt --tokenizer a.txt --out t", &["a.txt"]),
        ("data pack --in a.txt --text-column text --out t", &["a.txt", "--text-column", "the format text"]),
        ("data pack --in x.jsonl --out t", &["x.jsonl, line 2", "a number", "--text-column"]),
        ("data pack --in x.jsonl --text-column body --out t", &["x.jsonl, line 1", "the fields \"text\""]),
        ("data pack --in - --out t", &["--in -", "--tokenizer"]),
        ("data pack --in a.txt --raw u16 --out t", &["--tokenizer"]),
        ("data pack --in a.txt --raw u8 --tokenizer . --out t", &["u8"]),
    ] {
        refuses(&place, arguments, words);
    }
    // A one-letter text has no vocabulary.
    place.write("one.txt", "aaaa");
    refuses(&place, "data pack --in one.txt --out t", &["one-character vocabulary"]);
}
