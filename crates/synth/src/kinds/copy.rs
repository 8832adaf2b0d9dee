//! `copy`: random symbols, and the same again. Floor: [`sequence_task`](crate::family::sequence_task).

use crate::family::sequence_task::{PARAMS, build};
use crate::{Entry, Layout};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "copy",
    aliases: &[],
    about: "random symbols = the same symbols",
    layout: Layout::PromptAnswer,
    parameters: PARAMS,
    build: |params| build(params, |_| ()),
};
