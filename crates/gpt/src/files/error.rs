//! What can go wrong with files of ours, said so that it can be repaired.

use super::TensorsError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a directory of ours could not be written or read. Each message names the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The operating system refused or failed.
    #[error("{}: cannot {action}: {source}; {remedy}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A path that cannot be the name of a directory, such as `/` or `..`.
    #[error("{}: expected the path of a directory to be written, with a name of its own", path.display())]
    NoName {
        /// The path as it was given.
        path: PathBuf,
    },
    /// Something else than a directory, or than a file in it.
    #[error("{}: expected {expected}, found something else; {remedy}", path.display())]
    WrongKind {
        /// Where.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A directory that is to be replaced but holds what we did not write.
    #[error(
        "{}: expected a directory written by newleaf, to be replaced, but found {found:?} in it, which would \
         be lost; move it away or choose another directory",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A name in it.
        found: String,
    },
    /// A file that should be there is not.
    #[error("{}: expected this file, found none; {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that the manifest does not list.
    #[error("{}: not in manifest.json; remove it, or the directory is not what was saved", path.display())]
    Extra {
        /// The file.
        path: PathBuf,
    },
    /// A file with another number of bytes than the manifest says: cut off, or written to.
    #[error("{}: damaged: expected {expected} bytes, found {found}; {DAMAGED}", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// A file whose contents are not those that were saved.
    #[error("{}: damaged: expected sha256 {expected}, found {found}; {DAMAGED}", path.display())]
    Sha256 {
        /// The file.
        path: PathBuf,
        /// Hash by the manifest.
        expected: String,
        /// Hash of what is on disk.
        found: String,
    },
    /// A file larger than it can rightly be, or than fits into memory; not read.
    #[error("{}: expected at most {limit} bytes, found {found}; this is not a file written by newleaf", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// A file whose contents do not have the form they should have.
    #[error("{}: {problem}; {remedy}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column for JSON.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file of tensors that cannot be used.
    #[error("{}: {source}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TensorsError,
    },
    /// A run without any checkpoint.
    #[error("{}: no checkpoint here, nothing to go on from; begin anew by leaving out --resume", path.display())]
    NoCheckpoint {
        /// The directory of checkpoints.
        path: PathBuf,
    },
    /// A run none of whose checkpoints can be read.
    #[error(
        "{}: none of the {} checkpoints can be used:\n{}\nrestore one from a copy, or begin a new run",
        path.display(), problems.len(), problems.join("\n")
    )]
    NoneVerified {
        /// The directory of checkpoints.
        path: PathBuf,
        /// What is wrong with each, the newest first.
        problems: Vec<String>,
    },
}

const DAMAGED: &str = "use another copy";

/// An [`CheckpointError::Io`] with the remedy for its cause.
pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> CheckpointError {
    use io::ErrorKind as Kind;
    let remedy = match source.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => "free some space on this disk (df -h)",
        Kind::PermissionDenied => "check the owner and permissions of the directory (ls -ld)",
        Kind::ReadOnlyFilesystem => "choose a directory on a disk that can be written",
        Kind::NotFound => "check the spelling of the path",
        Kind::NotADirectory => "a part of this path is a file: choose another",
        Kind::FileTooLarge => "raise the limit on file sizes (ulimit -f)",
        _ => "check the disk (dmesg shows its errors)",
    };
    CheckpointError::Io { action, path: path.to_path_buf(), source, remedy }
}
