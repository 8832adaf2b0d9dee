//! `reverse`: random symbols, and the same from the last to the first. Floor: [`sequence_task`](crate::family::sequence_task).

use crate::family::sequence_task::{PARAMS, build};
use crate::{Entry, Layout};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "reverse",
    aliases: &[],
    about: "random symbols = the same, last first",
    layout: Layout::PromptAnswer,
    parameters: PARAMS,
    build: |params| build(params, |symbols| symbols.reverse()),
};
