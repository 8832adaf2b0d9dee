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
    /// None once it is finished.
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
        let mut sibling = std::ffi::OsString::from(".");
        sibling.push(path.file_name().unwrap_or_default());
        sibling.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(sibling);
        let file = File::create(&temporary).map_err(|source| unwritable(&name, source))?;
        Ok(NewFile { name, path, temporary, file: Some(BufWriter::with_capacity(1 << 18, file)) })
    }

    /// Says before a long computation, and without touching the disk, what [`NewFile::create`] would
    /// refuse after it.
    ///
    /// # Errors
    /// As [`NewFile::create`], except that the permissions are not tried.
    pub fn check(path: impl AsRef<Path>) -> Result<(), DataError> {
        place(path.as_ref()).map(drop)
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
