//! Files that appear whole or not at all.

use crate::DataError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written under a temporary name beside its own, and takes its name when it is complete.
/// Dropped before that, it leaves nothing.
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
}

impl NewFile {
    /// Begins a file; one that has the name already stays until the new one is complete.
    pub(crate) fn create(path: &Path) -> Result<NewFile, DataError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or("unnamed".as_ref()));
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let refused = |source| unwritable(path, source);
        if path.is_dir() || path.file_name().is_none() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        let file = File::create(&temporary).map_err(refused)?;
        let file = Some(BufWriter::with_capacity(1 << 20, file));
        Ok(NewFile { path: path.into(), temporary, file })
    }

    /// Writes bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let path = &self.path;
        let file = self.file.as_mut().expect("open until it is finished");
        file.write_all(bytes).map_err(|source| unwritable(path, source))
    }

    /// Puts `header` in place of the first bytes, and the file in place.
    pub(crate) fn finish(mut self, header: &[u8]) -> Result<(), DataError> {
        let file = self.file.take().expect("open until it is finished");
        let written = complete(file, header).and_then(|()| fs::rename(&self.temporary, &self.path));
        written.map_err(|source| unwritable(&self.path, source))
    }
}

/// Everything on the disk, and the file closed: Windows renames no open file.
fn complete(file: BufWriter<File>, header: &[u8]) -> io::Result<()> {
    let mut file = file.into_inner().map_err(|e| e.into_error())?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    file.sync_all()
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.file.take();
        let _ = fs::remove_file(&self.temporary); // not there if the file was finished
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
        file.write(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let mut file = NewFile::create(&path).unwrap();
        file.write(b"......new").unwrap();
        file.finish(b"brand ").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "brand new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn places_where_no_file_can_be() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_path_buf(), dir.path().join("no/file"), PathBuf::from("/")] {
            assert!(matches!(NewFile::create(&path), Err(DataError::Unwritable { .. })), "{path:?}");
        }
    }
}
