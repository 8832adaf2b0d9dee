//! What a directory says of itself, and whether it is true: `manifest.json` with the sizes and sha256 of all other files.

use super::memory::Memory;
use super::{CheckpointError, io_error, json};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The file with sizes and checksums of the others.
pub const MANIFEST: &str = "manifest.json";

/// The file of an unfinished directory that lists the names of the others, one a line.
pub(super) const UNFINISHED: &str = ".newleaf";

pub(super) const FORMAT: &str = "newleaf-directory";
pub(super) const VERSION: u32 = 1;
/// A manifest lists a handful of files.
pub(super) const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The contents of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: String,
    pub(super) version: u32,
    /// Size and checksum of every other file, by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// One file, as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Bytes.
    pub size: u64,
    /// Of the contents, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// The sha256 of some bytes in lower-case hexadecimal digits.
///
/// ```
/// assert!(gpt::files::store::sha256(b"abc").starts_with("ba7816bf8f01cfea"));
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The names in a directory, sorted.
pub(crate) fn names_in(path: &Path) -> Result<Vec<String>, CheckpointError> {
    let list = |path: &Path| -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    list(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotADirectory => CheckpointError::WrongKind {
            path: path.to_path_buf(),
            expected: "a directory",
            remedy: "give the directory, not a file in it",
        },
        _ => io_error("read this directory", path, source),
    })
}

/// Whether a name is a file name and nothing else: no separators, no `..`, nothing invisible.
pub(super) fn is_plain_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 128 && name.chars().all(allowed) && !name.starts_with('.')
}

/// Checks every file of a directory against its manifest.
///
/// # Errors
/// The first file that is missing, of another size, of another sha256, or not listed.
pub fn verify_dir(path: &Path) -> Result<Manifest, CheckpointError> {
    let manifest = read_manifest(path)?;
    for (name, entry) in &manifest.files {
        let file = path.join(name);
        let (hash, size) = hash_file(&file, entry)?;
        check_entry(&file, entry, size, hash)?;
    }
    refuse_extra(path, &manifest)?;
    Ok(manifest)
}

/// All files of a directory, the manifest left out, if every one is what the manifest says. The bytes
/// that were hashed are the bytes that are returned.
///
/// # Errors
/// As [`verify_dir`].
pub fn read_dir(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, CheckpointError> {
    let manifest = read_manifest(path)?;
    let mut files = BTreeMap::new();
    for (name, entry) in &manifest.files {
        files.insert(name.clone(), read_entry(&path.join(name), entry)?);
    }
    refuse_extra(path, &manifest)?;
    Ok(files)
}

/// One file of a manifest, read and compared with it.
pub(crate) fn read_entry(file: &Path, entry: &FileEntry) -> Result<Vec<u8>, CheckpointError> {
    check_size(file, entry)?;
    let bytes = read_file(file, entry.size)?;
    check_entry(file, entry, bytes.len() as u64, sha256(&bytes))?;
    Ok(bytes)
}

fn refuse_extra(path: &Path, manifest: &Manifest) -> Result<(), CheckpointError> {
    let extra = |name: &String| name != MANIFEST && !manifest.files.contains_key(name);
    match names_in(path)?.into_iter().find(extra) {
        Some(name) => Err(CheckpointError::Extra { path: path.join(name) }),
        None => Ok(()),
    }
}

/// The manifest of a directory.
pub(crate) fn read_manifest(path: &Path) -> Result<Manifest, CheckpointError> {
    names_in(path)?; // a missing directory is said to be missing, not its manifest
    let file = path.join(MANIFEST);
    let bytes = read_file(&file, MAX_MANIFEST_BYTES)?;
    let invalid =
        |problem: String| CheckpointError::Format { path: file.clone(), problem, remedy: "use another copy" };
    let manifest: Manifest = json::parse(&bytes).map_err(|error| invalid(format!("damaged: {error}")))?;
    if manifest.format != FORMAT {
        return Err(invalid(format!("expected the format {FORMAT:?}, found {:?}", manifest.format)));
    }
    if manifest.version != VERSION {
        let version = manifest.version;
        return Err(invalid(format!(
            "expected version {VERSION}, found {version}: written by another newleaf"
        )));
    }
    if let Some(name) = manifest.files.keys().find(|name| !is_plain_name(name)) {
        return Err(invalid(format!("damaged: lists a file named {name:?}")));
    }
    // The one file without a checksum is checked by writing it again: any changed byte shows.
    if json::to_bytes(&manifest).is_ok_and(|written| written != bytes) {
        return Err(invalid("damaged: not as newleaf writes it".into()));
    }
    Ok(manifest)
}

fn check_entry(file: &Path, entry: &FileEntry, size: u64, hash: String) -> Result<(), CheckpointError> {
    let path = file.to_path_buf();
    if size != entry.size {
        return Err(CheckpointError::Size { path, expected: entry.size, found: size });
    }
    if hash != entry.sha256 {
        return Err(CheckpointError::Sha256 { path, expected: entry.sha256.clone(), found: hash });
    }
    Ok(())
}

/// The size on disk, compared before anything is read.
fn check_size(file: &Path, entry: &FileEntry) -> Result<(), CheckpointError> {
    let found = regular_size(file)?;
    match found == entry.size {
        true => Ok(()),
        false => Err(CheckpointError::Size { path: file.to_path_buf(), expected: entry.size, found }),
    }
}

/// The size of a file, which must be one: opening a pipe would wait for ever.
fn regular_size(file: &Path) -> Result<u64, CheckpointError> {
    let path = file.to_path_buf();
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(_) => Err(CheckpointError::WrongKind { path, expected: "a file", remedy: "use another copy" }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(CheckpointError::Missing { path, remedy: "the directory is incomplete, use another copy" })
        }
        Err(source) => Err(io_error("read", file, source)),
    }
}

/// A whole file, if it has at most `limit` bytes. No mmap: a file cut off meanwhile is an error, not
/// a SIGBUS.
pub(crate) fn read_file(file: &Path, limit: u64) -> Result<Vec<u8>, CheckpointError> {
    regular_size(file)?; // before it is opened: a pipe would wait for ever
    let unreadable = |source| io_error("read", file, source);
    let opened = File::open(file).map_err(unreadable)?;
    // The length of what was opened: the name may be another file's by now, for whoever writes replaces whole files.
    let found = opened.metadata().map_err(unreadable)?.len();
    let too_large = |limit| CheckpointError::TooLarge { path: file.to_path_buf(), limit, found };
    let limit = limit.min(Memory::now().total.unwrap_or(u64::MAX));
    if found > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    // A sparse file can claim any size: ask for the memory rather than die without it.
    let room = usize::try_from(found).map_err(|_| too_large(usize::MAX as u64))?;
    bytes.try_reserve_exact(room).map_err(|_| too_large(isize::MAX as u64))?;
    opened.take(found).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn hash_file(file: &Path, entry: &FileEntry) -> Result<(String, u64), CheckpointError> {
    check_size(file, entry)?;
    File::open(file).and_then(hash_reader).map_err(|source| io_error("read", file, source))
}

/// sha256 and length of what is left to read.
pub(crate) fn hash_reader(mut from: impl Read) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((hex(&hasher.finalize()), size)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
