//! What a model is trained to do: continue a text, fill in what is hidden, or both by turns.
//!
//! Each objective turns a window of tokens into an [`Example`](crate::Example): what the model sees, which positions may look
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
mod task;
mod ul2;
mod vocabulary;

pub use corruptor::Corruptor;
pub use parse::Objective;
pub use puzzle::{Puzzle, Question, Seen};
pub use settings::{MaskSplit, ObjectiveSettings};
pub use task::{Entry, SharedTask, Task};
pub use vocabulary::Vocabulary;

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
