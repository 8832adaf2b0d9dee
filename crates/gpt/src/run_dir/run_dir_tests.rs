use super::*;
use crate::config::Preset;
use crate::train::{History, small_checkpoint};
use std::process::Command;
use std::sync::Mutex;
use tempfile::tempdir;

fn info() -> RunInfo {
    let data = DataInfo { path: "ä text.txt".into(), sha256: store::sha256(b"text"), bytes: 4 };
    RunInfo::new(vec!["newleaf".into(), "train".into()], Preset::NanoCpu.config(65), data)
}

/// A run that has begun, and is no longer locked.
fn begun(path: &Path) {
    let run = RunDir::create(path).unwrap();
    run.write_info(&info()).unwrap();
    History::open(&run.checkpoints(), 2).unwrap().save(&small_checkpoint(1)).unwrap();
}

#[test]
fn a_run_begins_and_goes_on() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("runs/first");
    begun(&path);
    let run = RunDir::open_for_resume(&path).unwrap();
    assert_eq!(run.read_info().unwrap().config, info().config);
    assert_eq!(run.read_info().unwrap().data, info().data);
    assert_eq!(
        History::open(&run.checkpoints(), 2).unwrap().latest_verified().unwrap().checkpoint,
        small_checkpoint(1)
    );
    assert!(run.recovered().is_empty());
    run.append_sample(100, "Once upon\n").unwrap();
    run.append_sample(200, "a time").unwrap();
    let samples = fs::read_to_string(path.join(SAMPLES)).unwrap();
    assert_eq!(samples, "=== iteration 100 ===\nOnce upon\n\n=== iteration 200 ===\na time\n\n");
}

#[test]
fn another_run_or_foreign_files_are_refused_and_left_alone() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("run");
    begun(&path);
    let before = store::names_in(&path).unwrap();
    let message = RunDir::create(&path).unwrap_err().to_string();
    for part in ["run:", "another run", "--resume", "--out"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(store::names_in(&path).unwrap(), before);

    let foreign = dir.path().join("documents");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.txt"), "mine").unwrap();
    assert!(RunDir::create(&foreign).unwrap_err().to_string().contains("found \"thesis.txt\""));
    assert_eq!(store::names_in(&foreign).unwrap(), ["thesis.txt"], "nothing may be written there");
    let message = RunDir::create(&foreign.join("thesis.txt")).unwrap_err().to_string();
    assert!(message.contains("expected a directory"), "{message}");
    assert!(RunDir::create(&foreign.join("thesis.txt/run")).is_err());

    for empty in [dir.path().join("empty"), dir.path().join("only_locked")] {
        fs::create_dir(&empty).unwrap();
        drop(RunDir::create(&empty).unwrap()); // which leaves run.lock
        drop(RunDir::create(&empty).unwrap());
    }
}

/// What a run leaves that is killed at any moment before its first checkpoint stands in the way of nobody.
#[test]
fn a_run_without_a_checkpoint_begins_again() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("run");
    let mut run = RunDir::create(&path).unwrap();
    run.write_info(&info()).unwrap();
    History::open(&run.checkpoints(), 2).unwrap();
    run.append_metrics(&Metrics::default()).unwrap();
    run.append_sample(0, "text").unwrap();
    drop(run);
    for name in [".newleaf-tmp-1-run.json", "run.json.tmp.99999", "report.html"] {
        fs::write(path.join(name), "").unwrap();
    }
    fs::create_dir(path.join("checkpoints/.newleaf-tmp-1-step-7")).unwrap();
    let message = History::open(&RunDir::open_for_resume(&path).unwrap().checkpoints(), 2)
        .unwrap()
        .latest_verified()
        .unwrap_err();
    assert!(message.to_string().contains("leaving out --resume"), "{message}");
    drop(RunDir::create(&path).unwrap());
    assert_eq!(store::names_in(&path).unwrap(), [CHECKPOINTS, REPORT, INFO, "run.json.tmp.99999", LOCK]);
    drop(RunDir::create(&path).unwrap()); // killed again

    // A checkpoint, finished or set aside, a model, and what is not ours are never replaced.
    let begin = || {
        let run = RunDir::create(&path).unwrap();
        run.write_info(&info()).unwrap();
    };
    let refused = |name: &str, expected: &str| {
        let before = store::names_in(&path).unwrap();
        let message = RunDir::create(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert_eq!(store::names_in(&path).unwrap(), before);
    };
    for (name, expected) in [
        ("checkpoints/step-7", "--resume"),
        ("checkpoints/.newleaf-old-1-step-7", "--resume"),
        ("checkpoints/notes", "found \"checkpoints/notes\""),
        ("best", "a model, best/"),
        ("last", "a model, last/"),
        ("notes", "found \"notes\""),
    ] {
        begin();
        fs::create_dir(path.join(name)).unwrap();
        refused(name, expected);
        fs::remove_dir(path.join(name)).unwrap();
    }
    fs::write(path.join(INFO), "{}").unwrap(); // nor what only has the name
    refused(INFO, "run.json");
    fs::remove_file(path.join(INFO)).unwrap();
    fs::write(path.join(METRICS), "mine").unwrap();
    refused(METRICS, "found \"metrics.jsonl\"");
}

#[test]
fn only_a_run_is_resumed() {
    let dir = tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().to_path_buf()] {
        let message = RunDir::open_for_resume(&path).unwrap_err().to_string();
        assert!(message.contains("expected the directory of a run"), "{message}");
    }
    assert!(store::names_in(dir.path()).unwrap().is_empty());
    begun(&dir.path().join("run"));
    fs::write(dir.path().join("run/run.json"), "{}").unwrap();
    let run = RunDir::open_for_resume(&dir.path().join("run")).unwrap();
    let message = run.read_info().unwrap_err().to_string();
    assert!(message.contains("run.json: missing field `command`"), "{message}");
}

/// A process that is being started holds copies of all open files, and their locks, for a moment: no test that gives
/// a lock back and takes it again may run at that time.
static STARTING: Mutex<()> = Mutex::new(());

#[test]
fn a_second_writer_is_refused() {
    let _nobody_starts = STARTING.lock();
    let dir = tempdir().unwrap();
    let path = dir.path().join("run");
    begun(&path);
    let first = RunDir::open_for_resume(&path).unwrap();
    let message = RunDir::open_for_resume(&path).unwrap_err().to_string();
    assert!(message.contains(&format!("another process (number {})", std::process::id())), "{message}");
    drop(first);
    RunDir::open_for_resume(&path).unwrap();
}

/// The same, with another process: this test starts the test program again, which then finds the lock.
#[test]
fn a_second_process_is_refused() {
    const PATH: &str = "NEWLEAF_TEST_LOCKED_RUN";
    if let Some(path) = std::env::var_os(PATH) {
        assert!(matches!(RunDir::open_for_resume(Path::new(&path)), Err(RunDirError::Locked { .. })));
        return;
    }
    let _alone = STARTING.lock();
    let dir = tempdir().unwrap();
    begun(dir.path());
    let try_again = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["run_dir::tests::a_second_process_is_refused", "--exact"]).env(PATH, dir.path());
        command.output().unwrap()
    };
    let run = RunDir::open_for_resume(dir.path()).unwrap();
    let output = try_again();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    drop(run);
    assert!(!try_again().status.success(), "the other process must find the run free now");
}

#[test]
fn a_crash_is_put_right_at_resume() {
    let dir = tempdir().unwrap();
    begun(dir.path());
    // Process 1 is alive, but the lock says that it is not at work here.
    store::write_dir(&dir.path().join(".newleaf-old-1-best"), &[("a", b"")]).unwrap();
    store::write_dir(&dir.path().join(".newleaf-tmp-1-last"), &[("a", b"")]).unwrap();
    fs::write(dir.path().join(".newleaf-tmp-1-metrics.jsonl"), "").unwrap();
    let run = RunDir::open_for_resume(dir.path()).unwrap();
    assert_eq!(run.recovered().len(), 3, "{:?}", run.recovered());
    store::verify_dir(&run.best()).unwrap();
    assert_eq!(store::names_in(dir.path()).unwrap(), ["best", CHECKPOINTS, INFO, LOCK]);
}

#[test]
fn metrics_after_the_checkpoint_are_dropped() {
    let dir = tempdir().unwrap();
    let mut run = RunDir::create(&dir.path().join("run")).unwrap();
    assert_eq!(run.drop_metrics_after(5).unwrap(), Dropped::default());
    let path = run.path().join(METRICS);
    for iter in 1..=4 {
        run.append_metrics(&Metrics { iter, train_loss: Some(1.0 / 3.0), ..Metrics::default() }).unwrap();
    }
    run.append_metrics(&Metrics { iter: 1, val_loss: Some(2.0), ..Metrics::default() }).unwrap();
    run.append_metrics(&Metrics { iter: 2, val_loss: Some(1.5), ..Metrics::default() }).unwrap();
    let lines =
        |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Metrics>>();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(lines(&text)[0], Metrics { iter: 1, train_loss: Some(1.0 / 3.0), ..Metrics::default() });
    assert_eq!(text.lines().last().unwrap(), r#"{"iter":2,"tokens":0,"elapsed_s":0.0,"val_loss":1.5}"#);
    assert_eq!(run.drop_metrics_after(4).unwrap(), Dropped::default());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // A line cut off by a crash: by chance it could even be JSON, but its line end is missing.
    fs::write(&path, text.clone() + "not json\n{\"iter\":2}").unwrap();
    // Iterations 3 and 4, and the evaluation of 2, which comes after the checkpoint of 2; not that of 1.
    assert_eq!(run.drop_metrics_after(2).unwrap(), Dropped { later: 3, unreadable: 2 });
    run.append_metrics(&Metrics { iter: 3, ..Metrics::default() }).unwrap();
    let iters: Vec<u64> = lines(&fs::read_to_string(&path).unwrap()).iter().map(|line| line.iter).collect();
    assert_eq!(iters, [1, 2, 1, 3]);
}

#[test]
fn a_loss_that_is_not_finite_can_be_written_and_read() {
    let dir = tempdir().unwrap();
    let mut run = RunDir::create(&dir.path().join("run")).unwrap();
    run.append_metrics(&Metrics { iter: 7, train_loss: Some(f64::NAN), ..Metrics::default() }).unwrap();
    let text = fs::read_to_string(run.path().join(METRICS)).unwrap();
    let line: Metrics = serde_json::from_str(&text).unwrap();
    assert_eq!((line.iter, line.train_loss), (7, None));
}

#[test]
fn a_full_disk_is_noticed_before_the_start() {
    let dir = tempdir().unwrap();
    let run = RunDir::create(&dir.path().join("run")).unwrap();
    run.require_space(1).unwrap();
    let message = run.require_space(u64::MAX).unwrap_err().to_string();
    assert!(message.contains("bytes of free space") && message.contains("df -h"), "{message}");
}

#[test]
fn samples_are_read_as_they_were_written() {
    let dir = tempdir().unwrap();
    let run = RunDir::create(&dir.path().join("run")).unwrap();
    let path = run.path().join(SAMPLES);
    assert_eq!(run.drop_samples_from(0).unwrap(), 0);
    let texts = ["\n\nOnce", "=== iteration 7 ===\n", "", "a\n\n=== iteration x ===", "end"];
    for (iter, text) in texts.iter().enumerate() {
        run.append_sample(iter as u64, text).unwrap();
    }
    let read = Sample::parse(&fs::read_to_string(&path).unwrap());
    let expected = ["\n\nOnce", " === iteration 7 ===", "", "a\n\n=== iteration x ===", "end"];
    for (iter, (sample, text)) in read.iter().zip(expected).enumerate() {
        assert_eq!((sample.iter, sample.text.as_str()), (iter as u64, text));
    }
    assert_eq!(read.len(), texts.len());
    let before = fs::read(&path).unwrap();
    assert_eq!(run.drop_samples_from(5).unwrap(), 0);
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, [&before, "=== iteration 5 ===\ncut off: ".as_bytes(), b"\xc3"].concat()).unwrap();
    // Those of iterations 3, 4 and 5: a sample comes after the checkpoint of its iteration.
    assert_eq!(run.drop_samples_from(3).unwrap(), 3);
    assert_eq!(Sample::parse(&fs::read_to_string(&path).unwrap()), read[..3]);
    assert!(before.starts_with(&fs::read(&path).unwrap()));
    assert!(Sample::parse("no heading\n").is_empty());
}

#[test]
fn an_older_run_json_has_no_loss_of_counting() {
    let dir = tempdir().unwrap();
    let run = RunDir::create(&dir.path().join("run")).unwrap();
    run.write_info(&info()).unwrap();
    assert!(!fs::read_to_string(run.path().join(INFO)).unwrap().contains("count_loss"));
    assert_eq!(RunInfo::read(run.path()).unwrap().count_loss, None);
    run.write_info(&RunInfo { count_loss: Some(0.1 + 0.2), ..info() }).unwrap();
    assert_eq!(RunInfo::read(run.path()).unwrap().count_loss, Some(0.1 + 0.2));
}
