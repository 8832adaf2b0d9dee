//! Texts that were there before, byte by byte.
//!
//! Finding them and constant memory exclude each other. What is remembered of a text is a hash of 64 bits,
//! in a table that is at least 7/16 full: 9 to 21 bytes a distinct document, half as much again for a moment
//! while the table grows. The price of hashes is that n distinct documents lose one wrongly with a chance of
//! about n^2 / 2^65: 3 in a million for ten million documents.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::script::hash64;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

#[derive(Default)]
struct Exact {
    seen: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Exact::default())
}

impl Rule for Exact {
    fn apply(&mut self, text: &mut String) -> Verdict {
        Verdict::drop_if(!self.seen.insert(hash64(text.as_bytes())))
    }

    /// A power of two of places, 7/8 of which may be used, each with a hash and a byte of control.
    fn memory(&self) -> usize {
        self.seen.capacity() / 7 * 8 * 9
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
