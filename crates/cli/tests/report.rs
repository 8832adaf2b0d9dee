//! `newleaf report`: what it says of runs, that its page is whole and needs nothing else, and what it refuses.

use crate::common::{self, is_well_formed, json_file, json_lines, newleaf_in, refuses, stdout};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

pub(crate) const TINY: [&str; 10] = [
    "--n-layer=1",
    "--n-head=2",
    "--n-embd=16",
    "--block-size=16",
    "--batch-size=4",
    "--eval-iters=2",
    "--sample-length=40",
    "--max-iters=20",
    "--eval-interval=5",
    "--log-interval=1",
];

pub(crate) fn train(folder: &Path, out: &str, more: &[&str]) {
    newleaf_in(folder, &["train", "--out", out]).args(TINY).args(more).assert().success();
}

/// One training for all tests, which copy it.
fn trained() -> &'static Path {
    static TRAINED: OnceLock<TempDir> = OnceLock::new();
    let folder = TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        train(folder.path(), "run", &[]);
        folder
    });
    folder.path()
}

/// A folder with copies of what a report reads of the run, under these names.
pub(crate) fn copies(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::create_dir(folder.path().join(name)).unwrap();
        for file in ["run.json", "metrics.jsonl", "samples.txt"] {
            fs::copy(trained().join("run").join(file), folder.path().join(name).join(file)).unwrap();
        }
    }
    folder
}

pub(crate) fn change_info(run: &Path, change: impl Fn(&mut Value)) {
    let path = run.join("run.json");
    let mut info = json_file(&path);
    change(&mut info);
    fs::write(&path, info.to_string()).unwrap();
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A page that is whole, loads nothing and has only numbers as places.
pub(crate) fn check_page(page: &str) {
    let html = page.strip_prefix("<!DOCTYPE html>\n").expect("an HTML page");
    assert!(is_well_formed(html), "{html}");
    for foreign in
        ["<script", "<img", "<link", "<iframe", " src=", " href=", "@import", "url(", "http://", "https://"]
    {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for number in ["NaN", "inf,", "\"inf", "\"-inf", ",inf"] {
        assert!(!page.contains(number), "{number} as a place");
    }
    assert!(page.contains("default-src 'none'") && page.contains("prefers-color-scheme"));
}

#[test]
fn a_page_holds_the_curves_and_the_figures_of_a_run() {
    let folder = copies(&["run"]);
    let run = folder.path().join("run");
    let report = common::json(&mut newleaf_in(folder.path(), &["report", "run", "--json", "--floor", "0.5"]));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    check_page(&page);
    let info = json_file(&run.join("run.json"));
    let lines = json_lines(&run.join("metrics.jsonl"));
    let losses: Vec<f64> = lines.iter().filter_map(|line| line["val_loss"].as_f64()).collect();
    assert_eq!(losses.len(), 5);
    let (last, best) = (losses[4], losses.iter().copied().fold(f64::INFINITY, f64::min));
    let figures = &report["runs"][0];
    assert_eq!(
        (&figures["iter"], &figures["max_iters"], &figures["tokens"]),
        (&json!(20), &json!(20), &json!(1280))
    );
    assert_eq!((figures["val_loss"].as_f64(), figures["best_val_loss"].as_f64()), (Some(last), Some(best)));
    let count = info["count_loss"].as_f64().expect("train keeps what counting reaches");
    assert_eq!(figures["count_loss"].as_f64(), Some(count));
    assert_eq!(report["out"], Path::new("run").join("report.html").display().to_string());
    assert_eq!(report["differences"]["n_embd"], json!(["16", "128"]), "its own value and the preset's");
    assert!(
        report["differences"].get("learning_rate").is_none()
            && report["differences"].get("vocab_size").is_none()
    );
    let [last, best, count] = [last, best, count].map(|loss| format!("{loss:.4}"));
    let above = format!(
        "<tr><th>above the floor by</th><td>{:.4}</td>",
        losses.iter().copied().fold(9.9, f64::min) - 0.5
    );
    for part in [
        &format!("Your model's validation loss is {best}; the n-gram baseline reaches {count}: "),
        "smaller is better",
        &format!("validation {last}"),
        &format!("<tr><th>best validation loss</th><td>{best} after"),
        &format!("n-gram baseline {count}"),
        &above,
        "floor 0.5000",
        "updates (1,280 tokens)",
        "nats per token",
        "Learning rate",
        "Norm of the gradient",
        "tokens per second",
        "<dt>overfitting</dt>",
        "after 0 updates",
        "after 15 updates",
        "<tr><th>updates</th><td>20 of 20</td>",
        info["data"]["sha256"].as_str().unwrap(),
        "<tr><th>n_embd</th><td>16</td><td>128</td></tr>",
        "<tr><th>dropout</th><td>0.1</td></tr>",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    // First the verdict, then the samples, then the curves.
    let places =
        ["class=\"lead\"", "What the model writes", "<svg", "<table"].map(|part| page.find(part).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    // The parameters that the program counts itself.
    let model = common::json(&mut newleaf_in(trained(), &["info", "run", "--json"]));
    assert_eq!(figures["parameters"], model["model"]["parameters"]);

    // Again, over its own page; and for people.
    let text = stdout(&mut newleaf_in(folder.path(), &["report", "run"]));
    assert!(
        text.contains("run: 20 of 20 updates in") && text.contains(&best) && text.contains("report.html"),
        "{text}"
    );
}

/// The places of the points of the curves of a colour, of at least five points.
fn places(svg: &str, colour: &str) -> Vec<Vec<(f64, f64)>> {
    let curves = svg.split("<polyline ").skip(1).map(|curve| curve.split("/>").next().unwrap());
    let curves = curves.filter(|curve| curve.contains(&format!("stroke=\"{colour}\"")));
    let number = |text: &str| text.parse::<f64>().unwrap();
    let pair = |point: &str| point.split_once(',').map(|(x, y)| (number(x), number(y))).unwrap();
    let points = curves.map(|curve| curve.split("points=\"").nth(1).unwrap().split('"').next().unwrap());
    points
        .map(|points| points.split_whitespace().map(pair).collect())
        .filter(|points: &Vec<_>| points.len() >= 5)
        .collect()
}

#[test]
fn pictures_show_the_numbers_where_they_belong() {
    let folder = copies(&["run"]);
    let metrics = folder.path().join("run/metrics.jsonl");
    let line = |iter: u64, loss: f64| json!({"iter": iter, "tokens": 1000 * iter, "elapsed_s": iter, "val_loss": loss});
    let losses = [(0, 9.0), (10, 3.0), (20, 2.0), (30, 1.5), (40, 1.0)];
    let text: String = losses.iter().map(|(iter, loss)| format!("{}\n", line(*iter, *loss))).collect();
    fs::write(&metrics, text).unwrap();
    change_info(&folder.path().join("run"), |info| info["count_loss"] = json!(1.25));
    let said = stdout(&mut newleaf_in(folder.path(), &["report", "run", "--svg", "pictures/of run"]));
    let pictures = folder.path().join("pictures/of run");
    let names: Vec<_> = files(&pictures).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["loss.svg"], "what was not measured has no picture");
    let [report, picture] =
        ["run/report.html", "pictures/of run/loss.svg"].map(|path| Path::new(path).display().to_string());
    assert!(said.contains(&format!("report: {report}\npicture: {picture}\n")), "{said}");
    let svg = fs::read_to_string(pictures.join("loss.svg")).unwrap();
    assert!(is_well_formed(&svg) && svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
    assert!(svg.contains("updates (40,000 tokens)") && svg.contains("prefers-color-scheme:dark"));
    let [curve] = &places(&svg, "#0072B2")[..] else { panic!("one curve: {svg}") };
    // Down from where it enters the plot: 9 at the beginning is above the picture, and the picture says so.
    let steps: Vec<f64> = curve.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(steps[1..].iter().all(|step| (step - steps[1]).abs() <= 1.0) && steps[0] < steps[1], "{curve:?}");
    let height = |i: usize| curve[i].1;
    assert!((height(2) - height(1) - (height(4) - height(2))).abs() <= 2.0, "{curve:?}");
    assert!(height(0) < height(1) && height(1) < height(4), "{curve:?}");
    assert!(svg.contains("the beginning, up to 9.00, is cut off"), "{svg}");
    // The line of the baseline lies midway between 1.0 and 1.5: dashes all across the plot, after one in the legend.
    let dashes = svg.split("<polyline ").filter(|line| line.contains("stroke=\"#1F2328\""));
    let last = dashes.last().unwrap().split("points=\"").nth(1).unwrap().split(['"', ' ']).next().unwrap();
    let y: f64 = last.split(',').nth(1).unwrap().parse().unwrap();
    assert!((y - 0.5 * (height(3) + height(4))).abs() <= 2.0, "{last} {curve:?}");
}

#[test]
fn several_runs_stand_side_by_side() {
    let folder = copies(&["a", "b", "old"]);
    change_info(&folder.path().join("b"), |info| info["config"]["train"]["learning_rate"] = json!(0.004));
    let old = folder.path().join("old");
    change_info(&old, |info| drop(info.as_object_mut().unwrap().remove("count_loss")));
    fs::remove_file(old.join("samples.txt")).unwrap();
    let report = common::json(&mut newleaf_in(folder.path(), &["report", "a", "b", "old", "--json"]));
    assert_eq!(report["runs"].as_array().unwrap().len(), 3);
    assert_eq!(report["differences"], json!({"learning_rate": ["0.002", "0.004", "0.002"]}));
    assert!(report["runs"][2]["count_loss"].is_null());
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    check_page(&page);
    let learning_rates = "<tr><th>learning_rate</th><td>0.002</td><td>0.004</td><td>0.002</td></tr>";
    assert_eq!(page.matches(learning_rates).count(), 2, "among the differences and among all");
    for part in
        [">\nA a\n</text>", ">\nB b\n</text>", ">\nC old\n</text>", "A: n-gram baseline", "<th>C old</th>"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("C: n-gram baseline") && !page.contains("different tasks"));

    change_info(&folder.path().join("b"), |info| info["data"]["sha256"] = json!("another"));
    newleaf_in(folder.path(), &["report", "a", "b"]).assert().success();
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("The runs differ in data: their losses"));
}

#[test]
fn the_losses_of_a_mixture_have_curves_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "mixed", &["--objective", "mix=clm:.5,mlm:.5"]);
    newleaf_in(folder.path(), &["report", "mixed"]).assert().success();
    let page = fs::read_to_string(folder.path().join("mixed/report.html")).unwrap();
    check_page(&page);
    for part in [">\nclm ", ">\nmlm ", "<th>last validation loss of mlm</th>", "n-gram baseline "] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("better than the baseline"), "the loss of a mixture is not that of the baseline");
    assert!(!page.contains("the n-gram baseline reaches"));
}

/// Beside what a plan expected stands what became of it, and by how much it was wrong.
#[test]
fn a_plan_stands_beside_what_became_of_it() {
    let folder = copies(&["planned", "going", "free"]);
    let path = folder.path();
    let plan = json!({"seconds": 40.0, "bytes": 200_000_000, "expected_loss": 2.0});
    change_info(&path.join("planned"), |info| {
        info["plan"] = plan.clone();
        info["outcome"] = json!({"seconds": 50.0, "bytes": 150_000_000, "best_val_loss": 2.2});
    });
    change_info(&path.join("going"), |info| {
        info["plan"] = plan.clone();
        info["plan"]["seconds"] = json!(0.0); // a per cent of it is not a number
        drop(info.as_object_mut().unwrap().remove("outcome"));
    });
    let report = common::json(&mut newleaf_in(path, &["report", "planned", "going", "free", "--json"]));
    let plans = [0, 1, 2].map(|run| &report["runs"][run]["plan"]);
    for (key, percent) in [("seconds", 25.0), ("bytes", -25.0), ("loss", 10.0)] {
        let found = plans[0][key]["percent_over"].as_f64().unwrap();
        assert!((found - percent).abs() < 1e-9, "{key}: {found}");
        assert!(plans[1][key]["expected"].is_number() && plans[1][key]["found"].is_null(), "{}", plans[1]);
    }
    assert!(plans[2].is_null());
    let page = fs::read_to_string(path.join("report.html")).unwrap();
    check_page(&page);
    for row in [
        "<tr><th>time planned, and taken</th><td>40.0 s; 50.0 s (+25 %)</td><td>0.0 s; not known</td><td></td>",
        "<tr><th>memory planned, and at most</th><td>200 MB; 150 MB (-25 %)</td><td>200 MB; not known</td><td></td>",
        "<tr><th>loss expected, and best</th><td>2.0000; 2.2000 (+10 %)</td><td>2.0000; not known</td><td></td>",
    ] {
        assert!(page.contains(row), "{row} is not in the page");
    }
    newleaf_in(path, &["report", "free"]).assert().success();
    assert!(!fs::read_to_string(path.join("free/report.html")).unwrap().contains("planned"));
    change_info(&path.join("planned"), |info| info["outcome"]["seconds"] = json!(1.0));
    change_info(&path.join("planned"), |info| info["plan"]["seconds"] = json!(0.0));
    newleaf_in(path, &["report", "planned"]).assert().success();
    check_page(&fs::read_to_string(path.join("planned/report.html")).unwrap());
}

#[test]
fn a_run_that_has_only_begun_can_be_shown() {
    let folder = copies(&["run"]);
    let metrics = folder.path().join("run/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    // A whole line, and the beginning of the next.
    fs::write(&metrics, &text[..text.find('\n').unwrap() + 15]).unwrap();
    fs::remove_file(folder.path().join("run/samples.txt")).unwrap();
    newleaf_in(folder.path(), &["report", "run"]).assert().success();
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    check_page(&page);
    assert!(page.contains("<tr><th>updates</th><td>0 of 20</td>") && !page.contains("What the model writes"));
}

#[test]
fn nothing_from_a_file_becomes_markup() {
    let hostile = "</title></script><b onload=\"x\">&amp;'\u{1}\u{202e}";
    let folder = tempfile::tempdir().unwrap();
    let from = copies(&["run"]);
    // As a path, where the system takes it: without the slash.
    let name = "<b>&\"run\"";
    let run = folder.path().join(if cfg!(windows) { "b" } else { name });
    fs::rename(from.path().join("run"), &run).unwrap();
    change_info(&run, |info| {
        info["data"]["path"] = json!(hostile);
        info["data"]["sha256"] = json!(hostile);
        info["machine"]["cpu"] = json!(hostile);
        info["version"] = json!(hostile);
        info["started"] = json!(hostile);
        info["command"] = json!(["newleaf", hostile]);
    });
    fs::write(run.join("samples.txt"), format!("=== iteration 3 ===\n{hostile}\n\n")).unwrap();
    let metrics = run.join("metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let mut odd = last.clone();
    odd["val_loss_<i>"] = json!(1e308);
    odd["other"] = json!(hostile);
    odd["grad_norm"] = json!(1e300);
    fs::write(&metrics, format!("{text}{odd}\n")).unwrap();
    newleaf_in(folder.path(), &["report", "--out", "page.html", "--svg", "svg"]).arg(&run).assert().success();
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    check_page(&page);
    for tag in ["<b>", "<b ", "<i>", "</script", "onload=\"", "\u{1}"] {
        assert!(!page.contains(tag), "{tag:?} from a file");
    }
    assert!(page.contains("&lt;/title>&lt;/script>&lt;b onload=&quot;x&quot;>&amp;amp;'"));
    for picture in files(&folder.path().join("svg")) {
        assert!(is_well_formed(&fs::read_to_string(&picture).unwrap()), "{}", picture.display());
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let folder = copies(&["run", "empty", "none", "cut", "damaged", "text", "back", "info", "large", "many"]);
    let path = folder.path();
    let metrics = |run: &str| path.join(run).join("metrics.jsonl");
    let text = fs::read_to_string(metrics("run")).unwrap();
    let third = text.lines().nth(2).unwrap();
    fs::write(metrics("empty"), "").unwrap();
    fs::remove_file(metrics("none")).unwrap();
    fs::write(metrics("cut"), "{\"iter\":0").unwrap();
    fs::write(metrics("damaged"), text.replace(third, &third[..third.len() / 2])).unwrap();
    fs::write(
        metrics("text"),
        text.replace(third, &third.replace("\"elapsed_s\":", "\"elapsed_s\":\"a\",\"b\":")),
    )
    .unwrap();
    fs::write(metrics("back"), format!("{text}{third}\n")).unwrap();
    change_info(&path.join("info"), |info| drop(info.as_object_mut().unwrap().remove("data")));
    // Memory by what a file holds: what it claims to be is refused.
    change_info(&path.join("large"), |info| info["config"]["model"]["n_layer"] = json!(1_000_000_000));
    let keys: String = (0..17).map(|i| format!(",\"val_loss_{i}\":1.0")).collect();
    fs::write(
        metrics("many"),
        format!("{{\"iter\":0,\"tokens\":0,\"elapsed_s\":0,\"val_loss\":1.0{keys}}}\n"),
    )
    .unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    fs::write(path.join("thesis.html"), "<html>mine</html>").unwrap();
    fs::create_dir(path.join("pictures")).unwrap();
    fs::write(path.join("pictures/loss.svg"), "<svg>mine</svg>").unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["<RUN>"]),
        (&["missing"], &["missing", "expected the directory of a run", "no directory"]),
        (&["folder"], &["folder", "without run.json", "newleaf train"]),
        (&["thesis.html"], &["thesis.html", "expected the directory of a run"]),
        (&["empty"], &["metrics.jsonl", "no whole line", "wait for the first evaluation"]),
        (&["none"], &["metrics.jsonl", "no such file", "wait for the first evaluation"]),
        (&["cut"], &["metrics.jsonl", "no whole line"]),
        (
            &["run", "damaged"],
            &[
                "metrics.jsonl, line 3: expected one JSON object",
                "found \"{",
                "and more",
                "take the line out",
            ],
        ),
        (&["text"], &["metrics.jsonl, line 3: expected numbers, found elapsed_s \"a\"", "take the line out"]),
        (&["back"], &["metrics.jsonl, line 26: expected an iteration from 20 on", "found 2"]),
        (&["info"], &["run.json", "missing field `data`"]),
        (&["large"], &["run.json", "n_layer", "1000000000"]),
        (&["many"], &["metrics.jsonl, line 1: expected at most 16 losses", "found 17"]),
        (&["run", "./run"], &["./run", "twice"]),
        (&["run", "--floor", "NaN"], &["--floor NaN", "0 or more"]),
        (&["run", "--floor=-1"], &["--floor -1", "0 or more"]),
        (&["run", "--floor=x"], &["--floor"]),
        (&["run", "--out", "thesis.html"], &["thesis.html", "found another file", "another path"]),
        (&["run", "--out", "run/run.json"], &["run.json", "found another file"]),
        (&["run", "--out", "folder"], &["folder", "directory"]),
        (&["run", "--out", "no/page.html"], &["no/page.html", "directory"]),
        (&["run", "--svg", "thesis.html"], &["thesis.html", "expected a directory"]),
        (&["run", "--svg", "folder", "--out", "folder/loss.svg"], &["loss.svg", "one file"]),
        (&["run", "--svg", "pictures"], &["loss.svg", "found another file"]),
    ];
    for (arguments, words) in cases {
        refuses(path, newleaf_in(path, &["report"]).args(*arguments), words);
    }
}

/// Samples along the way draw from a stream of their own: without them the weights are the same to the bit.
#[test]
fn samples_change_nothing_in_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, "none", &["--sample-interval=0", "--dropout=0.1"]);
    train(path, "often", &["--sample-interval=3", "--dropout=0.1"]);
    let read = |run: &str, file: &str| fs::read(path.join(run).join(file)).unwrap();
    for file in ["last/model.safetensors", "best/model.safetensors"] {
        assert!(read("none", file) == read("often", file), "{file} differs");
    }
    let headings = |run: &str| -> Vec<String> {
        let text = String::from_utf8(read(run, "samples.txt")).unwrap();
        text.lines().filter(|line| line.starts_with("=== iteration")).map(String::from).collect()
    };
    let of = |iters: &[u64]| iters.iter().map(|i| format!("=== iteration {i} ===")).collect::<Vec<_>>();
    assert_eq!(headings("none"), of(&[20]));
    assert_eq!(headings("often"), of(&[0, 3, 6, 9, 12, 15, 18, 20]));
    // Going on with a finished run writes its last sample again, and not twice.
    let before = read("often", "samples.txt");
    newleaf_in(path, &["train", "--resume", "--sample-interval=3", "--sample-length=40", "--out", "often"])
        .assert()
        .success();
    assert!(read("often", "samples.txt") == before);
}
