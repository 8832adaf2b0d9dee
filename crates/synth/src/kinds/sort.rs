//! `sort`: random symbols, and the same in ascending order. Floor: [`sequence_task`](crate::family::sequence_task).

use crate::family::sequence_task::{PARAMS, build};
use crate::{Entry, Layout};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "sort",
    aliases: &[],
    about: "random symbols = the same in ascending order",
    layout: Layout::PromptAnswer,
    parameters: PARAMS,
    build: |params| build(params, |symbols| symbols.sort_unstable()),
};
