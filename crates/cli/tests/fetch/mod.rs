//! `newleaf data fetch`, `list` and `verify`, against a server on this machine. They need curl, as the
//! command does.

mod server;

use crate::common;
use assert_cmd::Command;
use serde_json::{Value, json};
use server::{Answer, Server};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4

fn newleaf() -> Command {
    let mut command = common::newleaf();
    command.env_remove("NEWLEAF_MIRROR").env_remove("HF_ENDPOINT").env_remove("http_proxy");
    command.env_remove("HTTP_PROXY").env_remove("ALL_PROXY").env_remove("all_proxy");
    command
}

/// 200,000 bytes in which no two places are alike, and their SHA-256 (by Python's hashlib).
fn file() -> (Vec<u8>, &'static str) {
    let bytes = (0..50_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    (bytes, "267c8113cad8dd1756f49b9d0886ff0a8011084a1370f217ad69384999b78464")
}

/// A folder with a manifest of one file, `thing`.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(url: &str, bytes: Option<u64>, sha256: Option<&str>) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let file = json!({
            "name": "thing", "file": "thing.bin", "url": url, "bytes": bytes, "sha256": sha256,
            "licence": "ours", "split": "none", "notes": "a test",
        });
        fs::write(folder.path().join("m.json"), json!({"about": "", "files": [file]}).to_string()).unwrap();
        Place { folder }
    }

    /// A place whose manifest is right about [`file`].
    fn of(server: &Server) -> Place {
        let (bytes, sha256) = file();
        Place::new(&server.url("thing"), Some(bytes.len() as u64), Some(sha256))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fetch(&self, more: &[&str]) -> Command {
        let mut command = newleaf();
        command.args(["data", "fetch", "thing", "--manifest"]).arg(self.path("m.json"));
        command.arg("--dir").arg(self.path("d")).args(more);
        command
    }

    /// Fails with `code`, says all of `words`, and leaves nothing under the final name.
    fn refuses(&self, command: &mut Command, code: i32, words: &[&str]) -> String {
        let message = common::fails(command, code, words);
        assert!(!self.path("d/thing.bin").exists(), "{message}");
        message
    }

    fn is_right(&self) {
        assert!(fs::read(self.path("d/thing.bin")).unwrap() == file().0);
        assert_eq!(fs::read_dir(self.path("d")).unwrap().count(), 1);
    }
}

#[test]
fn a_file_is_fetched_once() {
    let server = Server::new(&file().0, &[]);
    let place = Place::of(&server);
    let output = place.fetch(&["--json"]).assert().success().get_output().clone();
    let fetched: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&fetched["bytes"], &fetched["sha256"]), (&json!(200_000), &json!(file().1)));
    assert_eq!((&fetched["name"], &fetched["was_there"]), (&json!("thing"), &json!(false)));
    place.is_right();
    let output = place.fetch(&[]).assert().success().get_output().clone();
    assert!(String::from_utf8(output.stdout).unwrap().trim().ends_with("thing.bin"));
    assert_eq!(server.requests(), ["0 /thing"]);
}

/// What has arrived is not asked for again, within one command and between two.
#[test]
fn an_interrupted_transfer_goes_on() {
    let server = Server::new(&file().0, &[Answer::BreakAfter(70_000), Answer::BreakAfter(30_000)]);
    let place = Place::of(&server);
    place.fetch(&[]).assert().success();
    place.is_right();
    assert_eq!(server.requests(), ["0 /thing", "70000 /thing", "100000 /thing"]);

    let server = Server::new(&file().0, &[Answer::BreakAfter(70_000)]);
    let place = Place::of(&server);
    place.refuses(&mut place.fetch(&["--retries=0"]), 1, &["thing", "goes on from here"]);
    assert_eq!(fs::metadata(place.path("d/thing.bin.part")).unwrap().len(), 70_000);
    place.fetch(&["--retries=0"]).assert().success();
    place.is_right();
    assert_eq!(server.requests(), ["0 /thing", "70000 /thing"]);
}

#[test]
fn a_stalled_server_is_given_up_and_the_transfer_goes_on() {
    let server = Server::new(&file().0, &[Answer::StallAfter(50_000), Answer::StallAfter(0)]);
    let place = Place::of(&server);
    place.refuses(&mut place.fetch(&["--retries=0", "--timeout=1"]), 1, &["nothing came for too long"]);
    assert_eq!(fs::metadata(place.path("d/thing.bin.part")).unwrap().len(), 50_000);
    place.fetch(&["--timeout=1"]).assert().success();
    place.is_right();
    assert_eq!(server.requests(), ["0 /thing", "50000 /thing", "50000 /thing"]);
}

#[test]
fn a_server_without_ranges_begins_again() {
    let server = Server::new(&file().0, &[Answer::BreakAfter(70_000), Answer::IgnoreRange]);
    let place = Place::of(&server);
    place.fetch(&[]).assert().success();
    place.is_right();
    assert_eq!(server.requests(), ["0 /thing", "70000 /thing"]);
}

#[test]
fn redirections_are_followed() {
    let last = Server::new(&file().0, &[]);
    let first = Server::new(b"", &[Answer::Redirect(last.url("moved"))]);
    let place = Place::of(&first);
    place.fetch(&[]).assert().success();
    place.is_right();
    assert_eq!(last.requests(), ["0 /moved"]);

    let circle = Server::new(b"", &vec![Answer::Redirect("/again".into()); 20]);
    let place = Place::of(&circle);
    place.refuses(&mut place.fetch(&[]), 1, &["circles"]);
    let elsewhere = Server::new(b"", &[Answer::Redirect("file:///etc/passwd".into())]);
    let place = Place::of(&elsewhere);
    place.refuses(&mut place.fetch(&[]), 1, &["only https is followed"]);
}

#[test]
fn another_file_is_refused_and_deleted() {
    let (mut bytes, _) = file();
    bytes[100_000] ^= 1;
    let server = Server::new(&bytes, &[]);
    let place = Place::of(&server);
    place.refuses(&mut place.fetch(&[]), 2, &["its SHA-256 is", "expected", file().1, "deleted"]);
    assert_eq!(fs::read_dir(place.path("d")).unwrap().count(), 0);

    // A wrong size is seen before anything is downloaded, and if it is not announced, at the first byte more.
    for answer in [Answer::File, Answer::WithoutLength] {
        let server = Server::new(&[file().0, vec![0]].concat(), &[answer]);
        let place = Place::of(&server);
        place.refuses(&mut place.fetch(&[]), 2, &["another"]);
        assert_eq!(fs::read_dir(place.path("d")).unwrap().count(), 0);
    }
    let server = Server::new(&file().0[..199_999], &[Answer::WithoutLength]);
    let place = Place::of(&server);
    place.refuses(&mut place.fetch(&[]), 2, &["it has 199999 bytes, expected 200000"]);
}

/// A partial file that is wrong costs a second download, and no more.
#[test]
fn a_wrong_part_is_noticed() {
    for part in [vec![7; 70_000], vec![7; 200_000], vec![7; 300_000]] {
        let server = Server::new(&file().0, &[]);
        let place = Place::of(&server);
        fs::create_dir(place.path("d")).unwrap();
        fs::write(place.path("d/thing.bin.part"), part).unwrap();
        place.fetch(&[]).assert().success();
        place.is_right();
    }
}

#[test]
fn servers_that_have_no_file() {
    for (status, words) in [
        (404, &["404", "NEWLEAF_MIRROR"][..]),
        (410, &["410"]),
        (403, &["403", "expected the file"]),
        (304, &["304"]),
        (500, &["500"]),
        (503, &["503"]),
        (429, &["429"]),
    ] {
        let server = Server::new(b"", &[Answer::Status(status)]);
        let place = Place::of(&server);
        place.refuses(&mut place.fetch(&["--retries=0"]), 1, words);
    }
    let server = Server::new(&file().0, &[Answer::Status(503), Answer::Status(502)]);
    let place = Place::of(&server);
    place.fetch(&[]).assert().success();
    place.is_right();
    // The third is an answer: a file without a byte, which is another file than expected.
    let answers =
        [(&b""[..], 1), (b"SSH-2.0-OpenSSH\r\n\r\n", 1), (b"HTTP/1.1 200 OK\r\n", 2), (b"\0\0\0\0\0", 1)];
    for (raw, code) in answers {
        let server = Server::new(b"", &[Answer::Raw(raw)]);
        let place = Place::of(&server);
        place.refuses(&mut place.fetch(&["--retries=0"]), code, &["thing"]);
    }
}

#[test]
fn offline_and_unreachable() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::new(&format!("http://127.0.0.1:{unused}/"), None, Some(ABC));
    place.refuses(&mut place.fetch(&[]), 1, &["does not answer", "NEWLEAF_MIRROR"]);
    let place = Place::new("https://no-such-host.invalid/a", None, Some(ABC));
    place.refuses(
        place.fetch(&[]).env_remove("https_proxy").env_remove("HTTPS_PROXY"),
        1,
        &["are you online?"],
    );
    // Without curl: the path has nothing in it.
    let empty = tempfile::tempdir().unwrap();
    place.refuses(place.fetch(&[]).env("PATH", empty.path()), 1, &["curl", "install it"]);
}

#[test]
fn only_https_is_asked() {
    for (url, words) in [
        ("http://example.org/a", "expected https"),
        ("http://127.0.0.1@example.org/a", "expected https"),
        ("http://127.0.0.1.example.org/", "expected https"),
    ] {
        let place = Place::new(url, Some(3), Some(ABC));
        place.refuses(&mut place.fetch(&[]), 2, &["thing", words]);
        assert!(!place.path("d").exists());
    }
    // A mirror by http is trusted only as far as the SHA-256 reaches.
    let place = Place::new("https://example.org/a", Some(3), None);
    place.refuses(
        place.fetch(&[]).env("NEWLEAF_MIRROR", "http://192.0.2.1/"),
        2,
        &["NEWLEAF_MIRROR", "https"],
    );
    let mirror = place.fetch(&[]).env("NEWLEAF_MIRROR", "somewhere").assert().code(2).get_output().clone();
    assert!(String::from_utf8(mirror.stderr).unwrap().contains("https://"));
}

#[test]
fn mirrors() {
    let (bytes, sha256) = file();
    let server = Server::new(&bytes, &[]);
    let place = Place::new("https://huggingface.co/datasets/x/thing.bin", Some(200_000), Some(sha256));
    place.fetch(&[]).env("NEWLEAF_MIRROR", server.url("all/")).assert().success();
    place.is_right();
    fs::remove_dir_all(place.path("d")).unwrap();
    place.fetch(&[]).env("HF_ENDPOINT", server.url("")).assert().success();
    place.is_right();
    assert_eq!(server.requests(), ["0 /all/thing.bin", "0 /datasets/x/thing.bin"]);
}

/// A file whose publisher changes it: what came is recorded, and verified against that.
#[test]
fn a_file_without_a_known_sum() {
    let server = Server::new(b"abc", &[Answer::WithoutLength]);
    let place = Place::new(&server.url("a"), None, None);
    fs::create_dir(place.path("d")).unwrap();
    fs::write(place.path("d/thing.bin.part"), "half").unwrap(); // of who knows what
    place.fetch(&[]).assert().success();
    assert_eq!(fs::read_to_string(place.path("d/thing.bin.sha256")).unwrap(), format!("{ABC}  thing.bin\n"));
    let verify = || {
        let mut command = newleaf();
        command.args(["data", "verify", "--manifest"]).arg(place.path("m.json")).arg(place.path("d"));
        command
    };
    verify().assert().success();
    fs::write(place.path("d/thing.bin"), "abd").unwrap();
    let output = verify().assert().code(2).get_output().clone();
    assert!(String::from_utf8(output.stdout).unwrap().contains("thing.bin: WRONG: its SHA-256"));
}

#[test]
fn a_tampered_file_is_named() {
    let server = Server::new(&file().0, &[]);
    let place = Place::of(&server);
    place.fetch(&[]).assert().success();
    let verify = |more: &[&str]| {
        let mut command = newleaf();
        command
            .args(["data", "verify", "--manifest"])
            .arg(place.path("m.json"))
            .arg(place.path("d"))
            .args(more);
        command
    };
    verify(&[]).assert().success().stdout("thing.bin: ok\n");
    let mut bytes = file().0;
    bytes[199_999] ^= 0x80;
    fs::write(place.path("d/thing.bin"), &bytes).unwrap();
    let output = verify(&["--json"]).assert().code(2).get_output().clone();
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&verdict["file"], &verdict["ok"]), (&json!("thing.bin"), &json!(false)));
    let message = String::from_utf8(place.fetch(&[]).assert().code(2).get_output().stderr.clone()).unwrap();
    assert!(message.contains("is there already, but its SHA-256"), "{message}");
    assert!(fs::read(place.path("d/thing.bin")).unwrap() == bytes, "the user's file is untouched");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn names_and_manifests_that_are_wrong() {
    let place = Place::new("https://example.org/a", Some(3), Some(ABC));
    let manifest = fs::read_to_string(place.path("m.json")).unwrap();
    let refuses = |arguments: &[&str], words: &[&str]| {
        let output =
            newleaf().args(["data"]).args(arguments).current_dir(place.folder.path()).assert().code(2);
        let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        words.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in: {message}"));
        assert!(!message.contains("panicked"), "{message}");
        assert!(!place.path("downloads").exists() && !place.path("d").exists());
    };
    refuses(&["fetch"], &["NAME"]);
    refuses(&["fetch", "tinyshakspeare"], &["tinyshakspeare", "tinyshakespeare, names"]);
    refuses(&["fetch", "names", "--timeout=0"], &["timeout"]);
    refuses(&["fetch", "names", "no-such"], &["no-such"]);
    refuses(&["fetch", "a", "--manifest=none.json"], &["none.json"]);
    refuses(&["verify"], &["downloads", "newleaf data fetch"]);
    refuses(&["verify", "."], &["nothing to check"]);
    fs::write(place.path("SHA256SUMS"), "12  a\n").unwrap();
    refuses(&["verify", "."], &["SHA256SUMS, line 1", "found \"12  a\""]);
    fs::write(place.path("SHA256SUMS"), format!("{ABC}  ../a\n")).unwrap();
    refuses(&["verify", "."], &["SHA256SUMS, line 1"]);
    fs::write(place.path("SHA256SUMS"), format!("{ABC}  m.json\n{ABC}  gone\n")).unwrap();
    refuses(&["verify", "."], &["2 of 2 files"]);
    for (from, to, words) in [
        ("thing.bin", "../thing.bin", "the file name"),
        ("\"thing\"", "\"Thing\"", "the name"),
        ("https:", "ftp:", "an https URL"),
        (ABC, "abc", "64 lower-case"),
        ("\"notes\"", "\"notez\"", "notez"),
    ] {
        fs::write(place.path("m.json"), manifest.replace(from, to)).unwrap();
        refuses(&["fetch", "thing", "--manifest=m.json"], &["m.json", words]);
        refuses(&["list", "--manifest=m.json"], &["m.json", words]);
    }
}

#[test]
fn the_list_says_what_there_is() {
    let output = newleaf().args(["data", "list"]).assert().success().get_output().clone();
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["tinyshakespeare", "1.1 MB", "CDLA-Sharing-1.0", "split: "] {
        assert!(text.contains(words), "{words}");
    }
    let output = newleaf().args(["data", "list", "--json"]).assert().success().get_output().clone();
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(manifest["files"].as_array().unwrap().len() >= 15);
}
