//! Files that appear whole or not at all.

use crate::DataError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written under a temporary name beside its own, and takes its name when it is complete. Dropped before
/// that, it leaves nothing.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("words.txt");
/// let mut file = data::NewFile::create(&path)?;
/// file.put(b"tea\n")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"tea\n");
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    /// As it was given, for messages.
    name: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
    /// None once it is finished.
    file: Option<BufWriter<File>>,
}

impl NewFile {
    /// Begins a file; one that has the name already stays until the new one is complete.
    ///
    /// # Errors
    /// If the path is a directory, a pipe or a device, has no directory to be in, or may not be written.
    pub fn create(path: &Path) -> Result<NewFile, DataError> {
        if let Some((found, remedy)) = no_place_for_a_file(path) {
            return Err(DataError::NoFileToWrite { path: path.into(), found, remedy });
        }
        let name = path.to_path_buf();
        // A link stays one: the file that it leads to is replaced.
        let path = path.canonicalize().unwrap_or(name.clone());
        let mut sibling = std::ffi::OsString::from(".");
        sibling.push(path.file_name().unwrap_or("unnamed".as_ref()));
        sibling.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(sibling);
        let file = File::create(&temporary).map_err(|source| unwritable(&name, source))?;
        let file = Some(BufWriter::with_capacity(1 << 18, file));
        Ok(NewFile { name, path, temporary, file })
    }

    /// Writes bytes. The same as [`Write::write_all`], with an error that names the file.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.write_all(bytes).map_err(|source| self.failure(source))
    }

    /// The error for one of [`Write`].
    #[must_use]
    pub fn failure(&self, source: io::Error) -> DataError {
        unwritable(&self.name, source)
    }

    /// Makes the file appear under its name, its content safely on the disk.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn finish(self) -> Result<(), DataError> {
        self.finish_with(&[])
    }

    /// The same, with `header` in place of as many bytes at the beginning.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn finish_with(mut self, header: &[u8]) -> Result<(), DataError> {
        let file = self.file.take().expect("finished once");
        let written = complete(file, header).and_then(|()| fs::rename(&self.temporary, &self.path));
        written.map_err(|source| {
            let _ = fs::remove_file(&self.temporary); // what went wrong before is what is reported
            self.failure(source)
        })
    }
}

/// What is at a path where no file can be, and what to do.
fn no_place_for_a_file(path: &Path) -> Option<(&'static str, &'static str)> {
    let a_directory = Some(("a directory", "name a file in it"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => a_directory,
        _ if path.as_os_str().as_encoded_bytes().ends_with(b"/") => a_directory,
        Ok(there) if !there.is_file() => Some(("a pipe or device", "name a file")), // /dev/null stays what it is
        _ if path.file_name().is_none() => Some(("no name", "name a file")),
        _ if folder.is_some_and(|folder| !folder.exists()) => {
            Some(("no directory of that name", "make its directory, or name another file"))
        }
        _ => None,
    }
}

/// Everything on the disk, and the file closed: Windows renames no open file.
fn complete(file: BufWriter<File>, header: &[u8]) -> io::Result<()> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !header.is_empty() {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(header)?;
    }
    file.sync_all()
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().expect("not finished").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("not finished").flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary); // nobody waits for an answer
        }
    }
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
        file.put(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let mut file = NewFile::create(&path).unwrap();
        file.put(b"......new").unwrap();
        file.finish_with(b"brand ").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "brand new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn places_where_no_file_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let inside = |name: &str| dir.path().join(name);
        for path in [inside(""), inside("new/"), inside("no/file"), PathBuf::from("/"), PathBuf::new()] {
            assert!(matches!(NewFile::create(&path), Err(DataError::NoFileToWrite { .. })), "{path:?}");
        }
        fs::write(inside("file"), "").unwrap();
        assert!(matches!(NewFile::create(&inside("file/file")), Err(DataError::Unwritable { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = NewFile::create(&link).unwrap();
        file.put(b"new").unwrap();
        file.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }
}
