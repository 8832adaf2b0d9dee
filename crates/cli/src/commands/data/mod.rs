//! `newleaf data`: public files, splits, and token files.

use super::print;

pub(super) const ABOUT: &str = "Split and pack data; fetch and verify public files

  newleaf data list                                     what can be downloaded, and under which licence
  newleaf data fetch tinyshakespeare                    to downloads/, checked by SHA-256
  newleaf data split --in all.txt --by doc --out parts  parts/train.txt, val.txt and test.txt
  newleaf data pack --in parts/train.txt --out train.bin
  newleaf train --data train.bin --out my               trains without loading it whole";

commands! {
    list,
    fetch,
    verify,
    split,
    pack,
}
