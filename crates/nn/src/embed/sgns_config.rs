//! Settings of skip-gram with negative sampling.

/// Settings of [`Sgns`](super::Sgns).
#[derive(Clone, Debug, PartialEq)]
pub struct SgnsConfig {
    /// Numbers in a vector, d.
    pub dim: usize,
    /// The farthest neighbour, in words.
    pub window: usize,
    /// Noise words a neighbour, k: 1 to [`Sgns::MAX_NEGATIVES`](super::Sgns::MAX_NEGATIVES).
    pub negatives: usize,
    /// The share of the text above which words are thinned out, t; 0 to keep all.
    pub subsample: f64,
    /// Noise words are drawn by count^(quarters / 4), 0 to 4.
    pub noise_quarters: u32,
    /// The learning rate at the beginning.
    pub learning_rate: f64,
    /// Passes over the text.
    pub epochs: usize,
    /// Where all randomness starts.
    pub seed: u64,
}

impl Default for SgnsConfig {
    /// word2vec.c's: 100 numbers, window 5, 5 noise words, t = 1e-3, count^0.75, 0.025, 5 epochs.
    fn default() -> Self {
        Self {
            dim: 100,
            window: 5,
            negatives: 5,
            subsample: 1e-3,
            noise_quarters: 3,
            learning_rate: 0.025,
            epochs: 5,
            seed: 1337,
        }
    }
}
