//! MinHash and locality-sensitive hashing: how alike two texts are, and finding those that are alike among
//! millions without comparing all pairs.
//!
//! A text is the set of its shingles, runs of [`SHINGLE`] units (words, or single Han characters). The
//! Jaccard similarity of two sets is `J = |A & B| / |A | B|`. If `h` orders all shingles at random, both sets
//! have the same first shingle with probability exactly J: the first of the union is then in both. So of
//! k independent orders, the share with equal minima is an unbiased estimate of J with standard deviation
//! `sqrt(J (1 - J) / k)`, here with k = [`HASHES`] at most 0.044.
//!
//! To find candidates the k minima are cut into b = [`BANDS`] bands of r = [`ROWS`]. Two texts are candidates
//! if any band is equal, which has the probability
//!
//! `P(s) = 1 - (1 - s^r)^b`:  0.061 at s = 0.5, 0.613 at 0.7, 0.9999 at 0.9
//!
//! with the threshold (steepest rise) near `(1/b)^(1/r)` = 0.71. Candidates are then compared by their
//! estimate, so a threshold above that makes few mistakes.
//!
//! Sources: Broder 1997 (MinHash); Indyk and Motwani 1998 (LSH); Lee et al. 2021, arXiv 2107.06499
//! (what it does for language models).

use super::script::{mix64, ngram_hashes, unit_hashes};
use random::{Rng, Stream};

/// Units in a shingle.
pub const SHINGLE: usize = 5;
/// Minima in a signature.
pub const HASHES: usize = 128;
/// Bands of a signature.
pub const BANDS: usize = 16;
/// Minima in a band.
pub const ROWS: usize = HASHES / BANDS;

/// Sixteen bits of each minimum: two different minima agree in them by chance once in 65,536 times, which
/// raises an estimate of J by at most 0.00002.
pub type Signature = [u16; HASHES];

/// The k hash functions `x -> a x + b mod 2^32`, a odd, on shingles that are well mixed already.
///
/// With 32 bits a vector instruction does four of them at once, and of a text of a million shingles hardly
/// two are the same.
pub struct MinHash {
    factors: [u32; HASHES],
    offsets: [u32; HASHES],
}

impl MinHash {
    /// The hash functions, always the same ones.
    #[expect(clippy::new_without_default, reason = "128 drawn numbers are no default")]
    pub fn new() -> Self {
        let mut rng = Rng::new(128, Stream::Other(0x6d69_6e68_6173_6821)); // "minhash!"
        let mut draw = || std::array::from_fn(|_| rng.next_u32());
        let factors: [u32; HASHES] = draw();
        Self { factors: factors.map(|a| a | 1), offsets: draw() }
    }

    /// The signature of a set of shingles, each a well-mixed hash. Repeated ones make no difference.
    pub fn signature(&self, shingles: &[u64]) -> Signature {
        let mut minima = [i32::MAX; HASHES]; // signed, since SSE2 compares no others
        for &x in shingles {
            let x = (x >> 32) as u32;
            for ((minimum, a), b) in minima.iter_mut().zip(&self.factors).zip(&self.offsets) {
                *minimum = (*minimum).min(x.wrapping_mul(*a).wrapping_add(*b) as i32);
            }
        }
        minima.map(|minimum| mix64(minimum as u64) as u16)
    }

    /// The signature of a text; none if there is no letter or digit in it.
    pub fn signature_of(&self, text: &str) -> Option<Signature> {
        let shingles = ngram_hashes(&unit_hashes(text), SHINGLE);
        (!shingles.is_empty()).then(|| self.signature(&shingles))
    }
}

/// The estimate of J: the share of equal minima.
pub fn similarity(a: &Signature, b: &Signature) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / HASHES as f64
}

/// Signatures that are held together; growing by whole chunks, nothing is ever copied.
const CHUNK: usize = 4096;

/// Texts with the same band that are kept in a table. A band that is in more than that is boilerplate; more
/// would make a million pages of one template take quadratic time.
const MOST_ALIKE: usize = 64;

/// Signatures, to be found by one that is alike. A text is a number, from 0 in the order of insertion.
///
/// Per text it holds the signature (256 bytes) and an entry of 8 bytes in each of 16 tables that are between
/// 35 and 70 % full: 440 to 620 bytes.
#[derive(Default)]
pub struct Lsh {
    chunks: Vec<Vec<Signature>>,
    tables: [Table; BANDS],
}

/// The texts by one band: open addressing with linear probing. With a text stands the hash of its band, so
/// that hardly ever the signature of another text is looked at: each is somewhere else in memory.
#[derive(Default)]
struct Table {
    /// A hash and a text.
    slots: Vec<(u32, u32)>,
    used: usize,
}

/// In the place of a text.
const EMPTY: u32 = u32::MAX;

impl Lsh {
    /// Bytes of memory that a text takes at most, when there are many.
    pub const MOST_BYTES: usize = size_of::<Signature>() + BANDS * 8 * 20 / 7;

    /// Without texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        let tables: usize = self.tables.iter().map(|table| 8 * table.slots.capacity()).sum();
        tables + self.chunks.len() * CHUNK * size_of::<Signature>()
    }

    /// Adds a text and answers its number.
    ///
    /// # Panics
    /// Beyond 2^32 - 1 texts, which would take 1.5 TB.
    pub fn insert(&mut self, signature: Signature) -> usize {
        let id = self.len();
        assert!(id < EMPTY as usize, "more than 2^32 - 1 texts");
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut().expect("pushed above").push(signature);
        for (band, table) in self.tables.iter_mut().enumerate() {
            table.insert(hash_of(band_of(&signature, band)), id as u32);
        }
        id
    }

    /// The texts that share a band with the signature, in ascending order.
    pub fn candidates(&self, signature: &Signature) -> Vec<usize> {
        let mut found = Vec::new();
        let hashes: [u32; BANDS] = std::array::from_fn(|band| hash_of(band_of(signature, band)));
        // All first slots at once: each is far from the others, and so the waits for memory overlap.
        let taken: [bool; BANDS] = std::array::from_fn(|band| self.tables[band].is_taken(hashes[band]));
        for band in (0..BANDS).filter(|&band| taken[band]) {
            let wanted = band_of(signature, band);
            self.tables[band].find(hashes[band], |id| {
                if band_of(self.signature(id as usize), band) == wanted {
                    found.push(id as usize);
                }
            });
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether there is a text whose estimated similarity is at least so much.
    pub fn has_similar(&self, signature: &Signature, least: f64) -> bool {
        !self.all_similar(signature, least).is_empty()
    }

    /// The candidates whose estimated similarity is at least so much, in ascending order, with the estimates.
    pub fn all_similar(&self, signature: &Signature, least: f64) -> Vec<(usize, f64)> {
        let candidates = self.candidates(signature).into_iter();
        let estimated = candidates.map(|id| (id, similarity(signature, self.signature(id))));
        estimated.filter(|(_, similarity)| *similarity >= least).collect()
    }

    fn signature(&self, id: usize) -> &Signature {
        &self.chunks[id / CHUNK][id % CHUNK]
    }
}

/// The band of a signature.
fn band_of(signature: &Signature, band: usize) -> &[u16] {
    &signature[band * ROWS..][..ROWS]
}

fn hash_of(band: &[u16]) -> u32 {
    let words =
        band.chunks_exact(4).map(|four| four.iter().fold(0, |word, &row| (word << 16) | u64::from(row)));
    words.fold(0, |hash, word| mix64(hash ^ word)) as u32
}

impl Table {
    /// Whether there is a text in the slot where the search for a hash begins.
    fn is_taken(&self, hash: u32) -> bool {
        let slot = self.slots.get(hash as usize & self.slots.len().wrapping_sub(1));
        slot.is_some_and(|slot| slot.1 != EMPTY)
    }

    /// Calls `each` for the texts with the hash, and answers the free slot where another would go.
    fn find(&self, hash: u32, mut each: impl FnMut(u32)) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?; // a power of two, less one
        let mut slot = hash as usize & mask;
        while self.slots[slot].1 != EMPTY {
            if self.slots[slot].0 == hash {
                each(self.slots[slot].1);
            }
            slot = (slot + 1) & mask;
        }
        Some(slot)
    }

    fn insert(&mut self, hash: u32, id: u32) {
        if 10 * (self.used + 1) > 7 * self.slots.len() {
            self.grow();
        }
        let mut alike = 0;
        let slot = self.find(hash, |_| alike += 1).expect("grown above");
        if alike < MOST_ALIKE {
            self.slots[slot] = (hash, id);
            self.used += 1;
        }
    }

    fn grow(&mut self) {
        let larger = vec![(0, EMPTY); (2 * self.slots.len()).max(16)];
        for (hash, id) in std::mem::replace(&mut self.slots, larger) {
            if id != EMPTY {
                let slot = self.find(hash, |_| {}).expect("grown above");
                self.slots[slot] = (hash, id);
            }
        }
    }
}
