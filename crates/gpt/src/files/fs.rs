//! The few operations on disk that saving is made of. A trait, so that tests can fail or "crash" at
//! each of them.

use super::{CheckpointError, io_error};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the names of unfinished files and directories begin with.
const LEFTOVER: &str = ".newleaf-";

/// What writes a file's contents into it, once.
pub(crate) type WriteInto<'a> = dyn FnMut(&mut dyn Write) -> io::Result<()> + 'a;

/// What saving does to a disk.
pub(crate) trait Fs {
    /// Makes a directory, mode 0777 less the umask. It must not exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a file, mode 0666 less the umask, writes it and waits until it is on disk. It must not exist.
    fn write_synced(&self, path: &Path, write: &mut WriteInto<'_>) -> io::Result<()>;
    /// Waits until the names in a directory are on disk.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Gives a file or directory another name in the same parent.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
pub(crate) struct Disk;

impl Fs for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn write_synced(&self, path: &Path, write: &mut WriteInto<'_>) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        write(&mut file)?;
        // Once only: after a failed fsync the kernel may have dropped the data, and a second call
        // would report success.
        file.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Windows cannot open a directory as a file; its renames are durable without.
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}

/// Writes one file all or nothing, replacing what is there: temporary sibling, fsync, rename, fsync
/// of the parent.
///
/// # Errors
/// [`CheckpointError::Io`]; what was there is then as before.
pub(crate) fn write_file(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let temporary = sibling(path, "tmp")?;
    let _ = fs.remove_file(&temporary); // of an earlier process with our number
    let written = fs
        .write_synced(&temporary, &mut |out| out.write_all(bytes))
        .and_then(|()| fs.rename(&temporary, path));
    if let Err(source) = written {
        let _ = fs.remove_file(&temporary);
        return Err(io_error("write", path, source));
    }
    let parent = parent_of(path);
    fs.sync_dir(&parent).map_err(|source| io_error("write", &parent, source))
}

/// `.newleaf-KIND-PID-NAME` beside NAME: on the same disk, so that renaming is atomic, and a name that nobody else uses.
pub(crate) fn sibling(path: &Path, kind: &str) -> Result<PathBuf, CheckpointError> {
    let Some(name) = path.file_name() else {
        return Err(CheckpointError::NoName { path: path.to_path_buf() });
    };
    let mut sibling = OsString::from(format!("{LEFTOVER}{kind}-{}-", std::process::id()));
    sibling.push(name);
    Ok(path.with_file_name(sibling))
}

/// The name of a [`sibling`] in its parts: kind, process, and the name that it is of.
pub(crate) fn split_sibling(name: &str) -> Option<(&str, u32, &str)> {
    let (kind, rest) = name.strip_prefix(LEFTOVER)?.split_once('-')?;
    let (pid, of) = rest.split_once('-')?;
    let known = matches!(kind, "tmp" | "old") && !of.is_empty();
    known.then_some((kind, pid.parse().ok()?, of))
}

/// Makes a directory and those that it is in, so that they survive a power failure: each name is on disk before the next.
///
/// # Errors
/// [`CheckpointError::Io`].
pub(crate) fn create_dirs(fs: &dyn Fs, path: &Path) -> Result<(), CheckpointError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    create_dirs(fs, &parent)?;
    match fs.create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()), // made meanwhile
        made => made.and_then(|()| fs.sync_dir(&parent)),
    }
    .map_err(|source| io_error("make this directory", path, source))
}

/// The directory that a path is in.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
