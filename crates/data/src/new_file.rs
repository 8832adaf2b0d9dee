//! Files that appear whole or not at all.

use crate::DataError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written under a temporary name beside its own, and takes its name when it is complete
/// ([`NewFile::finish`]). Dropped before that, it leaves nothing.
///
/// ```
/// use data::NewFile;
/// use std::io::Write;
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("a.txt");
/// let mut file = NewFile::create(&path)?;
/// writeln!(file, "all of it").map_err(|e| file.unwritable(e))?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert!(path.exists());
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    /// As it was given: for messages.
    name: PathBuf,
    /// Where it goes: what a link leads to.
    path: PathBuf,
    temporary: PathBuf,
    /// None once it is finished. It is locked as long as its process lives, so that another knows what was left behind.
    file: Option<BufWriter<File>>,
}

impl NewFile {
    /// Begins a file. One that has the name already stays until the new one is complete.
    ///
    /// # Errors
    /// If no file can have the name: it is that of a directory, a pipe or a device, or its directory is not
    /// there or may not be written.
    pub fn create(path: impl AsRef<Path>) -> Result<NewFile, DataError> {
        let name = path.as_ref().to_path_buf();
        let path = place(&name)?;
        remove_leftovers(&path);
        let temporary = sibling(&path);
        let file = File::create(&temporary).map_err(|source| unwritable(&name, source))?;
        let _ = file.try_lock(); // where files cannot be locked, what is left behind stays
        if let Ok(there) = fs::metadata(&path) {
            // A file that others may not read stays so.
            file.set_permissions(there.permissions()).map_err(|source| unwritable(&name, source))?;
        }
        Ok(NewFile { name, path, temporary, file: Some(BufWriter::with_capacity(1 << 18, file)) })
    }

    /// Says before a long computation what [`NewFile::create`] would refuse after it, and leaves nothing.
    ///
    /// # Errors
    /// As [`NewFile::create`].
    pub fn check(path: impl AsRef<Path>) -> Result<(), DataError> {
        Self::create(path).map(drop)
    }

    /// Puts the file in its place, its content safely on the disk.
    ///
    /// # Errors
    /// If the disk is full or fails. Then nothing is left of it.
    pub fn finish(self) -> Result<(), DataError> {
        self.finish_with_header(b"")
    }

    /// Puts `header` over the first bytes, and the file in its place: for a header that is known only at
    /// the end.
    ///
    /// # Errors
    /// As [`NewFile::finish`].
    pub fn finish_with_header(mut self, header: &[u8]) -> Result<(), DataError> {
        let written = self.file.take().ok_or_else(finished).and_then(|file| complete(file, header));
        written
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .and_then(|()| sync_folder(&self.path))
            .map_err(|source| self.unwritable(source))
    }

    /// The error of this file for one of its [`Write`], which does not know the path.
    pub fn unwritable(&self, source: io::Error) -> DataError {
        unwritable(&self.name, source)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().ok_or_else(finished)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().ok_or_else(finished)?.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        drop(self.file.take()); // Windows removes no open file
        let _ = fs::remove_file(&self.temporary); // not there if the file was finished
    }
}

/// A hidden name beside a path, for what becomes it.
pub(crate) fn sibling(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Removes what killed processes left of this path: names of [`sibling`], files that nobody holds a lock on, and
/// directories with nothing but such files in them.
pub(crate) fn remove_leftovers(path: &Path) {
    let (Some(folder), Some(name)) = (folder_of(path), path.file_name()) else { return };
    let prefix = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".tmp"));
        if number.is_none_or(|number| number.is_empty() || number.bytes().any(|byte| !byte.is_ascii_digit()))
        {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let files: Vec<_> =
                fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()).collect();
            // One that is empty may have been made this moment.
            if !files.is_empty() && files.iter().all(|file| is_abandoned(file)) {
                let _ = fs::remove_dir_all(path);
            }
        } else if is_abandoned(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns true if it is a file and no living process writes it.
fn is_abandoned(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    is_file && File::options().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// The folder in which a path is.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// A new name is on the disk when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match folder_of(path) {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()), // elsewhere a folder cannot be opened
    }
}

/// Where the file with this name goes.
fn place(path: &Path) -> Result<PathBuf, DataError> {
    const DIRECTORY: (&str, &str) = ("a directory", "name a file in it");
    let there = fs::metadata(path);
    let ends_with_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let refused = match there {
        Ok(there) if there.is_dir() => Some(DIRECTORY),
        _ if ends_with_slash => Some(DIRECTORY),
        Ok(there) if !there.is_file() => Some(("a pipe or device", "name a file")), // /dev/null stays what it is
        _ if path.file_name().is_none() => Some(("none", "name one")),
        _ => None,
    };
    if let Some((found, remedy)) = refused {
        return Err(DataError::Malformed {
            what: path.display().to_string(),
            place: String::new(),
            found: found.into(),
            expected: "the name of a file to write".into(),
            remedy: remedy.into(),
        });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(Err(source)) = folder.map(fs::metadata) {
        return Err(unwritable(path, source));
    }
    // A link stays one: the file that it leads to is replaced.
    Ok(path.canonicalize().unwrap_or_else(|_| path.into()))
}

/// Everything on the disk, and the file closed: Windows renames no open file.
fn complete(file: BufWriter<File>, header: &[u8]) -> io::Result<()> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    file.sync_all()
}

/// Cannot happen, as finishing takes the file away; and if it could, it would be an error and no panic.
fn finished() -> io::Error {
    io::Error::other("the file is finished")
}

pub(crate) fn unwritable(path: &Path, source: io::Error) -> DataError {
    DataError::Unwritable { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_an_unfinished_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"......new").unwrap();
        file.finish_with_header(b"brand ").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "brand new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn places_where_no_file_can_be() {
        let dir = tempfile::tempdir().unwrap();
        for (path, words) in [
            (dir.path().to_path_buf(), "found a directory: name a file in it"),
            (dir.path().join("new/"), "found a directory: name a file in it"),
            (PathBuf::from("/"), "found a directory"),
            (PathBuf::from(""), "found none: name one"),
            (dir.path().join("no/file"), "cannot be written"),
        ] {
            for result in [NewFile::create(&path).map(drop), NewFile::check(&path)] {
                let message = result.unwrap_err().to_string();
                assert!(message.contains(words), "{path:?}: {message}");
            }
        }
        let message = NewFile::check(dir.path().join("no/file")).unwrap_err().to_string();
        assert!(message.contains("make its directory"), "{message}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    /// What a killed process left of the same name goes; what a living one writes, and what only looks alike, stays.
    #[test]
    fn leftovers_of_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let names = |names: &[&str]| names.iter().map(|name| dir.path().join(name)).collect::<Vec<_>>();
        let (gone, kept) = (
            names(&[".a.txt.1.tmp", ".a.txt.77.tmp"]),
            names(&[".a.txt.x.tmp", ".a.txt..tmp", ".b.txt.1.tmp", "a.txt.1.tmp"]),
        );
        gone.iter().chain(&kept).for_each(|path| fs::write(path, "x").unwrap());
        let (dead, empty) = (dir.path().join(".a.txt.2.tmp"), dir.path().join(".a.txt.3.tmp"));
        [&dead, &empty].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        fs::write(dead.join(".part.2.tmp"), "x").unwrap();
        let living = NewFile::create(&path).unwrap();
        let temporary = living.temporary.clone();
        remove_leftovers(&path);
        assert!(temporary.exists() && empty.exists() && kept.iter().all(|path| path.exists()));
        assert!(!dead.exists() && gone.iter().all(|path| !path.exists()));
        living.finish().unwrap();
        assert!(path.exists() && !temporary.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        NewFile::create(&path).unwrap().finish().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let (link, file) = (dir.path().join("link"), dir.path().join("file"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut new = NewFile::create(&link).unwrap();
        new.write_all(b"new").unwrap();
        new.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let message = NewFile::create("/dev/null").unwrap_err().to_string();
        assert!(message.contains("found a pipe or device: name a file"), "{message}");
    }
}
