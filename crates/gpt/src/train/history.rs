//! The checkpoints of a run: `checkpoints/step-N/`.

use super::Checkpoint;
use crate::files::CheckpointError;
use crate::files::store::{MANIFEST, names_in, recover, remove_tree, verify_dir};
use crate::files::{Disk, Fs, create_dirs};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The checkpoints in a directory. Whoever has it open is the only one to write there.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    keep: usize,
    /// Steps that were verified since the directory was opened.
    verified: BTreeSet<u64>,
}

/// The newest checkpoint that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// What to go on from.
    pub checkpoint: Checkpoint,
    /// Where it was.
    pub path: PathBuf,
    /// A line for each newer checkpoint that is damaged and was passed over.
    pub warnings: Vec<String>,
}

impl History {
    /// Opens a directory of checkpoints, making it if it is missing, and puts right what a crash
    /// left there. Keeps the newest `keep` checkpoints that verify, at least two.
    ///
    /// # Errors
    /// If the directory cannot be made, read or changed.
    pub fn open(path: &Path, keep: usize) -> Result<Self, CheckpointError> {
        create_dirs(&Disk, path)?;
        recover(path)?;
        Ok(Self { path: path.to_path_buf(), keep: keep.max(2), verified: BTreeSet::new() })
    }

    /// Where the checkpoint of a step is.
    #[must_use]
    pub fn path_of(&self, step: u64) -> PathBuf {
        self.path.join(format!("step-{step}"))
    }

    /// The steps that have a checkpoint, the newest first; whether they verify is another question.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn steps(&self) -> Result<Vec<u64>, CheckpointError> {
        let number = |name: String| {
            let step: u64 = name.strip_prefix("step-")?.parse().ok()?;
            (name == format!("step-{step}")).then_some(step) // not step-007, not step-+7
        };
        let mut steps: Vec<u64> = names_in(&self.path)?.into_iter().filter_map(number).collect();
        steps.sort_by(|a, b| b.cmp(a)); // by number: step-1000 is newer than step-200
        Ok(steps)
    }

    /// Saves a checkpoint as `step-{iter}`, reads it back, and only then removes old ones.
    ///
    /// # Errors
    /// If it cannot be written or what was written does not verify; older checkpoints are then as before.
    pub fn save<D: Deref<Target = [f32]>>(
        &mut self,
        checkpoint: &Checkpoint<D>,
    ) -> Result<PathBuf, CheckpointError> {
        self.save_on(&Disk, checkpoint)
    }

    pub(crate) fn save_on<D: Deref<Target = [f32]>>(
        &mut self,
        fs: &dyn Fs,
        checkpoint: &Checkpoint<D>,
    ) -> Result<PathBuf, CheckpointError> {
        let path = self.path_of(checkpoint.iter);
        // Half removed, or never ours: without a manifest nobody can load it.
        if path.is_dir() && !path.join(MANIFEST).exists() {
            remove_tree(fs, &path)?;
        }
        self.verified.remove(&checkpoint.iter);
        checkpoint.write_on(fs, &path)?;
        verify_dir(&path)?;
        self.verified.insert(checkpoint.iter);
        self.prune(fs)?;
        Ok(path)
    }

    /// Removes what is older than the newest `keep` checkpoints that verify.
    fn prune(&mut self, fs: &dyn Fs) -> Result<(), CheckpointError> {
        let mut kept = 0;
        for step in self.steps()? {
            if kept == self.keep {
                remove_tree(fs, &self.path_of(step))?;
                self.verified.remove(&step);
            } else if self.verified.contains(&step) || verify_dir(&self.path_of(step)).is_ok() {
                self.verified.insert(step);
                kept += 1;
            }
        }
        Ok(())
    }

    /// The newest checkpoint that can be read. Damaged ones are passed over and named.
    ///
    /// # Errors
    /// [`CheckpointError::NoCheckpoint`] if there is none, [`CheckpointError::NoneVerified`] if all
    /// are damaged.
    pub fn latest_verified(&self) -> Result<Restored, CheckpointError> {
        let steps = self.steps()?;
        let mut problems = Vec::new();
        for &step in &steps {
            let path = self.path_of(step);
            match Checkpoint::read(&path).and_then(|checkpoint| of_its_name(checkpoint, step, &path)) {
                Ok(checkpoint) => {
                    let used = format!("{} is used instead", path.display());
                    let warnings =
                        problems.into_iter().map(|problem| format!("{problem} ({used})")).collect();
                    return Ok(Restored { checkpoint, path, warnings });
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        let path = self.path.clone();
        match problems.is_empty() {
            true => Err(CheckpointError::NoCheckpoint { path }),
            false => Err(CheckpointError::NoneVerified { path, problems }),
        }
    }
}

/// A checkpoint renamed by hand would be trained under the wrong number.
fn of_its_name(checkpoint: Checkpoint, step: u64, path: &Path) -> Result<Checkpoint, CheckpointError> {
    match checkpoint.iter == step {
        true => Ok(checkpoint),
        false => Err(CheckpointError::Format {
            path: path.to_path_buf(),
            problem: format!(
                "expected the checkpoint of step {step}, found that of step {}",
                checkpoint.iter
            ),
            remedy: "give the directory its name back",
        }),
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
