//! A hash table whose keys are pairs of token ids.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Two token ids, side by side in a text.
pub(super) type Pair = (u32, u32);

/// Both ids in one number, which hashes and compares as the pair does.
pub(super) fn key((left, right): Pair) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The pair of a key.
pub(super) fn pair(key: u64) -> Pair {
    ((key >> 32) as u32, key as u32)
}

/// From the [`key`] of a pair to something. The standard hash function withstands keys that an attacker
/// chose; here the keys are those of a vocabulary, and one multiplication is several times faster.
pub(super) type PairMap<V> = HashMap<u64, V, BuildHasherDefault<PairHasher>>;

/// Fibonacci hashing: the high bits of a product with 2^64 divided by the golden ratio.
#[derive(Default)]
pub(super) struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        let product = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32; // the table looks at the low bits
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64");
    }
}
