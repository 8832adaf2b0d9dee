//! Bad input: a message that says what, where and what to do; exit code 2; nothing written.

use crate::common::{Place, newleaf};
use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a text in it.
fn place() -> Place {
    let place = Place::new();
    place.write("text.txt", "the cat sat on the mat, and the dog ran to the man; ".repeat(60));
    place
}

/// A short training of a tiny model.
fn train(place: &Place, data: &Path, more: &[&str]) -> Command {
    let mut command = newleaf();
    command.args(["train", "--data"]).arg(data).arg("--out").arg(place.path("run"));
    command.args([
        "--n-layer=1",
        "--n-head=2",
        "--n-embd=8",
        "--block-size=8",
        "--batch-size=4",
        "--eval-iters=2",
    ]);
    command
        .args(["--max-iters=20", "--eval-interval=10", "--checkpoint-interval=5", "--sample-length=20"])
        .args(more);
    command
}

/// A finished run.
fn trained(place: &Place) -> PathBuf {
    train(place, &place.path("text.txt"), &[]).assert().success();
    place.path("run")
}

#[test]
fn texts_that_cannot_be_read() {
    let place = place();
    let folder = place.folder().to_path_buf();
    place.refuses(&mut train(&place, &place.path("no.txt"), &[]), &["no.txt"]);
    place.refuses(&mut train(&place, &folder, &[]), &[folder.to_str().unwrap(), "director"]);
    let empty = place.write("empty.txt", b"");
    place.refuses(&mut train(&place, &empty, &[]), &["empty.txt", "empty"]);
    let broken = place.write("broken.txt", b"good text \xff\xfe more");
    place.refuses(&mut train(&place, &broken, &[]), &["broken.txt", "byte offset 10", "iconv"]);
    let one = place.write("one.txt", b"a".repeat(1000));
    place.refuses(&mut train(&place, &one, &[]), &["one"]);
    let short = place.write("short.txt", b"short text");
    place.refuses(&mut train(&place, &short, &[]), &["short.txt", "block_size 8", "give a longer text"]);
}

#[test]
fn settings_that_make_no_sense() {
    let place = place();
    let text = place.path("text.txt");
    for (flag, words) in [
        ("--n-embd=9", &["n_embd", "n_head"][..]),
        ("--n_embd=0", &["n_embd"]),
        ("--learning-rate=-1", &["learning_rate"]),
        ("--learning-rate=fast", &["learning_rate", "fast"]),
        ("--dropout=1.5", &["dropout"]),
        ("--max-iters=-3", &["max_iters"]),
        ("--n-layers=4", &["--n-layer"]),
        ("--vocab-size=3", &["vocab-size"]),
        ("--preset=huge", &["huge", "nano-cpu"]),
        ("--n-layer=99999999999999999999", &["n_layer"]),
    ] {
        let mut command = newleaf();
        command.args(["train", "--data"]).arg(&text).arg("--out").arg(place.path("run")).arg(flag);
        place.refuses(&mut command, words);
    }
    place.refuses(newleaf().args(["train", "--frobnicate"]), &["--frobnicate"]);
    place.refuses(newleaf().args(["fly"]), &["fly"]);
    place.refuses(newleaf().env("NEWLEAF_SIMD", "avx3").args(["info"]), &["NEWLEAF_SIMD=avx3", "scalar"]);
    place.refuses(newleaf().args(["train", "--threads=0"]), &["threads"]);
}

/// Every setting with every odd value: accepted or refused, and never a panic.
#[test]
fn the_edges_of_every_setting() {
    let place = place();
    let odd = [
        "",
        "0",
        "1",
        "-1",
        "0.5",
        "nan",
        "inf",
        "-inf",
        "1e-400",
        "1e400",
        "true",
        "none",
        "999999999999999999",
    ];
    for field in gpt::config::FIELDS {
        for value in odd {
            // A lawful wish that nobody lives to see granted.
            if field.name == "max_iters" && value.starts_with("999") {
                continue;
            }
            let out = tempfile::tempdir().unwrap();
            let mut command = newleaf();
            command
                .args(["train", "--data"])
                .arg(place.path("text.txt"))
                .arg("--out")
                .arg(out.path().join("run"));
            let small = [
                ("n_layer", "1"),
                ("n_head", "2"),
                ("n_embd", "8"),
                ("block_size", "8"),
                ("batch_size", "2"),
            ];
            let small =
                small.into_iter().chain([("max_iters", "3"), ("eval_iters", "1"), ("warmup_iters", "1")]);
            for (name, small) in small.filter(|(name, _)| *name != field.name) {
                command.arg(format!("--{name}={small}"));
            }
            let output =
                command.arg(format!("--{}={value}", field.name)).arg("--sample-length=5").output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            let what = format!("--{}={value:?}: {:?}: {message}", field.name, output.status.code());
            assert!(!message.contains("panicked"), "{what}");
            // 1: a learning rate that is allowed may still run into numbers that are not finite.
            assert!(matches!(output.status.code(), Some(0..=2)), "{what}");
            assert!(
                output.status.code() != Some(1) || message.contains("training stopped before update"),
                "{what}"
            );
        }
    }
}

#[test]
fn a_directory_that_holds_something_else() {
    let place = place();
    let text = place.path("text.txt");
    trained(&place);
    place.refuses(&mut train(&place, &text, &[]), &["another run", "--resume"]);
    fs::remove_dir_all(place.path("run")).unwrap();
    fs::create_dir(place.path("run")).unwrap();
    place.write("run/photo.jpg", b"not ours");
    place.refuses(&mut train(&place, &text, &[]), &["photo.jpg", "--out"]);
    let missing = place.path("nowhere");
    place.refuses(newleaf().args(["train", "--resume", "--out"]).arg(&missing), &["nowhere", "run"]);
}

#[test]
fn prompts_and_models_that_do_not_fit() {
    let place = place();
    let run = trained(&place);
    let sample = |more: &[&str]| {
        let mut command = newleaf();
        command.args(["sample", "--model"]).arg(&run).args(more);
        command
    };
    place.refuses(&mut sample(&["--prompt", "the Zürich Ω"]), &["Z", "ü", "Ω"]);
    place.refuses(&mut sample(&["--prompt", ""]), &["prompt"]);
    let file = place.write("prompt.txt", "the Zürich\nΩ".as_bytes());
    let prompt = format!("FILE:{}", file.display());
    place.refuses(&mut sample(&["--prompt", &prompt]), &[&prompt["FILE:".len()..], "ü", "line 1, column 5"]);
    place.refuses(&mut sample(&["--temperature=-1"]), &["temperature"]);
    place.refuses(&mut sample(&["--top-p=7"]), &["top_p"]);
    place.refuses(newleaf().args(["sample", "--model"]).arg(place.path("none")), &["none"]);
    let eval = |data: &Path| {
        let mut command = newleaf();
        command.args(["eval", "--model"]).arg(&run).arg("--data").arg(data);
        command
    };
    let foreign = place.write("foreign.txt", "ещё один текст".as_bytes());
    place.refuses(&mut eval(&foreign), &["е"]);
    place.refuses(&mut eval(&place.path("no.txt")), &["no.txt"]);
    let text = place.path("text.txt");
    let asked = |more: &[&str]| {
        let mut command = eval(&text);
        command.args(more);
        command
    };
    place.refuses(
        &mut asked(&["--objective=span"]),
        &["best/tokenizer.json", "<extra_id_0> and", "--objective span", "newleaf train"],
    );
    place.refuses(&mut asked(&["--objective=mlm"]), &["no [MASK]:", "newleaf train --objective mlm"]);
    place.refuses(&mut asked(&["--objective=bert"]), &["bert", "clm, mlm"]);
    place.refuses(&mut asked(&["--objective=prefix", "--int8"]), &["--int8", "leave out"]);
    let tiny = place.write("tiny.txt", b"the cat");
    place.refuses(eval(&tiny).args(["--split=val", "--objective=prefix"]), &["tiny.txt", "tokens"]);
}

/// Every file of a model, cut short or with one bit changed, is noticed and named.
#[test]
fn models_that_are_damaged() {
    let place = place();
    let run = trained(&place);
    for name in ["config.json", "model.safetensors", "tokenizer.json", "manifest.json"] {
        let path = run.join("best").join(name);
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        // A digit of the manifest is about another file, which is then named; what frames its entries is its own.
        let at = if name == "manifest.json" { "{\n".len() } else { good.len() / 2 };
        flipped[at] ^= 4;
        for bad in [&good[..good.len() / 2], &flipped[..], b""] {
            fs::write(&path, bad).unwrap();
            place.refuses(newleaf().args(["sample", "--model"]).arg(&run), &[name]);
        }
        fs::write(&path, &good).unwrap();
    }
    newleaf().args(["sample", "--max-new-tokens=5", "--model"]).arg(&run).assert().success();
}

/// A model whose weights are in another kind of file says how to get them into this one (aprender 357,
/// LLaVA-JP 1).
#[test]
fn models_with_weights_of_another_kind() {
    let place = place();
    fs::create_dir(place.path("theirs")).unwrap();
    for (name, words) in [("pytorch_model.bin", "pickle"), ("model.safetensors.index.json", "several files")]
    {
        place.write("theirs/config.json", r#"{"model_type":"gpt2"}"#);
        place.write(&format!("theirs/{name}"), "{}");
        let mut command = newleaf();
        place.refuses(
            command.args(["sample", "--model"]).arg(place.path("theirs")),
            &[name, words, "save_pretrained"],
        );
    }
}

/// Weights that are numbers, and scores that are none.
#[test]
fn models_whose_scores_are_no_numbers() {
    let place = place();
    let gpt2 = ["--preset=nano-cpu", "--activation=gelu_tanh"];
    train(&place, &place.path("text.txt"), &gpt2).assert().success();
    let (run, out) = (place.path("run"), place.path("out"));
    newleaf().args(["export", "--model"]).arg(&run).arg("--out").arg(&out).assert().success();
    let _ = fs::remove_file(out.join("manifest.json")); // as one that another tool wrote
    let path = out.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[start..].chunks_exact_mut(4).for_each(|float| float.copy_from_slice(&1e20_f32.to_le_bytes()));
    fs::write(&path, &bytes).unwrap();
    let words = ["out", "not numbers", "diverged"];
    for more in [&[][..], &["--json"], &["--temperature=0"], &["--int8"]] {
        let mut command = newleaf();
        place.refuses(command.args(["sample", "--max-new-tokens=5", "--model"]).arg(&out).args(more), &words);
    }
    for more in [&[][..], &["--json"], &["--int8"]] {
        let mut command = newleaf();
        command.args(["eval", "--data"]).arg(place.path("text.txt")).arg("--model").arg(&out).args(more);
        place.refuses(&mut command, &words);
    }
}

/// A damaged checkpoint is named, and the one before it is used.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let place = place();
    let run = trained(&place);
    let newest = run.join("checkpoints/step-20/model.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, &bytes).unwrap();
    let resumed = newleaf().args(["train", "--resume", "--out"]).arg(&run).assert().success();
    let message = String::from_utf8(resumed.get_output().stderr.clone()).unwrap();
    assert!(
        message.contains("step-20") && message.contains("step-15") && message.contains("from iter 15"),
        "{message}"
    );
}

#[test]
fn a_run_goes_on_only_with_its_own_text() {
    let place = place();
    let run = trained(&place);
    place.write("text.txt", "another text, of the same file name. ".repeat(60).as_bytes());
    place.refuses(newleaf().args(["train", "--resume", "--out"]).arg(&run), &["another text", "sha256"]);
    place.refuses(newleaf().args(["train", "--resume", "--n-layer=2", "--out"]).arg(&run), &["--n-layer"]);
}
