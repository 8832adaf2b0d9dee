//! The list of public data files: where each is, what it must be, and what may be done with it.

use crate::DataError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::{self, Read};

/// The files that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What this is, for who opens the file.
    pub about: String,
    /// The files.
    pub files: Vec<PublicFile>,
}

/// A file that others publish, and that is downloaded from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicFile {
    /// What to call it: lower case, digits, `-`, `.` and `_`.
    pub name: String,
    /// Its file name on the user's disk.
    pub file: String,
    /// Where it is published.
    pub url: String,
    /// Its size, if it is known.
    pub bytes: Option<u64>,
    /// Its SHA-256 in lower-case hexadecimal; `null` for a file that its publisher changes.
    pub sha256: Option<String>,
    /// What may be done with it, as its publisher says.
    pub licence: String,
    /// How it is divided into parts for training and testing.
    pub split: String,
    /// What is in it, and what to know.
    pub notes: String,
}

impl Manifest {
    /// Reads and checks a manifest; `source` names it in messages.
    ///
    /// # Errors
    /// If it is no JSON of this form, a name is there twice or has odd characters (a file name with a
    /// path in it could write anywhere), or a URL or SHA-256 is none.
    pub fn from_json(json: &str, source: &str) -> Result<Manifest, DataError> {
        let malformed = |place: String, found: String, expected: &str| DataError::Malformed {
            what: source.into(),
            place,
            found,
            expected: expected.into(),
            remedy: "correct the manifest; datasets/manifest.json is an example".into(),
        };
        let manifest: Manifest = serde_json::from_str(json).map_err(|e| {
            malformed(format!("line {}", e.line()), e.to_string(), "a manifest of data files")
        })?;
        let mut seen = BTreeSet::new();
        for (i, file) in (1..).zip(&manifest.files) {
            if let Some((found, expected)) = file.mistake() {
                return Err(malformed(format!("file {i}"), found, expected));
            }
            // Names that differ in case alone are one file on some systems.
            for name in [&file.name, &file.file.to_ascii_lowercase()].into_iter().collect::<BTreeSet<_>>() {
                if !seen.insert(name.clone()) {
                    return Err(malformed(format!("file {i}"), format!("{name} again"), "each name once"));
                }
            }
        }
        Ok(manifest)
    }

    /// The file of this name.
    ///
    /// # Errors
    /// If there is none; the message lists the names.
    pub fn get(&self, name: &str) -> Result<&PublicFile, DataError> {
        self.files.iter().find(|file| file.name == name).ok_or_else(|| DataError::Malformed {
            what: "the manifest".into(),
            place: String::new(),
            found: format!("no file {name:?}"),
            expected: format!(
                "one of {}",
                self.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
            ),
            remedy: "see what there is with: newleaf data list".into(),
        })
    }
}

impl PublicFile {
    /// What is wrong with it: (what was found, what was expected).
    fn mistake(&self) -> Option<(String, &'static str)> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_plain =
            |name: &str| !name.is_empty() && !name.starts_with(['.', '-']) && name.chars().all(plain);
        if !is_plain(&self.name) || self.name.chars().any(|c| c.is_ascii_uppercase()) {
            return Some((format!("the name {:?}", self.name), "lower-case letters, digits, - . and _"));
        }
        if !is_plain(&self.file) {
            return Some((format!("the file name {:?}", self.file), "letters, digits, - . and _"));
        }
        let printable = self.url.bytes().all(|b| (0x21..0x7f).contains(&b));
        if !(printable && (self.url.starts_with("https://") || self.url.starts_with("http://"))) {
            return Some((format!("the URL {:?}", self.url), "an https URL"));
        }
        if self.bytes == Some(0) {
            return Some(("0 bytes".into(), "its size, or null"));
        }
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match &self.sha256 {
            Some(sha256) if sha256.len() != 64 || !sha256.chars().all(hex) => {
                Some((format!("the SHA-256 {sha256:?}"), "64 lower-case hexadecimal digits, or null"))
            }
            _ => None,
        }
    }
}

/// SHA-256 in lower-case hexadecimal of whatever comes out of a reader, and how many bytes came.
///
/// ```
/// let (sha256, bytes) = data::dataset::sha256_of(&b"abc"[..], &mut |_| ()).unwrap();
/// assert!(sha256.starts_with("ba7816bf") && bytes == 3); // FIPS 180-4's example
/// ```
///
/// # Errors
/// If reading fails.
pub fn sha256_of(mut from: impl Read, progress: &mut dyn FnMut(u64)) -> io::Result<(String, u64)> {
    let (mut sha256, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((hex(&sha256.finalize()), bytes)),
            Ok(n) => {
                sha256.update(&buffer[..n]);
                bytes += n as u64;
                progress(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}
