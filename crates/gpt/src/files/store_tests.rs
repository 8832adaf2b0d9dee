use super::*;
use crate::files::create_dirs;
use crate::files::faults::{Fault, FaultyFs, Logged, RecordingFs, cut_power_everywhere, damage_everywhere};
use tempfile::tempdir;

const OLD: [(&str, &[u8]); 2] = [("a.json", b"old a"), ("b.bin", b"old b, somewhat longer")];
const NEW: [(&str, &[u8]); 2] = [("a.json", b"new a!"), ("c.bin", b"\x00\x01")];

fn contents(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, bytes)| ((*name).to_string(), bytes.to_vec())).collect()
}

fn write_on(fs: &dyn Fs, path: &Path, files: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
    let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, bytes as &dyn Contents)).collect();
    write_contents(fs, path, &files)
}

fn names(path: &Path) -> Vec<String> {
    names_in(path).unwrap()
}

#[test]
fn what_is_written_is_read_and_replaced() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    for files in [OLD, NEW] {
        write_dir(&path, &files).unwrap();
        assert_eq!(read_dir(&path).unwrap(), contents(&files));
        assert_eq!(verify_dir(&path).unwrap().files["a.json"].sha256, sha256(files[0].1));
        assert_eq!(names(dir.path()), ["data"], "nothing may be left beside it");
    }
    fs::remove_dir_all(&path).unwrap();
    fs::create_dir(&path).unwrap(); // an empty directory is nobody's
    write_dir(&path, &OLD).unwrap();
    assert_eq!(read_dir(&path).unwrap(), contents(&OLD));
}

/// Runs a save with a fault at every operation, with and without an older version in place.
fn at_every_operation(
    fault: Fault,
    check: impl Fn(&Path, Option<&[(&str, &[u8])]>, Result<(), CheckpointError>),
) {
    for old in [None, Some(&OLD[..])] {
        for at in 0.. {
            assert!(at < 100, "the save never comes to an end");
            let dir = tempdir().unwrap();
            let path = dir.path().join("data");
            if let Some(old) = old {
                write_dir(&path, old).unwrap();
            }
            let fs = FaultyFs::new(at, fault);
            let result = write_on(&fs, &path, &NEW);
            if !fs.struck.get() {
                assert!(result.is_ok());
                assert!(at >= if old.is_some() { 11 } else { 7 }, "only {at} operations");
                break;
            }
            check(&path, old, result);
        }
    }
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_or_the_new() {
    for quarters in 0..=4 {
        at_every_operation(Fault::Crash(quarters), |path, old, result| {
            // Whoever reads before the next start finds a complete directory too, if there was one.
            let readable = read_dir(&resolve(path)).ok();
            assert!(old.is_none() || readable.is_some(), "unreadable before recovery");
            recover(path.parent().unwrap()).unwrap();
            let found = path.exists().then(|| read_dir(path).unwrap());
            assert!(found == old.map(contents) || found == Some(contents(&NEW)), "{found:?}");
            assert!(result.is_err() || found == Some(contents(&NEW)), "success was reported too early");
            assert!(
                names(path.parent().unwrap()).len() <= 1,
                "leftovers: {:?}",
                names(path.parent().unwrap())
            );
            write_dir(path, &NEW).unwrap(); // and saving goes on
        });
    }
}

#[test]
fn an_error_at_any_operation_leaves_the_old_and_names_path_and_cause() {
    for (kind, remedy) in [
        (io::ErrorKind::StorageFull, "free some space"),
        (io::ErrorKind::PermissionDenied, "permissions"),
        (io::ErrorKind::Other, "check the disk"),
    ] {
        at_every_operation(Fault::Error(kind), |path, old, result| {
            let found = path.exists().then(|| read_dir(path).unwrap());
            match result {
                Err(error) => {
                    assert_eq!(found, old.map(contents));
                    let message = error.to_string();
                    assert!(message.contains(remedy), "{message}");
                    assert!(message.contains(path.parent().unwrap().to_str().unwrap()), "{message}");
                    assert!(names(path.parent().unwrap()).len() <= 1);
                }
                // Only removing the old one may fail without a word: the new one is safe.
                Ok(()) => assert_eq!(found, Some(contents(&NEW))),
            }
        });
    }
}

#[test]
fn a_power_failure_anywhere_leaves_the_old_or_the_new() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    let recording = RecordingFs::default();
    let versions: Vec<Vec<(&str, &[u8])>> = vec![OLD.to_vec(), NEW.to_vec(), OLD[..1].to_vec(), NEW.to_vec()];
    for (number, files) in (1..).zip(&versions) {
        write_on(&recording, &path, files).unwrap();
        recording.log(Logged::Note(number));
    }
    let states = cut_power_everywhere(dir.path(), &recording.0.borrow(), |disk, saved| {
        recover(disk).unwrap();
        let found = disk.join("data").exists().then(|| read_dir(&disk.join("data")).unwrap());
        let saved = saved.unwrap_or(0) as usize;
        let at_least = saved.checked_sub(1).map(|last| contents(&versions[last]));
        let next = versions.get(saved).map(|files| contents(files));
        assert!(found == at_least || found == next, "{found:?} after version {saved}");
    });
    assert!(states > 1000, "only {states} states");
}

#[test]
fn every_truncation_and_every_flipped_bit_is_found() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    write_dir(&path, &OLD).unwrap();
    for name in names(&path) {
        damage_everywhere(&path.join(&name), |what| {
            let error = verify_dir(&path).expect_err(what).to_string();
            assert!(name == MANIFEST || error.contains(&name), "{what}: {error}");
            assert!(read_dir(&path).is_err(), "{name} {what}");
        });
    }
    verify_dir(&path).unwrap();
}

#[test]
fn damage_is_described() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    let message = || verify_dir(&path).unwrap_err().to_string();
    assert!(message().contains("check the spelling"), "{}", message());
    write_dir(&path, &OLD).unwrap();
    fs::write(path.join("b.bin"), "short").unwrap();
    assert!(message().contains("b.bin: damaged: expected 22 bytes, found 5"), "{}", message());
    fs::write(path.join("b.bin"), OLD[1].1.to_ascii_uppercase()).unwrap();
    assert!(message().contains("expected sha256") && message().contains(&sha256(OLD[1].1)), "{}", message());
    fs::remove_file(path.join("b.bin")).unwrap();
    assert!(message().contains("b.bin: expected this file, found none"), "{}", message());
    fs::create_dir(path.join("b.bin")).unwrap();
    assert!(message().contains("expected a file"), "{}", message());
    write_dir(&dir.path().join("other"), &OLD).unwrap();
    fs::write(dir.path().join("other/notes.txt"), "").unwrap();
    let message = verify_dir(&dir.path().join("other")).unwrap_err().to_string();
    assert!(message.contains("notes.txt: not in manifest.json"), "{message}");
    let message = verify_dir(&dir.path().join("other/notes.txt")).unwrap_err().to_string();
    assert!(message.contains("expected a directory"), "{message}");
}

#[test]
fn hostile_manifests_are_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    write_dir(&path, &OLD).unwrap();
    let original = fs::read_to_string(path.join(MANIFEST)).unwrap();
    let entry = "\"b.bin\"";
    for (from, to, expected) in [
        ("\"version\": 1", "\"version\": 2", "expected version 1, found 2"),
        (FORMAT, "other", "expected the format"),
        (entry, "\"../b.bin\"", "lists a file named \"../b.bin\""),
        (entry, "\"/etc/passwd\"", "lists a file named"),
        (entry, "\"a.json\"", "occurs twice"),
        ("\"size\": 22", "\"size\": -1", "manifest.json: damaged"),
        ("\"size\": 22", "\"size\": 18446744073709551615", "expected 18446744073709551615 bytes"),
        ("\"size\": 22", "\"size\": 1e99", "manifest.json: damaged"),
        ("\"files\"", "\"extra\": 1, \"files\"", "unknown field"),
    ] {
        fs::write(path.join(MANIFEST), original.replace(from, to)).unwrap();
        let message = verify_dir(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{to}: {message}");
    }
    fs::write(path.join(MANIFEST), vec![b' '; (MAX_MANIFEST_BYTES + 1) as usize]).unwrap();
    assert!(verify_dir(&path).unwrap_err().to_string().contains("at most 1048576 bytes"));
}

/// Whoever reads while a file is replaced gets the old one or the new one, whole.
#[test]
fn a_file_is_read_whole_while_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    let (short, long) = (vec![b's'; 1000], vec![b'l'; 5000]);
    crate::files::fs::write_file(&Disk, &path, &short).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 0..200 {
                let bytes = if i % 2 == 0 { &long } else { &short };
                crate::files::fs::write_file(&Disk, &path, bytes).unwrap();
            }
        });
        while !writer.is_finished() {
            let found = crate::files::manifest::read_file(&path, 1 << 20).unwrap();
            assert!(found == short || found == long, "{} bytes", found.len());
        }
    });
}

#[test]
fn nothing_foreign_is_replaced() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("documents");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.json"), "mine").unwrap(); // a name of ours, but no manifest
    let message = write_dir(&path, &NEW).unwrap_err().to_string();
    assert!(message.contains("a.json") && message.contains("would be lost"), "{message}");
    fs::remove_file(path.join("a.json")).unwrap();
    write_dir(&path, &OLD).unwrap();
    fs::write(path.join("thesis.txt"), "mine").unwrap();
    assert!(write_dir(&path, &NEW).unwrap_err().to_string().contains("thesis.txt"));
    fs::remove_file(path.join("thesis.txt")).unwrap();
    fs::create_dir(path.join("c.bin")).unwrap();
    assert!(write_dir(&path, &NEW).unwrap_err().to_string().contains("c.bin"));
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert!(matches!(write_dir(&file, &NEW), Err(CheckpointError::WrongKind { .. })));
    assert_eq!(names(dir.path()), ["documents", "file"]);
}

/// The name of a directory is on disk before anything is written below it.
#[test]
fn new_directories_survive_a_power_failure() {
    let dir = tempdir().unwrap();
    let recording = RecordingFs::default();
    let path = dir.path().join("runs/1");
    create_dirs(&recording, &path).unwrap();
    recording.log(Logged::Note(1));
    create_dirs(&recording, &path).unwrap(); // nothing to do
    let states = cut_power_everywhere(dir.path(), &recording.0.borrow(), |disk, made| {
        assert!(made.is_none() || disk.join("runs/1").is_dir());
    });
    assert!(states >= 5, "only {states} states");
    fs::write(dir.path().join("file"), "").unwrap();
    let message = create_dirs(&Disk, &dir.path().join("file/run")).unwrap_err().to_string();
    assert!(message.contains("file"), "{message}");
}

#[test]
fn odd_names_are_refused() {
    let dir = tempdir().unwrap();
    for name in
        ["", ".", "..", "../x", "a/b", "/x", "manifest.json", "a\0b", "ü", ".hidden", &"x".repeat(200)]
    {
        let result = write_dir(&dir.path().join("data"), &[(name, b"")]);
        assert!(matches!(result, Err(CheckpointError::Format { .. })), "{name:?}");
    }
    assert!(write_dir(&dir.path().join("data"), &[("a", b""), ("a", b"")]).is_err());
    assert!(matches!(write_dir(Path::new("/"), &OLD), Err(CheckpointError::NoName { .. })));
    assert!(names(dir.path()).is_empty());
}

/// Process 1 runs, and no process has a number beyond 2^22. Who recovers holds the lock: then the number counts for
/// nothing, for it may have been given to another process since.
#[test]
fn leftovers_of_ours_are_put_right() {
    let dir = tempdir().unwrap();
    for name in ["tmp-1-x", "tmp-4194305-x", "old-4194305-x", "old-1-y", "old-4194305-z"] {
        write_dir(&dir.path().join(format!(".newleaf-{name}")), &OLD).unwrap();
    }
    write_dir(&dir.path().join("x"), &NEW).unwrap(); // which also cleans up after x
    let alive = ".newleaf-tmp-1-x".to_string();
    assert_eq!(names(dir.path()).contains(&alive), Path::new("/proc/1").exists(), "{:?}", names(dir.path()));
    write_dir(&dir.path().join(&alive), &OLD).unwrap();
    fs::write(dir.path().join(".newleaf-old-4194305-z/a.json"), "damaged").unwrap();
    let report = recover(dir.path()).unwrap();
    assert_eq!(report.len(), 2, "{report:?}");
    // The only copy of z is damaged: neither used nor removed.
    assert_eq!(names(dir.path()), [".newleaf-old-4194305-z", "x", "y"]);
    assert_eq!(read_dir(&dir.path().join("y")).unwrap(), contents(&OLD));
    assert_eq!(read_dir(&dir.path().join("x")).unwrap(), contents(&NEW));
}

/// A directory with a backup's name, notes, what an earlier version left, and even a name of ours, if it holds anything
/// that was not written by us: all as before.
#[test]
fn what_is_not_ours_is_never_touched() {
    let dir = tempdir().unwrap();
    let put = |directory: &str, file: &str| {
        fs::create_dir_all(dir.path().join(directory)).unwrap();
        fs::write(dir.path().join(directory).join(file), "mine").unwrap();
    };
    write_dir(&dir.path().join("my.old.4194305"), &OLD).unwrap();
    for (directory, file) in [
        ("my.old.20240101", "thesis.txt"),
        ("my.tmp.7", "a.json"),
        (".newleaf-tmp-4194305-my", "thesis.txt"),
        (".newleaf-old-4194305-my", "thesis.txt"),
        (".newleaf-old-4194305-my", MANIFEST),
        (".newleaf-tmp-4194306-my/sub", "thesis.txt"),
        (".", "notes.txt.old.1"),
        (".", "my.tmp.4194305"),
        (".", ".newleaf-tmp-4194307-my"),
    ] {
        put(directory, file);
    }
    write_dir(&dir.path().join(".newleaf-old-4194308-my"), &OLD).unwrap();
    put(".newleaf-old-4194308-my", "thesis.txt");
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path().join("my.old.4194305"), dir.path().join(".newleaf-old-4194309-my"))
        .unwrap();
    let before = tree(dir.path());
    assert!(recover(dir.path()).unwrap().is_empty());
    assert_eq!(tree(dir.path()), before);
    write_dir(&dir.path().join("my"), &NEW).unwrap();
    fs::remove_dir_all(dir.path().join("my")).unwrap();
    assert_eq!(tree(dir.path()), before);
}

/// Every path below a directory.
fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names(path) {
        let at = path.join(name);
        if at.symlink_metadata().unwrap().is_dir() {
            found.extend(tree(&at));
        }
        found.push(at);
    }
    found
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("plain"), "").unwrap();
    fs::create_dir(dir.path().join("plain_dir")).unwrap();
    write_dir(&dir.path().join("data"), &OLD).unwrap();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode();
    assert_eq!(mode("data"), mode("plain_dir"));
    for file in ["data/a.json", "data/b.bin", "data/manifest.json"] {
        assert_eq!(mode(file), mode("plain"), "{file}");
    }
}
