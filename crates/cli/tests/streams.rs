//! Standard streams that cannot be written, and arguments that are not UTF-8: neither may cost the work.

use crate::common::{Place, contents, fails, newleaf_in, reviews};
use assert_cmd::Command;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Output;

/// Runs the program with its standard error on a full disk.
fn without_stderr(place: &Place, arguments: &str) -> Output {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("newleaf"));
    command.current_dir(place.folder()).args(arguments.split(' ')).stdin(File::open("/dev/null").unwrap());
    command.stderr(File::options().write(true).open("/dev/full").unwrap()).output().unwrap()
}

#[test]
fn a_full_standard_error_costs_no_work() {
    let place = reviews();
    for (arguments, makes) in [
        (
            "train --data text.txt --out run --n-layer=1 --n-head=1 --n-embd=8 --block-size=8 --max-iters=4 --eval-iters=1",
            "run/best/model.safetensors",
        ),
        ("train --resume --out run --max-iters=6", "run/best/model.safetensors"),
        (
            "finetune classify --model base --train train.csv --dev dev.csv --text-column review --peft head --epochs 1 --out tuned",
            "tuned/result.json",
        ),
        ("clean --in text.txt --out cleaned.txt", "cleaned.txt"),
        ("data pack --in text.txt --out text.bin", "text.bin"),
        ("data split --in text.txt --by line --out parts", "parts"),
        ("tokenizer train --kind bpe --vocab-size 300 --data text.txt --out tokens", "tokens/tokenizer.json"),
        ("embed train --data text.txt --dim 8 --epochs 1 --out vectors.txt", "vectors.txt"),
        ("generate markov-k --tokens 1000 --out markov.txt", "markov.txt"),
        ("leak --train text.txt --test text.txt", ""),
        ("baseline --train train.csv --text-column review", ""),
        ("ngram --train text.txt", ""),
        (
            "fewshot --model base --train train.csv --test dev.csv --text-column review --k 1 --orders 1 --pattern {text}.{mask}",
            "",
        ),
    ] {
        let output = without_stderr(&place, arguments);
        assert!(output.status.success(), "{arguments}: {}", output.status);
        let made = if makes.is_empty() { !output.stdout.is_empty() } else { place.path(makes).exists() };
        assert!(made, "{arguments}: no result");
    }
    // A second is too short for a plan, whatever the machine: that is refused, and no panic.
    assert_eq!(without_stderr(&place, "plan --data text.txt --time 1s").status.code(), Some(2));
}

/// A file beyond `ulimit -f` is refused as by a full disk; the signal that comes with it ends nothing.
#[test]
fn a_limit_on_file_sizes_is_an_error_with_a_name() {
    let place = reviews();
    let newleaf = assert_cmd::cargo::cargo_bin("newleaf");
    let line = format!(
        "ulimit -f 1; exec {} tokenizer train --kind bpe --data text.txt --out tok",
        newleaf.display()
    );
    let mut command = Command::new("sh");
    fails(
        command.args(["-c", &line]).current_dir(place.folder()),
        1,
        &["tok/", "File too large", "ulimit -f"],
    );
}

/// The command succeeds, or is refused by the name of its argument before anything is written.
fn works_or_is_refused(place: &Place, command: &mut Command) {
    let before = contents(place.folder());
    let code = command.assert().get_output().status.code();
    if code != Some(0) {
        fails(command, 2, &["\\xFF", "UTF-8"]);
        assert!(before == contents(place.folder()), "something was written");
    }
}

#[test]
fn arguments_that_are_not_utf8_are_no_panic() {
    let place = reviews();
    let odd = |name: &str| place.folder().join(OsStr::from_bytes(&[name.as_bytes(), b"\xff"].concat()));
    let copy = |from: &str, to: &Path| std::fs::copy(place.path(from), to).unwrap();
    copy("text.txt", &odd("text"));
    copy("train.csv", &odd("train"));
    let tiny =
        ["--n-layer=1", "--n-head=1", "--n-embd=8", "--block-size=8", "--max-iters=2", "--eval-iters=1"];
    let train = |data: &Path, out: &Path| {
        let mut command = newleaf_in(place.folder(), &["train"]);
        command.args(tiny).arg("--data").arg(data).arg("--out").arg(out);
        command
    };
    works_or_is_refused(&place, &mut train(&odd("text"), &place.path("a")));
    works_or_is_refused(&place, &mut train(&place.path("text.txt"), &odd("b")));
    train(&place.path("text.txt"), &place.path("c")).assert().success();
    let mut resume =
        newleaf_in(place.folder(), &["train", "--resume", "--max-iters=4", "--out", "c", "--data"]);
    works_or_is_refused(&place, resume.arg(odd("text")));
    let mut tuned =
        newleaf_in(place.folder(), &["finetune", "classify", "--text-column=review", "--peft=head"]);
    tuned.args(["--epochs=1", "--model=base", "--out=e", "--train"]).arg(odd("train"));
    works_or_is_refused(&place, &mut tuned);
    let mut unmerge = newleaf_in(place.folder(), &["peft", "unmerge", "--model", "base", "--out"]);
    works_or_is_refused(&place, unmerge.arg(odd("f")));
}
