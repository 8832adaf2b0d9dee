//! What an objective is: a line of the registry that makes a task, and what a task does.

use super::{ObjectiveSettings, Puzzle, Vocabulary};
use crate::{DataError, Example};
use random::Rng;
use std::fmt;
use std::sync::Arc;

/// An objective in the list: its name, what it is, its special tokens, and how to make one.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for the list.
    pub about: &'static str,
    /// The special tokens it needs for rows of a `block_size`.
    pub specials: fn(&ObjectiveSettings, usize) -> Vec<String>,
    /// Makes one; fails if a special token is missing.
    pub build: fn(&ObjectiveSettings, &Vocabulary) -> Result<SharedTask, DataError>,
}

/// An objective that any number of samplers use.
pub type SharedTask = Arc<dyn Task>;

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.name == other.name
    }
}

/// An objective with its settings and the ids of its special tokens.
pub trait Task: fmt::Debug + Send + Sync {
    /// The most tokens of a text that a row of `room` positions holds; 0 if there is too little room for any.
    fn source_len(&self, room: usize) -> usize;

    /// The fewest tokens of a text in which there is something to predict.
    fn least(&self) -> usize;

    /// How many tokens at the end of a text are predicted only, and come first in the next window: 1 where each
    /// token is predicted from the one before, else 0.
    fn overlap(&self) -> usize {
        0
    }

    /// The example of a text, or of as much of its beginning as `room` positions hold.
    ///
    /// # Panics
    /// If the text or the room is shorter than for [`Task::least`] tokens.
    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example;

    /// What an example says and asks about its text, for computing how well it can be answered at best. `None`
    /// if it also asks how the text was cut, or for several documents in a row.
    fn puzzle(&self, example: &Example) -> Option<Puzzle>;
}
