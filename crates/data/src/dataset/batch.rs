//! Several examples side by side, and the consecutive windows used for evaluation.

use super::TokenSource;
use crate::{DataError, Example, MaskSpec};
use std::ops::Range;

/// A rectangle of examples, row after row: `B = batch_size` rows of `T = block_size` positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Token ids: (B, T)
    pub ids: Vec<u32>,
    /// The right answer at each position: (B, T)
    pub labels: Vec<u32>,
    /// How much each answer counts in the loss: (B, T)
    pub weights: Vec<f32>,
    /// Which positions of its row each position attends to, `(lo, hi)` for `lo <= key < hi`: (B, T). `None`
    /// if all rows are causal, `(0, i + 1)`.
    pub intervals: Option<Vec<(u32, u32)>>,
    /// Number of rows, B.
    pub batch_size: usize,
    /// Number of positions in a row, T.
    pub block_size: usize,
}

impl Batch {
    /// A batch without rows, to be filled with [`Batch::push_window`].
    pub(crate) fn with_capacity(batch_size: usize, block_size: usize) -> Batch {
        let n = batch_size * block_size;
        Batch {
            ids: Vec::with_capacity(n),
            labels: Vec::with_capacity(n),
            weights: Vec::with_capacity(n),
            intervals: None,
            batch_size: 0,
            block_size,
        }
    }

    /// Appends a row from `block_size + 1` consecutive tokens.
    pub(crate) fn push_window(&mut self, window: &[u32]) {
        debug_assert_eq!(window.len(), self.block_size + 1);
        self.ids.extend(&window[..self.block_size]);
        self.labels.extend(&window[1..]);
        self.weights.resize(self.ids.len(), 1.0);
        self.batch_size += 1;
    }

    /// Puts examples side by side, padding each to `block_size` with id 0, label 0 and weight 0.
    ///
    /// Padding comes last and is in sight of no real token, so that neither the loss nor its gradient
    /// changes. If all masks are causal, so is the batch. Otherwise padding sees nothing.
    ///
    /// # Panics
    /// If an example is longer than `block_size`, or its ids, labels and weights are not equally many.
    #[track_caller]
    pub fn from_examples(examples: &[Example], block_size: usize) -> Batch {
        let mut batch = Batch::with_capacity(examples.len(), block_size);
        for (row, example) in examples.iter().enumerate() {
            let len = example.ids.len();
            assert!(len <= block_size, "Batch: example {row} has {len} ids, block_size is {block_size}");
            let others = (example.labels.len(), example.weights.len());
            assert_eq!(others, (len, len), "Batch: labels and weights of the {len} ids of example {row}");
            let end = (row + 1) * block_size;
            batch.ids.extend(&example.ids);
            batch.ids.resize(end, 0);
            batch.labels.extend(&example.labels);
            batch.labels.resize(end, 0);
            batch.weights.extend(&example.weights);
            batch.weights.resize(end, 0.0);
        }
        batch.batch_size = examples.len();
        if examples.iter().any(|example| example.mask != MaskSpec::Causal) {
            batch.intervals = Some(examples.iter().flat_map(|e| padded_intervals(e, block_size)).collect());
        }
        batch
    }

    /// The sum of all weights: what the summed loss of the batch is divided by. When a batch is cut
    /// into shards, divide by that of the whole batch; the mean of the shards' means would be wrong
    /// if their weights differ.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().map(|&w| f64::from(w)).sum()
    }

    /// Some of the rows as a batch of their own: micro-batches for gradient accumulation, shards for
    /// threads.
    ///
    /// # Panics
    /// If the range reaches beyond the rows.
    #[track_caller]
    pub fn shard(&self, rows: Range<usize>) -> Batch {
        let batch_size = self.batch_size;
        assert!(
            rows.start <= rows.end && rows.end <= batch_size,
            "Batch::shard: rows {rows:?} of a batch of {batch_size}"
        );
        let at = rows.start * self.block_size..rows.end * self.block_size;
        Batch {
            ids: self.ids[at.clone()].to_vec(),
            labels: self.labels[at.clone()].to_vec(),
            weights: self.weights[at.clone()].to_vec(),
            intervals: self.intervals.as_ref().map(|intervals| intervals[at].to_vec()),
            batch_size: rows.len(),
            block_size: self.block_size,
        }
    }
}

/// The intervals of a row: those of the example, then padding, which sees nothing.
fn padded_intervals(example: &Example, block_size: usize) -> Vec<(u32, u32)> {
    let mut intervals = example.mask.intervals(example.ids.len());
    intervals.resize(block_size, (0, 0));
    intervals
}

/// Cuts tokens into consecutive windows that do not overlap. The last one may be shorter, so that
/// every token but the first is a label exactly once.
///
/// # Errors
/// If `block_size` is 0 or there are fewer than two tokens, that is, nothing to predict.
///
/// ```
/// let windows: Vec<_> = data::sequential_windows(&[10, 11, 12, 13], 2)?.collect();
/// assert_eq!((&windows[0].ids[..], &windows[0].labels[..]), (&[10, 11][..], &[11, 12][..]));
/// assert_eq!((&windows[1].ids[..], &windows[1].labels[..]), (&[12][..], &[13][..]));
/// # Ok::<(), data::DataError>(())
/// ```
pub fn sequential_windows(
    tokens: &[u32],
    block_size: usize,
) -> Result<impl Iterator<Item = Example> + '_, DataError> {
    check_positive("block_size", block_size)?;
    if tokens.len() < 2 {
        return Err(DataError::TextTooShort { tokens: tokens.len(), block_size: 1 });
    }
    let targets = tokens.len() - 1;
    Ok((0..targets).step_by(block_size).map(move |start| {
        let end = start.saturating_add(block_size).min(targets);
        Example::next_token(&tokens[start..=end])
    }))
}

/// The windows of [`sequential_windows`], `batch_size` at a time, the last one padded to full length
/// with weight 0. For measuring the loss on a whole validation part: add up the summed losses and
/// the [`Batch::total_weight`]s, then divide.
///
/// # Errors
/// As [`sequential_windows`], and if `batch_size` is 0.
pub fn sequential_batches(
    tokens: &[u32],
    block_size: usize,
    batch_size: usize,
) -> Result<impl Iterator<Item = Batch> + '_, DataError> {
    let batches = SequentialBatches::new(tokens, block_size, batch_size)?;
    Ok((0..batches.len()).map(move |i| batches.get(i).expect("a slice can always be read")))
}

/// The batches of [`sequential_batches`] for any source of tokens, each read when it is asked for:
/// the validation part of a corpus larger than memory.
#[derive(Clone, Debug)]
pub struct SequentialBatches<'a, S: ?Sized> {
    source: &'a S,
    block_size: usize,
    batch_size: usize,
}

impl<'a, S: TokenSource + ?Sized> SequentialBatches<'a, S> {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// As [`sequential_batches`].
    pub fn new(source: &'a S, block_size: usize, batch_size: usize) -> Result<Self, DataError> {
        check_positive("block_size", block_size)?;
        check_positive("batch_size", batch_size)?;
        if source.len() < 2 {
            return Err(DataError::TextTooShort { tokens: source.len(), block_size: 1 });
        }
        Ok(Self { source, block_size, batch_size })
    }

    /// How many tokens are predicted: all but the first.
    fn targets(&self) -> usize {
        self.source.len() - 1
    }

    /// How many batches there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.targets().div_ceil(self.block_size).div_ceil(self.batch_size)
    }

    /// Batch number `i`.
    ///
    /// # Errors
    /// If the file behind the source cannot be read or was changed.
    ///
    /// # Panics
    /// If there are not so many batches.
    #[track_caller]
    pub fn get(&self, i: usize) -> Result<Batch, DataError> {
        assert!(i < self.len(), "batch {i} of {}", self.len());
        let first = i * self.batch_size * self.block_size;
        let starts = (first..self.targets()).step_by(self.block_size).take(self.batch_size);
        let example = |start: usize| {
            let end = start.saturating_add(self.block_size).min(self.targets());
            let mut window = vec![0; end - start + 1];
            self.source.read(start, &mut window).map(|()| Example::next_token(&window))
        };
        let examples = starts.map(example).collect::<Result<Vec<Example>, DataError>>()?;
        Ok(Batch::from_examples(&examples, self.block_size))
    }
}

/// Refuses 0 for a size that is used to count or divide.
pub(crate) fn check_positive(name: &'static str, size: usize) -> Result<(), DataError> {
    match size {
        0 => Err(DataError::InvalidSetting { name, found: "0".into(), expected: "at least 1" }),
        _ => Ok(()),
    }
}
