//! What can be wrong with the directory of a run.

use crate::files::CheckpointError;
use std::path::PathBuf;

/// Why a run cannot begin or go on in a directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunDirError {
    /// A run was begun there before, and has checkpoints.
    #[error(
        "{}: expected a new or empty directory, found another run; go on with it by --resume, or choose another --out",
        path.display()
    )]
    AnotherRun {
        /// The directory.
        path: PathBuf,
    },
    /// A run that left a model, but no checkpoint.
    #[error(
        "{}: expected a new or empty directory, found a run that left no checkpoint to go on from, but a model, \
         {found}/, which would be replaced; choose another --out",
        path.display()
    )]
    OnlyModel {
        /// The directory.
        path: PathBuf,
        /// The model's name in it.
        found: String,
    },
    /// Something else is there.
    #[error(
        "{}: expected a new or empty directory, found {found:?} in it; choose another --out",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A name in it.
        found: String,
    },
    /// No run to go on with.
    #[error(
        "{}: expected the directory of a run (with run.json and checkpoints/), found none; begin one by leaving \
         out --resume, or check the path",
        path.display()
    )]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// Another process is at work there.
    #[error(
        "{}: another process{} is training here; wait for it or stop it, or choose another --out",
        path.display(), numbered(owner)
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process's number, or empty.
        owner: String,
    },
    /// The disk is too full.
    #[error(
        "{}: expected {expected} bytes of free space for checkpoints, found {found}; free some (df -h), or choose \
         another --out",
        path.display()
    )]
    NoSpace {
        /// The directory.
        path: PathBuf,
        /// Bytes needed.
        expected: u64,
        /// Bytes free.
        found: u64,
    },
    /// A file in it.
    #[error(transparent)]
    File(#[from] CheckpointError),
}

fn numbered(owner: &str) -> String {
    if owner.is_empty() { String::new() } else { format!(" (number {owner})") }
}
