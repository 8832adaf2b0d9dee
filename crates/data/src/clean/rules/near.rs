//! Texts that resemble one that was there before: MinHash signatures of their 5-shingles, found by
//! locality-sensitive hashing (see minhash.rs).
//!
//! The setting is the least estimated Jaccard similarity at which a text is dropped, and after a comma the
//! memory in megabytes: `0.7,100`. Pairs well above 0.7 are found nearly always, pairs below 0.5 hardly ever:
//! `1 - (1 - s^8)^16`. About 500 bytes a text are remembered; of more than the memory allows the oldest are
//! forgotten (generations.rs), so 100 megabytes are enough for the last 80,000 texts.

use super::{MEGABYTES, Rule, Verdict, megabytes, wrong_setting};
use crate::DataError;
use crate::clean::generations::Generations;
use crate::clean::minhash::{Lsh, MinHash};

struct Near {
    hashes: MinHash,
    seen: Generations<Lsh>,
    least: f64,
}

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    let (least, memory) = match setting.split_once(',') {
        Some((least, memory)) => (least, megabytes(memory)?),
        None => (setting, MEGABYTES * 1_000_000),
    };
    let number = if least.is_empty() { Ok(0.7) } else { least.parse() };
    let number = number.ok().filter(|number| (0.0..=1.0).contains(number));
    let least = number.ok_or_else(|| wrong_setting(least, "a similarity from 0 to 1, as in minhash:0.7"))?;
    let full = memory / 2 / Lsh::MOST_BYTES;
    Ok(Box::new(Near { hashes: MinHash::new(), seen: Generations::new(full), least }))
}

impl Rule for Near {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let Some(signature) = self.hashes.signature_of(text) else { return Verdict::Unchanged };
        let [young, old] = self.seen.both();
        if young.has_similar(&signature, self.least) {
            return Verdict::Dropped;
        }
        let known = old.has_similar(&signature, self.least);
        self.seen.room().insert(signature); // also if it is dropped, so that it stays in mind
        Verdict::drop_if(known)
    }

    fn memory(&self) -> usize {
        self.seen.both().iter().map(|signatures| signatures.memory()).sum()
    }

    fn forgotten(&self) -> u64 {
        self.seen.forgotten()
    }
}
