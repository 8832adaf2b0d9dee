//! Texts of different lengths in one batch.

use std::sync::Arc;
use tensor::kernels::attention::Intervals;

/// Texts as rows of one length. Behind a text stands token 0, which nobody sees and nobody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// (B, T)
    pub ids: Vec<u32>,
    /// Tokens of each text.
    pub lens: Vec<usize>,
    /// T, the length of the longest.
    pub time: usize,
}

impl Rows {
    /// Texts side by side.
    ///
    /// # Panics
    /// If there is no text, or one without tokens.
    #[must_use]
    pub fn new(texts: &[&[u32]]) -> Self {
        let lens: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        assert!(!lens.is_empty() && lens.iter().all(|&len| len > 0), "texts with tokens");
        let time = lens.iter().copied().max().expect("a text");
        let row = |text: &&[u32]| [text, &vec![0; time - text.len()][..]].concat();
        Self { ids: texts.iter().flat_map(row).collect(), lens, time }
    }

    /// [B, T]
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.lens.len(), self.time]
    }

    /// What each position sees: all of its text, or what stands before it and itself.
    #[must_use]
    pub fn intervals(&self, both_sides: bool) -> Arc<Intervals> {
        let row = |&len: &usize| {
            (0..self.time).map(move |i| {
                if i >= len {
                    0
                } else if both_sides {
                    len
                } else {
                    i + 1
                }
            })
        };
        let hi: Vec<u32> = self.lens.iter().flat_map(row).map(|hi| hi as u32).collect();
        Arc::new(Intervals::new(vec![0; hi.len()], hi, self.time))
    }

    /// (B, T): for each text the weights of a mean over its tokens.
    #[must_use]
    pub fn means(&self) -> Vec<f32> {
        let row = |&len: &usize| (0..self.time).map(move |i| if i < len { 1.0 / len as f32 } else { 0.0 });
        self.lens.iter().flat_map(row).collect()
    }

    /// (B, T): 1 at the last token of each text.
    #[must_use]
    pub fn lasts(&self) -> Vec<f32> {
        let row = |&len: &usize| (0..self.time).map(move |i| if i + 1 == len { 1.0 } else { 0.0 });
        self.lens.iter().flat_map(row).collect()
    }
}
