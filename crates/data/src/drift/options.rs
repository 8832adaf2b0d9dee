//! How to measure.

/// How to measure; [`Options::default`] suits texts of 20 KB to 20 MB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The longest n-grams whose divergence is measured, in characters.
    pub divergence_order: usize,
    /// Added to each count of the training text in S2, so that what it lacks is not impossible.
    pub alpha: f64,
    /// Resamplings for the error and the floor of S2.
    pub resamples: usize,
    /// Order of the Kneser-Ney model in S3, in characters.
    pub order: usize,
    /// Characters in a passage of S3 and S4.
    pub chunk: usize,
    /// Most passages that S4 takes from each text.
    pub most_chunks: usize,
    /// Where the randomness starts.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            divergence_order: 3,
            alpha: 0.1,
            resamples: 20,
            order: crate::ngram::ORDER,
            chunk: 500,
            most_chunks: 1000,
            seed: 1337,
        }
    }
}
