//! Random orders.

use crate::Rng;

impl Rng {
    /// Puts a slice into a random order, every order being equally likely (Fisher and Yates): going
    /// down from the end, each place takes one of the elements not yet placed.
    ///
    /// ```
    /// use random::{Rng, Stream};
    /// let mut cards: Vec<u8> = (0..52).collect();
    /// Rng::new(1, Stream::Other(0)).shuffle(&mut cards);
    /// cards.sort();
    /// assert!(cards.into_iter().eq(0..52)); // still the same cards
    /// ```
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// The numbers `0..n` in a random order: `shuffle` of `[0, 1, ..., n-1]`.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
