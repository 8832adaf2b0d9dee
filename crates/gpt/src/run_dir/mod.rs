//! The directory of a training run: one run, one process at a time.
//!
//! | Path | Contents |
//! |---|---|
//! | `run.json` | [`RunInfo`]: what was run, on what data, on which machine |
//! | `metrics.jsonl` | [`Metrics`], one object a line |
//! | `samples.txt` | texts written along the way ([`Sample`]) |
//! | `checkpoints/step-N/` | [`crate::train::History`] |
//! | `best/`, `last/` | model directories ([`crate::formats`]) |
//! | `report.html` | a page about all this, if `newleaf report` was asked for it |
//! | `run.lock` | locked by the process that trains |

mod error;
mod info;
mod metrics;
mod samples;

pub use error::RunDirError;
pub use info::{BaseInfo, DataInfo, Estimate, RunInfo, RunOutcome, percent_over};
pub use metrics::{Dropped, Metrics};
pub use samples::Sample;

use crate::files::json;
use crate::files::{CheckpointError, Disk, Fs, create_dirs, io_error, split_sibling, store, write_file};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const INFO: &str = "run.json";
const BEST: &str = "best";
const LAST: &str = "last";
const LOCK: &str = "run.lock";
const METRICS: &str = "metrics.jsonl";
const SAMPLES: &str = "samples.txt";
const REPORT: &str = "report.html";
const CHECKPOINTS: &str = "checkpoints";
const MAX_INFO_BYTES: u64 = 1 << 20;

impl RunInfo {
    /// Reads the `run.json` of a run's directory, which another process may be training in.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn read(run: &Path) -> Result<Self, RunDirError> {
        let path = run.join(INFO);
        let bytes = store::read_file(&path, MAX_INFO_BYTES)?;
        let info: Self = json::parse(&bytes).map_err(|error| invalid(&path, &error))?;
        info.config.validate().map_err(|error| invalid(&path, &error))?;
        Ok(info)
    }
}

/// The directory of a run, locked until this is dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held for its lock. The system gives it back when the process ends, however it ends.
    _lock: File,
    metrics: Option<File>,
    recovered: Vec<String>,
}

impl RunDir {
    /// Begins a run in a directory that is new or empty, or holds nothing but what a run left that died before its first
    /// checkpoint: its logs are removed, and its `run.json` is to be replaced.
    ///
    /// # Errors
    /// If the directory holds another run or anything else, cannot be written, or is being used.
    pub fn create(path: &Path) -> Result<Self, RunDirError> {
        refuse_used(path)?; // before anything is written there
        create_dirs(&Disk, path)?;
        let lock = lock(path)?;
        let recovered = recover(path)?;
        refuse_used(path)?; // another process may have been quicker
        for name in [METRICS, SAMPLES] {
            let at = path.join(name);
            match fs::remove_file(&at) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(io_error("remove", &at, source).into());
                }
                _ => {}
            }
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock, metrics: None, recovered })
    }

    /// An error if a run could not begin in a directory, which stays as it is: better before a long work than after it.
    ///
    /// # Errors
    /// As [`RunDir::create`].
    pub fn check(path: &Path) -> Result<(), RunDirError> {
        refuse_used(path)?;
        if path.join(LOCK).exists() {
            lock(path)?; // which may be another process's
        }
        let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        Ok(store::probe(&existing.join("run"))?)
    }

    /// The run whose `best`, `last` or one of whose checkpoints a path is: not for others to replace.
    #[must_use]
    pub fn of(path: &Path) -> Option<PathBuf> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let (parent, name) = (path.parent()?, path.file_name()?);
        let run = match name == BEST || name == LAST {
            true => parent,
            false => parent.parent().filter(|_| parent.ends_with(CHECKPOINTS))?,
        };
        run.join(INFO).is_file().then(|| run.to_path_buf())
    }

    /// Goes on with a run, after putting right what a crash left behind.
    ///
    /// # Errors
    /// If there is no run in the directory, it cannot be written, or it is being used.
    pub fn open_for_resume(path: &Path) -> Result<Self, RunDirError> {
        if !path.join(INFO).is_file() || !path.join(CHECKPOINTS).is_dir() {
            return Err(RunDirError::NotARun { path: path.to_path_buf() });
        }
        let lock = lock(path)?;
        let recovered = recover(path)?;
        Ok(Self { path: path.to_path_buf(), _lock: lock, metrics: None, recovered })
    }

    /// What had to be put right, a line each.
    #[must_use]
    pub fn recovered(&self) -> &[String] {
        &self.recovered
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `best/`: the model with the lowest validation loss.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// `last/`: the model at the end.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// `checkpoints/`: what the run can go on from.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// An error if the disk has less free space than `bytes`: better before the first iteration than
    /// after the last. Two checkpoints and one being written need three times the size of one.
    ///
    /// # Errors
    /// [`RunDirError::NoSpace`].
    pub fn require_space(&self, bytes: u64) -> Result<(), RunDirError> {
        match free_space(&self.path) {
            Some(found) if found < bytes => {
                Err(RunDirError::NoSpace { path: self.path.clone(), expected: bytes, found })
            }
            _ => Ok(()), // a system that does not tell is no reason to refuse
        }
    }

    /// Waits until the lines of `metrics.jsonl` and the texts of `samples.txt` are on disk: a checkpoint relies on them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync_logs(&self) -> Result<(), RunDirError> {
        let logs = [METRICS, SAMPLES].map(|name| self.path.join(name));
        for path in logs.iter().filter(|path| path.is_file()) {
            let synced = File::options().append(true).open(path).and_then(|file| file.sync_all());
            synced.map_err(|source| io_error("write", path, source))?;
        }
        Ok(Disk.sync_dir(&self.path).map_err(|source| io_error("write", &self.path, source))?)
    }

    /// Writes `run.json` durably.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_info(&self, info: &RunInfo) -> Result<(), RunDirError> {
        let path = self.path.join(INFO);
        let bytes = json::to_bytes(info).map_err(|error| invalid(&path, &error))?;
        Ok(write_file(&Disk, &path, &bytes)?)
    }

    /// Adds to `run.json` how the run ended; answers how wrong its plan was, if it had one.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn write_outcome(&self, outcome: RunOutcome) -> Result<Option<String>, RunDirError> {
        let info = RunInfo { outcome: Some(outcome), ..self.read_info()? };
        self.write_info(&info)?;
        Ok(info.plan.map(|plan| outcome.against(&plan)))
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn read_info(&self) -> Result<RunInfo, RunDirError> {
        RunInfo::read(&self.path)
    }
}

fn invalid(path: &Path, error: &dyn std::error::Error) -> CheckpointError {
    let remedy = "repair it by hand, or begin a new run";
    CheckpointError::Format { path: path.to_path_buf(), problem: error.to_string(), remedy }
}

/// Bytes that are free on the disk of a directory, where the system tells it.
#[cfg(feature = "files")]
fn free_space(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}

#[cfg(not(feature = "files"))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

/// An error if a directory holds anything but an unused lock and what a run left that died before its first checkpoint.
fn refuse_used(path: &Path) -> Result<(), RunDirError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let names = store::names_in(path)?;
    let begun = names.iter().any(|name| name == INFO);
    if begun {
        RunInfo::read(path)?; // or it is not ours to replace
    }
    let foreign = |found: String| RunDirError::Foreign { path: path.to_path_buf(), found };
    if names.iter().any(|name| name == CHECKPOINTS) {
        let steps = store::names_in(&path.join(CHECKPOINTS))?;
        if let Some(found) = steps.into_iter().find(|name| !is_unfinished(name)) {
            return Err(match found.starts_with("step-") || split_sibling(&found).is_some() {
                true => RunDirError::AnotherRun { path: path.to_path_buf() },
                false => foreign(format!("{CHECKPOINTS}/{found}")),
            });
        }
    }
    for name in names {
        match name.as_str() {
            LOCK | INFO | CHECKPOINTS => {}
            METRICS | SAMPLES | REPORT if begun => {}
            BEST | LAST if begun => {
                return Err(RunDirError::OnlyModel { path: path.to_path_buf(), found: name });
            }
            _ if is_unfinished(&name) => {}
            _ => return Err(foreign(name)),
        }
    }
    Ok(())
}

/// Whether a name is that of something whose writing was interrupted: such a file or directory is of no use to anybody.
/// (Earlier versions called it `NAME.tmp.PID`; it is left where it is.)
fn is_unfinished(name: &str) -> bool {
    let earlier = || {
        let (of, pid) = name.rsplit_once(".tmp.")?;
        let ours = [INFO, METRICS, SAMPLES, BEST, LAST].contains(&of) || of.starts_with("step-");
        (ours && pid.parse::<u32>().is_ok()).then_some(())
    };
    split_sibling(name).is_some_and(|(kind, ..)| kind == "tmp") || earlier().is_some()
}

/// A log, if it is there. What is not a file is an error: a device may have no end.
fn read_log(path: &Path) -> Result<Option<Vec<u8>>, RunDirError> {
    match store::read_file(path, u64::MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(CheckpointError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Puts right what a process that died left in a run: directories ([`store::recover`]), and unfinished files of our own.
fn recover(path: &Path) -> Result<Vec<String>, CheckpointError> {
    let mut done = store::recover(path)?;
    for name in store::names_in(path)? {
        let at = path.join(&name);
        let ours = split_sibling(&name).is_some_and(|(_, _, of)| [INFO, METRICS, SAMPLES].contains(&of));
        if ours && at.symlink_metadata().is_ok_and(|found| found.is_file()) {
            fs::remove_file(&at).map_err(|source| io_error("remove", &at, source))?;
            done.push(format!("{}: removed, writing it was interrupted", at.display()));
        }
    }
    Ok(done)
}

/// Locks a run for this process and writes its number into the lock, for the message that the next
/// process gets.
fn lock(path: &Path) -> Result<File, RunDirError> {
    let at = path.join(LOCK);
    let error = |action| {
        let at = &at;
        move |source| io_error(action, at, source)
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false) // it may be another's: look first
        .open(&at)
        .map_err(error("write"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // On Windows a locked file cannot be read: the message does without the number.
            let _ = Read::by_ref(&mut file).take(20).read_to_string(&mut owner);
            return Err(RunDirError::Locked { path: path.to_path_buf(), owner: owner.trim().to_string() });
        }
        Err(TryLockError::Error(source)) => return Err(error("lock")(source).into()),
    }
    let number = format!("{}\n", std::process::id());
    file.set_len(0).and_then(|()| file.write_all(number.as_bytes())).map_err(error("write"))?;
    Ok(file)
}

#[cfg(test)]
#[path = "run_dir_tests.rs"]
mod tests;
