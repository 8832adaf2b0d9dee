//! What people see: messages and failures on standard error, progress, pages.

#[macro_use]
pub(crate) mod message; // first: its `eprintln!` is that of all others

pub(crate) mod byte_progress;
pub(crate) mod failure;
pub(crate) mod page;
pub(crate) mod progress;
pub(crate) mod wrap;
