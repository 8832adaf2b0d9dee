//! Texts that resemble one that was there before: MinHash signatures of their 5-shingles, found by
//! locality-sensitive hashing (see minhash.rs).
//!
//! The setting is the least estimated Jaccard similarity at which a text is dropped. Pairs well above 0.7
//! are found nearly always, pairs below 0.5 hardly ever: `1 - (1 - s^8)^16`. About 400 bytes a kept document
//! are remembered.

use super::{Rule, Verdict, wrong_setting};
use crate::DataError;
use crate::clean::minhash::{Lsh, MinHash};

struct Near {
    hashes: MinHash,
    seen: Lsh,
    least: f64,
}

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    let least = if setting.is_empty() { Ok(0.7) } else { setting.parse() };
    let least = least.ok().filter(|least| (0.0..=1.0).contains(least));
    let least = least.ok_or_else(|| wrong_setting(setting, "a similarity from 0 to 1, as in minhash:0.7"))?;
    Ok(Box::new(Near { hashes: MinHash::new(), seen: Lsh::new(), least }))
}

impl Rule for Near {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let Some(signature) = self.hashes.signature_of(text) else { return Verdict::Unchanged };
        if !self.seen.all_similar(&signature, self.least).is_empty() {
            return Verdict::Dropped;
        }
        self.seen.insert(signature);
        Verdict::Unchanged
    }

    fn memory(&self) -> usize {
        self.seen.memory()
    }
}
