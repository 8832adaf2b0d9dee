//! Texts that were there before, byte by byte.
//!
//! Finding them all and constant memory exclude each other. What is remembered of a text is a hash of 64 bits,
//! 10 to 21 bytes in the table, and of more texts than the memory allows the oldest are forgotten
//! (generations.rs); a text that comes again stays in mind. The setting is the memory in megabytes: the usual
//! 100 are enough for the last 3.6 million different texts.
//!
//! The price of hashes is that of n distinct texts one is lost wrongly with a chance of about n^2 / 2^65: 3 in
//! a million for ten million texts.

use super::{MEGABYTES, Rule, Verdict, megabytes};
use crate::DataError;
use crate::clean::generations::Generations;
use crate::clean::script::hash64;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

type Hashes = HashSet<u64, BuildHasherDefault<AsItIs>>;

struct Exact {
    seen: Generations<Hashes>,
}

/// Bytes of a place in a table: a hash and a byte of control.
const PLACE: usize = 9;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    let bytes = if setting.is_empty() { MEGABYTES * 1_000_000 } else { megabytes(setting)? };
    let places = 1 << (bytes / 2 / PLACE).ilog2(); // a table has a power of two of them
    Ok(Box::new(Exact { seen: Generations::new(usable(places)) }))
}

/// How many of the places in a table may be taken.
fn usable(places: usize) -> usize {
    places / 8 * 7
}

impl Rule for Exact {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let hash = hash64(text.as_bytes());
        let [young, old] = self.seen.both();
        if young.contains(&hash) {
            return Verdict::Dropped;
        }
        let known = old.contains(&hash);
        self.seen.room().insert(hash);
        Verdict::drop_if(known)
    }

    fn memory(&self) -> usize {
        self.seen.both().iter().map(|hashes| hashes.capacity() * 8 / 7 * PLACE).sum()
    }

    fn forgotten(&self) -> u64 {
        self.seen.forgotten()
    }
}

/// The hash of a hash is itself.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
