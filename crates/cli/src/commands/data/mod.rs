//! `newleaf data`: public files, splits, and token files.

use super::{Entry, parse, print};
use clap::Args as _;

mod fetch;
mod list;
mod pack;
mod split;
mod verify;

pub(super) const ABOUT: &str = "Public files, splits by document, and tokens larger than memory

  newleaf data list                                     what can be downloaded, and under which licence
  newleaf data fetch tinyshakespeare                    to downloads/, checked by SHA-256
  newleaf data split --in all.txt --by doc --out parts  parts/train.txt, val.txt and test.txt
  newleaf data pack --in parts/train.txt --out train.bin
  newleaf train --data train.bin --out my               trains without loading it whole";

/// The subcommands, in the order of `newleaf data --help`.
pub(super) const SUBCOMMANDS: &[Entry] =
    &[entry!(list), entry!(fetch), entry!(verify), entry!(split), entry!(pack)];
