//! Where a fine-tuning keeps its state, and how often.

use crate::files::{CheckpointError, Disk, store};
use std::path::Path;
use std::time::Duration;

/// Where a fine-tuning keeps its state.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// A directory for nothing else, which is replaced as a whole.
    pub dir: &'a Path,
    /// Time between two saves. The first is after a minute, if that is sooner.
    pub every: Duration,
    /// What is fine-tuned, by which method and on which data, in any words: a state of something else is refused.
    pub of: &'a str,
    /// Whether to go on from the state in the directory.
    pub resume: bool,
    /// Whether the state is saved at the end, too: for whoever wants to have its best weights back later.
    pub at_end: bool,
}

impl Keep<'_> {
    /// Whether there is a state.
    #[must_use]
    pub fn exists(&self) -> bool {
        store::resolve(self.dir).exists()
    }

    /// Removes the state, if there is one: when what came out of the fine-tuning is safe.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self) -> Result<(), CheckpointError> {
        if self.exists() { store::remove_tree(&Disk, &store::resolve(self.dir)) } else { Ok(()) }
    }

    /// The time before the first save.
    pub(super) fn first(&self) -> Duration {
        self.every.min(Duration::from_secs(60))
    }
}
