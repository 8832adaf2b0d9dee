//! A directory written all or nothing, and read back only if every byte is what was written.
//!
//! [`write_dir`] makes a sibling directory `.newleaf-tmp-PID-NAME`, lists in its file `.newleaf` what it is going to
//! hold, writes each file and waits until it is on disk, writes `manifest.json` (sizes and sha256 of all) last, removes
//! the list, and only then gives the directory its name. An older directory of that name steps aside as
//! `.newleaf-old-PID-NAME` first and is removed at the end, its manifest last, so that at every moment one of the two
//! is there, complete. What a crash leaves behind is put right by [`recover`] at the next start (and by the next
//! [`write_dir`] of that name): only directories of such a name, and only those that hold nothing but what their list
//! or manifest names.
//!
//! One process at a time may write to a directory: a run holds a lock on its own.

pub(crate) use super::contents::{Contents, Files};
pub use super::manifest::{FileEntry, MANIFEST, Manifest, read_dir, sha256, verify_dir};
pub(crate) use super::manifest::{hash_reader, names_in, read_entry, read_file, read_manifest};

use super::fs::{parent_of, sibling, split_sibling};
use super::json;
use super::manifest::{FORMAT, MAX_MANIFEST_BYTES, UNFINISHED, VERSION, exists, hex, is_plain_name};
use super::{CheckpointError, Disk, Fs, io_error};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Counts and hashes what it passes on.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    hasher: Sha256,
    size: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a directory of files durably, replacing an older one of that name that was written in the
/// same way. When it returns `Ok`, the directory survives a power failure; when it fails, what was
/// there before is still there.
///
/// # Errors
/// If the disk is full, read-only or broken, a name is not a plain file name, or the destination
/// holds anything that is not ours.
pub fn write_dir(path: &Path, files: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
    let files: Vec<(&str, &dyn Contents)> =
        files.iter().map(|(name, bytes)| (*name, bytes as &dyn Contents)).collect();
    write_contents(&Disk, path, &files)
}

/// [`write_dir`] of files that need not be in memory as a whole.
pub(crate) fn write_contents(
    fs: &dyn Fs,
    path: &Path,
    files: &[(&str, &dyn Contents)],
) -> Result<(), CheckpointError> {
    check_names(path, files)?;
    let name = path.file_name().ok_or_else(|| CheckpointError::NoName { path: path.to_path_buf() })?;
    // Nobody has to hold a lock here: what a living process is writing is left to it.
    recover_those(fs, &parent_of(path), |pid, of| of == name && !is_alive(pid))?;
    if exists(path) {
        refuse_foreign(path, files)?;
    }
    let temporary = sibling(path, "tmp")?;
    let written = write_files(fs, &temporary, files).and_then(|()| put_in_place(fs, path, &temporary));
    if written.is_err() {
        let _ = remove_tree(fs, &temporary); // the first error is the one to report
    }
    written
}

/// Says before a long work what [`write_dir`] would refuse after it, and leaves nothing.
///
/// # Errors
/// As [`write_dir`]; a directory that [`write_dir`] wrote may have got no other files since.
pub fn check_dir(path: &Path) -> Result<(), CheckpointError> {
    if exists(path) {
        refuse_foreign(path, &[])?;
    }
    probe(path)
}

/// Makes a directory beside a path, and removes it again.
pub(crate) fn probe(path: &Path) -> Result<(), CheckpointError> {
    let probe = sibling(path, "tmp")?;
    Disk.create_dir(&probe).map_err(|source| io_error("make this directory", path, source))?;
    Disk.remove_dir(&probe).map_err(|source| io_error("remove", &probe, source))
}

fn check_names(path: &Path, files: &[(&str, &dyn Contents)]) -> Result<(), CheckpointError> {
    let mut names = BTreeSet::new();
    match files.iter().find(|(name, _)| !is_plain_name(name) || *name == MANIFEST || !names.insert(*name)) {
        None => Ok(()),
        Some((name, _)) => Err(CheckpointError::Format {
            path: path.join(MANIFEST),
            problem: format!("cannot save a file named {name:?}"),
            remedy: "names are made of A-Z a-z 0-9 . _ - and occur once",
        }),
    }
}

fn write_files(
    fs: &dyn Fs,
    temporary: &Path,
    files: &[(&str, &dyn Contents)],
) -> Result<(), CheckpointError> {
    fs.create_dir(temporary).map_err(|source| io_error("make this directory", temporary, source))?;
    let list: String = files.iter().map(|(name, _)| format!("{name}\n")).collect();
    write_one(fs, &temporary.join(UNFINISHED), &list.as_bytes())?;
    let mut manifest = Manifest { format: FORMAT.into(), version: VERSION, files: BTreeMap::new() };
    for (name, contents) in files {
        manifest.files.insert((*name).to_string(), write_one(fs, &temporary.join(name), *contents)?);
    }
    let file = temporary.join(MANIFEST);
    let bytes = json::to_bytes(&manifest).map_err(|error| CheckpointError::Format {
        path: file.clone(),
        problem: error.to_string(),
        remedy: "report this as a bug",
    })?;
    write_one(fs, &file, &bytes)?;
    let list = temporary.join(UNFINISHED);
    fs.remove_file(&list).map_err(|source| io_error("remove", &list, source))?;
    fs.sync_dir(temporary).map_err(|source| io_error("write", temporary, source))
}

/// Writes one file, and returns what the manifest says of it.
fn write_one(fs: &dyn Fs, file: &Path, contents: &dyn Contents) -> Result<FileEntry, CheckpointError> {
    let mut entry = FileEntry { size: 0, sha256: String::new() };
    let mut write = |out: &mut dyn Write| {
        let mut hashing = Hashing { out, hasher: Sha256::new(), size: 0 };
        contents.write_to(&mut hashing)?;
        entry = FileEntry { size: hashing.size, sha256: hex(&hashing.hasher.finalize()) };
        Ok(())
    };
    fs.write_synced(file, &mut write).map_err(|source| io_error("write", file, source))?;
    Ok(entry)
}

/// Gives the finished temporary directory its name.
fn put_in_place(fs: &dyn Fs, path: &Path, temporary: &Path) -> Result<(), CheckpointError> {
    let aside = sibling(path, "old")?;
    let replaces = exists(path);
    if replaces {
        fs.rename(path, &aside).map_err(|source| io_error("move aside", path, source))?;
    }
    let parent = parent_of(path);
    let moved = fs
        .rename(temporary, path)
        .map_err(|source| io_error("rename", temporary, source))
        .and_then(|()| fs.sync_dir(&parent).map_err(|source| io_error("write", &parent, source)));
    if moved.is_err() {
        // Back to how it was, as far as the disk still obeys; recover() does the rest.
        let _ = fs.rename(path, temporary);
        if replaces {
            let _ = fs.rename(&aside, path);
        }
    } else if replaces {
        let _ = remove_tree(fs, &aside); // the new one is safe; recover() removes what is left of the old
    }
    moved
}

/// An error if replacing the directory would delete anything that [`write_dir`] did not write.
fn refuse_foreign(path: &Path, files: &[(&str, &dyn Contents)]) -> Result<(), CheckpointError> {
    let names = names_in(path)?;
    let ours = read_manifest(path).map(|manifest| manifest.files).unwrap_or_default();
    let known =
        |name: &str| name == MANIFEST || ours.contains_key(name) || files.iter().any(|(n, _)| *n == name);
    // Without a manifest it is somebody's directory, whatever the names in it.
    let has_manifest = names.iter().any(|name| name == MANIFEST);
    match names.into_iter().find(|name| !has_manifest || !known(name) || path.join(name).is_dir()) {
        Some(found) => Err(CheckpointError::Foreign { path: path.to_path_buf(), found }),
        None => Ok(()),
    }
}

/// Removes a directory of files, what names the others last: what is half removed does not verify, and can still be
/// told from a directory of somebody else's.
pub(crate) fn remove_tree(fs: &dyn Fs, path: &Path) -> Result<(), CheckpointError> {
    let error = |path: &Path, source| io_error("remove", path, source);
    let (last, first): (Vec<_>, Vec<_>) =
        names_in(path)?.into_iter().partition(|name| name == MANIFEST || name == UNFINISHED);
    for name in first.into_iter().chain(last) {
        let file = path.join(name);
        fs.remove_file(&file).map_err(|source| error(&file, source))?;
    }
    fs.remove_dir(path).map_err(|source| error(path, source))
}

/// Puts right what processes that died while saving left in a directory: half-written `.newleaf-tmp-PID-NAME` are
/// removed, and `.newleaf-old-PID-NAME` gets its name back if NAME is missing. Returns a line for each.
///
/// To be called at the start, by whoever holds the lock on the run: that nobody else is at work is not looked at.
///
/// # Errors
/// If the directory cannot be read or changed.
pub fn recover(parent: &Path) -> Result<Vec<String>, CheckpointError> {
    recover_those(&Disk, parent, |_, _| true)
}

/// [`recover`] for the leftovers that are chosen by their process and the name that they are of.
fn recover_those(
    fs: &dyn Fs,
    parent: &Path,
    chosen: impl Fn(u32, &str) -> bool,
) -> Result<Vec<String>, CheckpointError> {
    let mut done = Vec::new();
    for leftover in names_in(parent)? {
        let Some((kind, _, of)) = split_sibling(&leftover).filter(|&(_, pid, of)| chosen(pid, of)) else {
            continue;
        };
        let (at, path) = (parent.join(&leftover), parent.join(of));
        if !is_ours(&at) {
            continue;
        }
        if kind == "old" && !exists(&path) {
            if verify_dir(&at).is_err() {
                continue; // the only copy, such as it is
            }
            fs.rename(&at, &path).map_err(|source| io_error("rename", &at, source))?;
            fs.sync_dir(parent).map_err(|source| io_error("write", parent, source))?;
            done.push(format!(
                "{}: restored from {leftover}, saving its successor was interrupted",
                path.display()
            ));
        } else {
            remove_tree(fs, &at)?;
            done.push(format!("{}: removed, saving was interrupted", at.display()));
        }
    }
    Ok(done)
}

/// Whether something is a directory that holds nothing but files that its list or its manifest names.
fn is_ours(path: &Path) -> bool {
    let is = |path: &Path, wanted: fn(&fs::FileType) -> bool| {
        path.symlink_metadata().is_ok_and(|found| wanted(&found.file_type()))
    };
    if !is(path, fs::FileType::is_dir) {
        return false;
    }
    let Ok(names) = names_in(path) else { return false };
    let list = read_file(&path.join(UNFINISHED), MAX_MANIFEST_BYTES).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let manifest = read_manifest(path).map(|manifest| manifest.files).unwrap_or_default();
    names.iter().all(|name| {
        let known = name == MANIFEST || name == UNFINISHED || manifest.contains_key(name);
        (known || list.lines().any(|line| line == name)) && is(&path.join(name), fs::FileType::is_file)
    })
}

/// Whether another process of this number runs. Our own number on a leftover is that of a
/// predecessor (in a container each start has the same).
fn is_alive(pid: u32) -> bool {
    pid != std::process::id()
        && Path::new("/proc/self").exists()
        && Path::new(&format!("/proc/{pid}")).exists()
}

/// Where to read a directory: its path or, in the moment in which it is being replaced, the older
/// one that stepped aside.
#[must_use]
pub fn resolve(path: &Path) -> PathBuf {
    if exists(path) {
        return path.to_path_buf();
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = names_in(&parent_of(path)).unwrap_or_default();
    let aside =
        names.iter().find(|n| split_sibling(n).is_some_and(|(kind, _, of)| of == name && kind == "old"));
    aside.map_or_else(|| path.to_path_buf(), |aside| path.with_file_name(aside))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
