//! Where the masks of dropout come from.

use random::{Rng, RngState, Stream};
use std::cell::Cell;

/// A seed for every dropout mask of one forward pass. Make one for each pass and give it to the pass' tape
/// ([`Tape::with_dropout`](super::Tape::with_dropout)).
///
/// Masks are not stored: a mask is a function of its seed, and the backward computes it again. The seed in
/// turn is a function of the run's seed, the number of the forward pass, and how many masks the pass had
/// before. So a run that is resumed at some step draws the masks that it would have drawn, with no
/// state to save, and the threads that work on different passes do not depend on each other.
///
/// ```
/// use tensor::DropoutSeeds;
/// let (a, b) = (DropoutSeeds::new(1337, 42), DropoutSeeds::new(1337, 42));
/// assert_eq!(a.next(), b.next());                              // the same pass, the same masks
/// assert_ne!(a.next(), DropoutSeeds::new(1337, 42).next());    // the second mask is not the first
/// assert_ne!(b.next(), DropoutSeeds::new(1337, 43).next());    // nor is that of another pass
/// ```
#[derive(Clone, Debug)]
pub struct DropoutSeeds {
    pass: u64,
    site: Cell<u64>,
}

impl DropoutSeeds {
    /// The seeds of forward pass number `pass` of a training run: with one micro-batch a step, the step; with
    /// n, `step * n + micro_batch`.
    #[must_use]
    pub fn new(run_seed: u64, pass: u64) -> Self {
        // ChaCha is seekable: the two words at this pass's position, without drawing those before.
        let word_pos = pass.wrapping_mul(2);
        let mut rng = Rng::from_state(&RngState { seed: run_seed, stream: Stream::Dropout, word_pos });
        Self { pass: rng.next_u64(), site: Cell::new(0) }
    }

    /// The seed of the next mask.
    #[must_use]
    pub fn next(&self) -> u64 {
        let site = self.site.get();
        self.site.set(site + 1);
        mix(self.pass, site)
    }
}

/// SplitMix64 (Steele et al. 2014): number `site` of the sequence that starts at `pass`. It is a bijection
/// of `site`, so the masks of one pass all have different seeds.
fn mix(pass: u64, site: u64) -> u64 {
    let mut z = pass.wrapping_add((site + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn splitmix64_is_the_published_one() {
        // The first outputs for the seed 1234567, as printed by many implementations.
        assert_eq!(mix(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(mix(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    #[test]
    fn all_seeds_of_many_passes_differ() {
        let mut seen = HashSet::new();
        for pass in 0..1000 {
            let seeds = DropoutSeeds::new(1337, pass);
            (0..40).for_each(|_| assert!(seen.insert(seeds.next())));
        }
    }
}
