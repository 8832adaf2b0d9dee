//! The programs of the measurements from outside.

use std::process::{Command, Stdio};

/// Numbers of other instructions than those that were asked for would be taken for theirs.
#[test]
fn instructions_that_do_not_exist_are_refused() {
    let mut peer = Command::new(env!("CARGO_BIN_EXE_peer"));
    let output = peer.env("NEWLEAF_SIMD", "avx3").stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.starts_with("error: NEWLEAF_SIMD=avx3: expected one of ") && errors.contains("scalar"),
        "{errors}"
    );
}
