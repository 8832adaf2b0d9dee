//! `newleaf peft`: adapters, by themselves and in the weights of their base.

use super::{Entry, parse};
use clap::Args as _;

mod info;
mod merge;
mod unmerge;

pub(crate) const ABOUT: &str = "Adapters: what is in one, into the weights of its base, and back";

/// The commands below it.
pub(crate) const SUBCOMMANDS: &[Entry] = &[entry!(info), entry!(merge), entry!(unmerge)];
