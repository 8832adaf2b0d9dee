//! A file that appears under its name only when it is complete.

use crate::failure::Failure;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes to a temporary sibling, which [`OutputFile::finish`] renames. Dropped before that, it is removed.
pub(crate) struct OutputFile {
    path: PathBuf,
    temporary: PathBuf,
    /// None once it is finished.
    file: Option<BufWriter<File>>,
}

impl OutputFile {
    /// Begins a file. One that has the name already stays until the new one is complete.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let input = |what: &str| Failure::input(format!("{}: {what}", path.display()));
        let found = match fs::metadata(path) {
            Ok(there) if there.is_dir() => Some("a directory: name a file in it"),
            _ if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                Some("a directory: name a file in it")
            }
            Ok(there) if !there.is_file() => Some("a pipe or device: name a file"), // /dev/null stays what it is
            _ => None,
        };
        if let Some(found) = found {
            return Err(input(&format!("expected the name of a file to write, found {found}")));
        }
        // A link stays one: the file it leads to is replaced.
        let path = &path.canonicalize().unwrap_or_else(|_| path.into());
        let Some(name) = path.file_name() else {
            return Err(input("expected the name of a file to write, found none: name one with --out"));
        };
        let mut sibling = name.to_os_string();
        sibling.push(format!(".tmp.{}", std::process::id()));
        let temporary = path.with_file_name(sibling);
        let file = File::create(&temporary).map_err(|e| {
            input(&format!("cannot be written: {e}: make its directory, or name another file"))
        })?;
        Ok(Self { path: path.into(), temporary, file: Some(BufWriter::with_capacity(1 << 18, file)) })
    }

    /// Makes the file appear under its name, its content safely on the disk.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let file = self.file.take().expect("finished once");
        let written =
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        written.and_then(|()| fs::rename(&self.temporary, &self.path)).map_err(|e| {
            let _ = fs::remove_file(&self.temporary);
            self.failure(&e)
        })
    }

    /// The failure for an error while writing: a full disk.
    pub(crate) fn failure(&self, error: &io::Error) -> Failure {
        Failure::other(format!("{}: cannot be written: {error}", self.path.display()))
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().expect("not finished").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("not finished").flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
