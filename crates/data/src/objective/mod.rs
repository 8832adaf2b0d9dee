//! What a model is trained to do: continue a text, fill in what is hidden, or both by turns.
//!
//! Each objective turns a window of tokens into an [`Example`]: what the model sees, which positions may look
//! at which, and what is to be predicted where. The model and its loss are the same for all of them.
//!
//! | objective | a row | predicted | mask |
//! |---|---|---|---|
//! | `clm` | x0 x1 x2 ... | every next token | causal |
//! | `mlm` | 15 % of the tokens replaced, 80/10/10 by `[MASK]`, a random token, itself | those | bidirectional |
//! | `span-mask` | the same, but whole spans | those | bidirectional |
//! | `span` | text with `<extra_id_k>` for span k, then `<extra_id_0>` span 0 `<extra_id_1>` ... | from the first `<extra_id_0>` of the answer on | prefix |
//! | `glm` | text with `<extra_id_k>` for span k, then `[sop] <extra_id_k>` span k for each k in random order | the spans, each with `[eop]` | prefix |
//! | `fim` | half of them prefix, suffix, middle (or suffix, prefix, middle) of the text | every next token | causal |
//! | `prefix` | x0 x1 x2 ... | every next token after a random place | prefix |
//! | `ul2` | `[R]`, `[X]` or `[S]`, then `span` with short or with long spans, or `prefix` | as those | prefix |
//!
//! Several objectives are mixed by rows: `mix=clm:.5,mlm:.25,span:.25` draws the objective of each row by these
//! weights. Not of each batch: the gradient of a step would then be that of one objective, and the
//! steps would pull in turn in different directions. The weights are shares of rows, not of the loss: a row of
//! `clm` has about seven times as many labels as one of `mlm`.
//!
//! What is not predicted has the label 0 and the weight 0. One more objective is a file and a line in
//! [`OBJECTIVES`].
//!
//! ```
//! use data::objective::{Objective, ObjectiveSettings, Vocabulary};
//! use random::{Rng, Stream};
//!
//! let (objective, settings): (Objective, _) = ("span".parse()?, ObjectiveSettings::default());
//! let block_size = 32;
//! let names = objective.specials(&settings, block_size); // <extra_id_0>, <extra_id_1>, ...
//! let vocabulary = Vocabulary::new(100 + names.len(), names.iter().map(String::as_str).zip(100..))?;
//! let corruptor = objective.resolve(&settings, &vocabulary, block_size)?;
//! let text: Vec<u32> = (0..corruptor.window() as u32).collect();
//! let example = corruptor.example(0, &text, &mut Rng::new(1, Stream::Other(0)));
//! assert!(example.ids.len() <= block_size);
//! assert_eq!(example.ids.iter().filter(|&&id| id == 100).count(), 2); // <extra_id_0>: what is asked, and the answer
//! # Ok::<(), data::DataError>(())
//! ```

mod clm;
mod corruptor;
mod fim;
mod glm;
mod masking;
mod mlm;
mod parse;
mod prefix;
mod puzzle;
mod settings;
mod span;
mod span_mask;
mod spans;
mod ul2;
mod vocabulary;

pub use corruptor::Corruptor;
pub use parse::Objective;
pub use puzzle::{Puzzle, Question, Seen};
pub use settings::{MaskSplit, ObjectiveSettings};
pub use vocabulary::Vocabulary;

use crate::{DataError, Example};
use random::Rng;
use std::fmt;
use std::sync::Arc;

/// All objectives.
pub const OBJECTIVES: &[Entry] = &[
    clm::ENTRY,
    mlm::ENTRY,
    mlm::CAUSAL,
    span::ENTRY,
    span_mask::ENTRY,
    glm::ENTRY,
    fim::ENTRY,
    prefix::ENTRY,
    ul2::ENTRY,
];

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
