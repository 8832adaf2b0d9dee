//! `newleaf finetune`: a pretrained model learns a task from labelled examples.

use super::{Entry, parse};
use clap::Args as _;

mod chat;
mod classify;
mod completing;
mod fitting;
mod regress;
mod seq2seq;
mod tuning;

pub(crate) const ABOUT: &str = "Teach a pretrained model a task";

/// The commands below it.
pub(crate) const SUBCOMMANDS: &[Entry] = &[entry!(classify), entry!(regress), entry!(chat), entry!(seq2seq)];
