//! Texts of different lengths in one batch.

use std::ops::Range;
use tensor::{Params, Tape, Var, Workspace};

/// Texts as rows of one length. Behind a text stands token 0, which is padding.
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

/// Where the pieces of a text of so many tokens begin and end: at most `max` tokens each and at most `most` pieces, a quarter
/// of one in the next. The last of several ends where the text does, and is as long as the others; what more than `most`
/// pieces would hold is left out, at the end.
pub(super) fn pieces(len: usize, max: usize, most: usize) -> Vec<Range<usize>> {
    if len <= max || most == 1 {
        return std::iter::once(0..len.min(max)).collect();
    }
    let stride = stride(max);
    let read = len.min(max + (most - 1) * stride);
    let count = 1 + (read - max).div_ceil(stride);
    (0..count).map(|i| (i * stride).min(read - max)).map(|start| start..start + max).collect()
}

/// From the beginning of a piece of so many tokens to that of the next.
pub(super) fn stride(max: usize) -> usize {
    (max - max / 4).max(1)
}

/// The first `max` tokens of each text.
pub(super) fn cut<'a>(texts: &[&'a [u32]], max: usize) -> Vec<&'a [u32]> {
    texts.iter().map(|text| &text[..text.len().min(max)]).collect()
}

/// The scores of texts, a row a text, a few texts of similar lengths at a time. A text of so many tokens takes `rows` of a
/// batch.
pub(super) fn in_batches(
    params: &Params,
    texts: &[&[u32]],
    rows: impl Fn(usize) -> usize,
    scores: impl for<'t> Fn(&'t Tape<'_>, &[&[u32]]) -> Var<'t>,
) -> Vec<Vec<f32>> {
    const ROWS: usize = 32;
    let workspace = Workspace::new();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| texts[i].len()); // little is computed for nothing
    let mut all = vec![Vec::new(); texts.len()];
    let mut rest = &order[..];
    while !rest.is_empty() {
        let mut room = ROWS;
        let fits = rest.iter().take_while(|&&i| {
            let needed = rows(texts[i].len());
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        let part;
        (part, rest) = rest.split_at(fits.count().max(1));
        let texts: Vec<&[u32]> = part.iter().map(|&i| texts[i]).collect();
        let tape = Tape::no_grad(params, &workspace);
        let found = scores(&tape, &texts).value();
        part.iter().zip(found.outer_iter()).for_each(|(&i, row)| all[i] = row.iter().copied().collect());
    }
    all
}
