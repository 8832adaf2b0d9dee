//! A tape with dropout.

use super::{DropoutSeeds, Tape};

impl Tape<'_> {
    /// The same tape with dropout: its layers draw the seeds of their masks from `seeds`.
    #[must_use]
    pub fn with_dropout(mut self, seeds: DropoutSeeds) -> Self {
        self.dropout = Some(seeds);
        self
    }

    /// The seed of the next dropout mask of this forward pass; `None` where nothing is dropped: on a tape without seeds, or
    /// one that does not record.
    #[must_use]
    pub fn next_dropout_seed(&self) -> Option<u64> {
        self.dropout.as_ref().filter(|_| self.recording).map(DropoutSeeds::next)
    }
}
