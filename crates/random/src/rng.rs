//! The generator: ChaCha8 bits, its saved state, and uniform integers and floats.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// What a generator is used for. Streams of one seed are independent of each other.
///
/// | Stream | ChaCha key | ChaCha stream number |
/// |---|---|---|
/// | `Init`, `Data`, `Dropout`, `Sampling` | seed, 0, 0, 0 | 0, 1, 2, 3 |
/// | `Other(n)` | seed, 1, 0, 0 | n |
///
/// (The key is four little-endian 64-bit words.) `Other` has its own key, so no `n` can collide
/// with a named stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Initial weights.
    Init,
    /// Order of the training data.
    Data,
    /// Dropout masks.
    Dropout,
    /// Choosing tokens when generating text.
    Sampling,
    /// Anything else: an experiment, a test, one stream per worker.
    Other(u64),
}

impl Stream {
    /// (second word of the ChaCha key, ChaCha stream number); see the table above.
    fn family_and_number(self) -> (u64, u64) {
        match self {
            Stream::Init => (0, 0),
            Stream::Data => (0, 1),
            Stream::Dropout => (0, 2),
            Stream::Sampling => (0, 3),
            Stream::Other(n) => (1, n),
        }
    }
}

/// Where a generator stands: everything needed to continue it exactly ([`Rng::from_state`]).
///
/// Serialised as three plain fields, for instance
/// `{"seed":1337,"stream":"data","word_pos":4096}`. Every value of every field is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RngState {
    /// The seed given to [`Rng::new`].
    pub seed: u64,
    /// The stream given to [`Rng::new`].
    pub stream: Stream,
    /// How many 32-bit words have been drawn. ChaCha itself could count to 2^68; 64 bits are kept
    /// because 2^64 words are five centuries at a billion words a second.
    pub word_pos: u64,
}

/// A reproducible random number generator: one ChaCha8 stream.
///
/// ```
/// use random::{Rng, Stream};
/// let mut rng = Rng::new(42, Stream::Sampling);
/// let x = rng.f32();
/// assert!((0.0..1.0).contains(&x));
/// assert_eq!(Rng::new(42, Stream::Sampling).f32(), x); // same seed and stream, same number
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    seed: u64,
    stream: Stream,
    chacha: ChaCha8Rng,
}

impl Rng {
    /// A generator at the start of the given stream of a seed.
    pub fn new(seed: u64, stream: Stream) -> Rng {
        let (family, number) = stream.family_and_number();
        // The key is written out rather than hashed: ChaCha mixes a poor key as well as a good one,
        // and anyone can check our numbers with any ChaCha8 (tests/reference.py does).
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&family.to_le_bytes());
        let mut chacha = ChaCha8Rng::from_seed(key);
        chacha.set_stream(number);
        Rng { seed, stream, chacha }
    }

    /// The current position, to be saved and given to [`Rng::from_state`].
    pub fn state(&self) -> RngState {
        // Truncation is out of reach: see `RngState::word_pos`.
        let word_pos = self.chacha.get_word_pos() as u64;
        RngState { seed: self.seed, stream: self.stream, word_pos }
    }

    /// The generator that continues exactly where [`Rng::state`] was called.
    ///
    /// ```
    /// use random::{Rng, Stream};
    /// let mut rng = Rng::new(7, Stream::Data);
    /// rng.normal();
    /// let mut resumed = Rng::from_state(&rng.state());
    /// assert_eq!(resumed.next_u64(), rng.next_u64());
    /// ```
    pub fn from_state(state: &RngState) -> Rng {
        let mut rng = Rng::new(state.seed, state.stream);
        rng.chacha.set_word_pos(u128::from(state.word_pos));
        rng
    }

    /// The next 32 random bits (one word of the stream).
    pub fn next_u32(&mut self) -> u32 {
        self.chacha.next_u32()
    }

    /// The next 64 random bits (two words of the stream, the first one low).
    pub fn next_u64(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// A uniform integer in `0..n`, without the slight preference for small numbers that
    /// `next_u64() % n` has.
    ///
    /// The method is Lemire's (arXiv 1805.10941): seen as a fraction of 2^64, the random word times
    /// `n` has the answer as its integer part. Of the 2^64 words, 2^64 mod n too many would land on
    /// some answers; those are recognised by a small fractional part and drawn again.
    ///
    /// # Panics
    /// If `n` is 0: there is no integer in an empty range.
    #[track_caller]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "Rng::below(0): the range 0..0 is empty");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let surplus = n.wrapping_neg() % n; // = 2^64 mod n, a division worth avoiding above
            while (product as u64) < surplus {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A uniform float in [0, 1): a multiple of 2^-24, so that every value is exact and 1 is never
    /// reached by rounding. Uses one 32-bit word.
    pub fn f32(&mut self) -> f32 {
        const STEP: f32 = 1.0 / (1 << 24) as f32;
        (self.next_u32() >> 8) as f32 * STEP
    }

    /// A uniform float in [0, 1): a multiple of 2^-53. Uses two 32-bit words.
    pub fn f64(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }
}
