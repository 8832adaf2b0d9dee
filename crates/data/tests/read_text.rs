//! Reading real files. What the bytes may be is tested beside the code, in src/text.rs.

use data::{DataError, read_text};
use std::fs;

#[test]
fn reads_and_normalises() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    fs::write(&path, b"\xEF\xBB\xBFHello,\r\nworld\r").unwrap();
    assert_eq!(read_text(&path).unwrap(), "Hello,\nworld\n");
}

#[test]
fn a_missing_file_is_named() {
    let error = read_text("no/such/file.txt").unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }));
    assert!(error.to_string().starts_with("no/such/file.txt: no such file: "));
}

#[test]
fn a_directory_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let message = read_text(dir.path()).unwrap_err().to_string();
    assert!(message.contains("expected a text file, found a directory: name one file"), "{message}");
}

#[test]
fn an_empty_file_is_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.txt");
    fs::write(&path, "").unwrap();
    assert!(matches!(read_text(&path), Err(DataError::EmptyFile { .. })));
}

#[cfg(unix)]
#[test]
fn a_device_is_not_waited_for() {
    let message = read_text("/dev/zero").unwrap_err().to_string();
    assert!(message.contains("found a pipe or device: write its content to a file first"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_forbidden_file_is_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret.txt");
    fs::write(&path, "text").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    match read_text(&path) {
        Ok(_) => {} // root may read everything
        Err(error) => {
            assert!(matches!(error, DataError::Unreadable { .. }));
            assert!(error.to_string().contains("check the permissions"));
        }
    }
}

#[cfg(unix)]
#[test]
fn a_component_that_is_no_directory_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "text").unwrap();
    assert!(matches!(read_text(path.join("below.txt")), Err(DataError::Unreadable { .. })));
}
