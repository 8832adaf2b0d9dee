//! What a person sees first: the overview, help, lists of runs.

use crate::common::{Place, json, newleaf_in, stdout};
use std::path::Path;

fn help(arguments: &[&str]) -> String {
    let mut command = crate::common::newleaf();
    stdout(command.args(arguments).env("COLUMNS", "80"))
}

/// The overview fits on one screen, says every command, and all ways to it are the same.
#[test]
fn the_overview_fits_on_a_screen() {
    let overview = help(&["--help"]);
    assert_eq!(overview, help(&["-h"]));
    assert_eq!(overview, help(&["help"]));
    assert!(overview.lines().count() <= 40, "{} lines", overview.lines().count());
    assert!(overview.lines().all(|line| line.chars().count() <= 80), "{overview}");
    for heading in ["Train ", "Generate ", "Fine-tune ", "Data ", "Measure ", "Tools "] {
        assert_eq!(overview.lines().filter(|line| line.starts_with(heading)).count(), 1, "{heading}");
    }
    let bare = crate::common::newleaf().assert().code(2).get_output().clone();
    assert!(String::from_utf8(bare.stderr).unwrap().contains("newleaf train --data my.txt"));
    // Every command says in a line what it does, and shows an example in --help.
    let commands: Vec<&str> =
        overview.lines().filter_map(|line| line.get(11..)?.split_whitespace().next()).collect();
    let mut listed = 0;
    for command in commands.into_iter().filter(|name| *name != "newleaf" && !name.contains([':', '(', ','])) {
        let known = crate::common::newleaf().args([command, "-h"]).output().unwrap();
        if known.status.success() {
            listed += 1;
            let (short, long) = (help(&[command, "-h"]), help(&[command, "--help"]));
            assert!(long.contains(short.lines().next().unwrap()), "{command}");
            assert!(long.contains(&format!("newleaf {command}")), "{command}");
        }
    }
    assert_eq!(listed, 26, "{overview}");
}

/// The flags that people use fit on a screen too; all are in --help.
#[test]
fn the_usual_flags_of_train() {
    let flags = |text: &str| {
        text.lines().filter(|line| line.trim_start().starts_with("--") || line.starts_with("  -")).count()
    };
    let (short, long) = (help(&["train", "-h"]), help(&["train", "--help"]));
    assert!((10..=18).contains(&flags(&short)), "{short}");
    assert!(flags(&long) > 80, "{long}");
    assert!(
        short.lines().count() <= 50 && !short.contains("muon") && long.contains("--muon-momentum"),
        "{short}"
    );
    assert!(
        flags(&help(&["finetune", "classify", "-h"]))
            < flags(&help(&["finetune", "classify", "--help"])) - 10
    );
}

/// A paragraph of the help is wrapped by the terminal alone.
#[test]
fn help_is_wrapped_once() {
    for command in ["clean", "sample", "baseline", "synth"] {
        let text = help(&[command, "--help"]);
        let about: Vec<&str> = text.lines().take_while(|line| !line.starts_with("Usage")).collect();
        for pair in about.windows(2) {
            let goes_on = |line: &str| !line.is_empty() && !line.starts_with(' ');
            if goes_on(pair[0]) && goes_on(pair[1]) {
                let word = pair[1].split(' ').next().unwrap_or_default();
                assert!(pair[0].chars().count() + word.chars().count() >= 78, "{command}: {:?}", pair[0]);
            }
        }
    }
}

fn train(place: &Place, out: &str) {
    let tiny = "--preset nano-cpu --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --batch-size 2 --max-iters 4 --eval-iters 1";
    let mut command =
        newleaf_in(place.folder(), &["train", "--data", "a.txt", "--out", out, "--sample-length", "1"]);
    stdout(command.args(tiny.split(' ')));
}

#[test]
fn runs_are_listed() {
    let place = Place::new();
    assert_eq!(stdout(&mut newleaf_in(place.folder(), &["runs"])), "");
    place.write("a.txt", "the cat sat on the mat\n".repeat(40));
    train(&place, "one");
    std::fs::create_dir(place.path("runs")).unwrap();
    train(&place, "runs/2");
    std::fs::create_dir(place.path("broken")).unwrap();
    place.write("broken/run.json", "{");
    let table = stdout(&mut newleaf_in(place.folder(), &["runs"]));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(
        lines[0].starts_with("run ") && lines[1].starts_with("broken") && lines[1].contains("unreadable"),
        "{table}"
    );
    assert!(
        lines[2].starts_with("one ") && lines[2].contains("a.txt") && lines[3].starts_with("runs/2"),
        "{table}"
    );
    let path = Path::new("one");
    let first = json(&mut newleaf_in(place.folder(), &["runs", "one", "--json"]));
    assert_eq!((&first["path"], &first["updates"]), (&path.display().to_string().into(), &4.into()));
    assert!(first["validation_loss"].as_f64().unwrap() > 0.0 && first["finished"] == true);
    let mut command = newleaf_in(place.folder(), &["runs", "nowhere"]);
    place.refuses(&mut command, &["nowhere"]);
}

/// Without a seed every text is another, and the seed that is told writes it again.
#[test]
fn a_text_can_be_written_again() {
    let place = Place::new();
    place.write("a.txt", "the cat sat on the mat\n".repeat(40));
    train(&place, "one");
    let sample = |more: &[&str]| {
        let mut command = newleaf_in(place.folder(), &["sample", "--model", "one", "--max-new-tokens", "60"]);
        let output = command.args(more).assert().success().get_output().clone();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (first, told) = sample(&[]);
    assert_ne!(sample(&[]).0, first);
    let seed = told.lines().find_map(|line| line.strip_prefix("seed ")?.split(':').next()).unwrap();
    assert_eq!(sample(&["--seed", seed]), (first, String::new()));
    assert!(!sample(&["--temperature", "0"]).1.contains("seed"));
}
