//! Which windows of the training text make the next batch.

use super::TokenSource;
use super::batch::check_positive;
use crate::{Batch, DataError};
use random::{Rng, RngState};
use serde::{Deserialize, Serialize};

/// How training windows are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingMode {
    /// Every window starts anywhere, as in nanoGPT. Simple, but in the time of one pass over the text
    /// a third of it (1/e) is never seen and other parts several times.
    Crop,
    /// Passes over the text (epochs): the windows do not overlap and come in random order, each once.
    /// The grid they lie on is shifted by a random offset in every epoch, so that the windows differ
    /// each time; the fewer than `block_size` tokens before and after the grid rest for an epoch.
    Epoch,
}

/// Draws the batches of training windows.
///
/// Resuming is exact: after [`WindowSampler::from_state`] the batches continue as if there had been
/// no interruption. The text itself is not kept but given to each call.
///
/// ```
/// use data::{SamplingMode, WindowSampler};
/// use random::{Rng, Stream};
///
/// let tokens: Vec<u32> = (0..100).collect();
/// let rng = Rng::new(1, Stream::Data);
/// let mut sampler = WindowSampler::new(tokens.len(), 8, 2, SamplingMode::Epoch, rng)?;
/// sampler.next_batch(&tokens);
///
/// let saved = sampler.state(); // goes into the checkpoint
/// let mut resumed = WindowSampler::from_state(&saved, tokens.len())?;
/// assert_eq!(resumed.next_batch(&tokens), sampler.next_batch(&tokens));
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WindowSampler {
    mode: SamplingMode,
    tokens_len: usize,
    block_size: usize,
    batch_size: usize,
    rng: Rng,
    /// The current pass over the text; `None` in the mode `Crop`.
    epoch: Option<Epoch>,
}

/// One pass over the text.
#[derive(Clone, Debug)]
struct Epoch {
    /// The generator before the offset and order below were drawn: they need not be saved, being
    /// drawn again from here.
    rng_at_start: RngState,
    /// Counted from 0.
    number: u64,
    /// Where the first window starts.
    offset: usize,
    /// The numbers of the windows in random order.
    order: Vec<u32>,
    /// How many of them have been used.
    cursor: usize,
}

/// Where a [`WindowSampler`] stands; to be kept in a checkpoint as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerState {
    /// How windows are chosen.
    pub mode: SamplingMode,
    /// Length of the training part, to notice another text.
    pub tokens_len: usize,
    /// Ids in a window.
    pub block_size: usize,
    /// Windows in a batch.
    pub batch_size: usize,
    /// The generator: in the mode `Crop` now, in the mode `Epoch` at the start of the epoch.
    pub rng: RngState,
    /// Passes completed over the text (0 in the mode `Crop`).
    pub epoch: u64,
    /// Windows used in this epoch (0 in the mode `Crop`).
    pub cursor: usize,
}

impl WindowSampler {
    /// A sampler for a text of `tokens_len` tokens. The generator is usually a fresh
    /// `Rng::new(seed, Stream::Data)`, used for nothing else.
    ///
    /// # Errors
    /// If a size is 0 or a batch too large to be counted, or if the text has not at least
    /// `block_size + 1` tokens.
    pub fn new(
        tokens_len: usize,
        block_size: usize,
        batch_size: usize,
        mode: SamplingMode,
        rng: Rng,
    ) -> Result<WindowSampler, DataError> {
        check_positive("block_size", block_size)?;
        check_positive("batch_size", batch_size)?;
        if tokens_len <= block_size {
            return Err(DataError::TextTooShort { tokens: tokens_len, block_size });
        }
        if batch_size.checked_mul(block_size).is_none_or(|n| n > u32::MAX as usize) {
            let found = batch_size.to_string();
            let expected = "fewer than 2^32 tokens in a batch (batch_size times block_size)";
            return Err(DataError::InvalidSetting { name: "batch_size", found, expected });
        }
        if tokens_len / block_size > u32::MAX as usize {
            let found = block_size.to_string();
            let expected = "large enough to cut the text into fewer than 2^32 windows";
            return Err(DataError::InvalidSetting { name: "block_size", found, expected });
        }
        let mut sampler = WindowSampler { mode, tokens_len, block_size, batch_size, rng, epoch: None };
        if mode == SamplingMode::Epoch {
            sampler.begin_epoch(0);
        }
        Ok(sampler)
    }

    /// The next batch: `batch_size` windows of `block_size` ids, labels shifted by one, weights 1.
    /// A batch may reach across the end of an epoch.
    ///
    /// # Panics
    /// If `tokens` has another length than the sampler was made for.
    #[track_caller]
    pub fn next_batch(&mut self, tokens: &[u32]) -> Batch {
        self.read_batch(tokens).expect("a slice can always be read")
    }

    /// [`WindowSampler::next_batch`] from any source of tokens, such as a file larger than memory: only
    /// the windows of the batch are read.
    ///
    /// # Errors
    /// If the file behind the source cannot be read or was changed.
    ///
    /// # Panics
    /// If `tokens` has another length than the sampler was made for.
    #[track_caller]
    pub fn read_batch<S: TokenSource + ?Sized>(&mut self, tokens: &S) -> Result<Batch, DataError> {
        self.check_source(tokens);
        let mut batch = Batch::with_capacity(self.batch_size, self.block_size);
        let mut window = vec![0; self.block_size + 1];
        for _ in 0..self.batch_size {
            tokens.read(self.next_start(), &mut window)?;
            batch.push_window(&window);
        }
        Ok(batch)
    }

    /// Where the sampler stands, to be saved and given to [`WindowSampler::from_state`].
    pub fn state(&self) -> SamplerState {
        let (rng, epoch, cursor) = match &self.epoch {
            None => (self.rng.state(), 0, 0),
            Some(epoch) => (epoch.rng_at_start, epoch.number, epoch.cursor),
        };
        SamplerState {
            mode: self.mode,
            tokens_len: self.tokens_len,
            block_size: self.block_size,
            batch_size: self.batch_size,
            rng,
            epoch,
            cursor,
        }
    }

    /// The sampler that continues exactly where [`WindowSampler::state`] was called, on a text of
    /// `tokens_len` tokens.
    ///
    /// # Errors
    /// If the text has another length than then, or the state cannot have come from a sampler.
    pub fn from_state(state: &SamplerState, tokens_len: usize) -> Result<WindowSampler, DataError> {
        if tokens_len != state.tokens_len {
            return Err(DataError::InvalidState {
                found: format!("the text had {} tokens then and has {tokens_len} now", state.tokens_len),
                remedy: "continue with the same text, or start a new run",
            });
        }
        let rng = Rng::from_state(&state.rng);
        let mut sampler =
            WindowSampler::new(tokens_len, state.block_size, state.batch_size, state.mode, rng)?;
        let windows = sampler.epoch.as_ref().map_or(0, |epoch| epoch.order.len());
        if state.cursor > windows || (sampler.epoch.is_none() && state.epoch != 0) {
            return Err(DataError::InvalidState {
                found: format!(
                    "window {} of {windows} in epoch {}, mode {:?}",
                    state.cursor, state.epoch, state.mode
                ),
                remedy: "the checkpoint is damaged; use another one",
            });
        }
        if let Some(epoch) = &mut sampler.epoch {
            epoch.number = state.epoch;
            epoch.cursor = state.cursor;
        }
        Ok(sampler)
    }

    /// How many times the text has been passed over, as a fraction: 1.5 is in the middle of the second
    /// pass. `None` in the mode [`SamplingMode::Crop`], which has no passes.
    pub fn epochs(&self) -> Option<f64> {
        let epoch = self.epoch.as_ref()?;
        Some(epoch.number as f64 + epoch.cursor as f64 / epoch.order.len() as f64)
    }

    /// # Panics
    /// If the text has another length than the sampler was made for.
    #[track_caller]
    pub(super) fn check_source<S: TokenSource + ?Sized>(&self, tokens: &S) {
        let (found, expected) = (tokens.len(), self.tokens_len);
        assert_eq!(found, expected, "next_batch: another text than the sampler was made for");
    }

    /// How many windows a batch has.
    pub(super) fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The position in the text of the first id of the next window.
    pub(super) fn next_start(&mut self) -> usize {
        match &mut self.epoch {
            // The last start leaves room for block_size ids and one more label.
            None => self.rng.below((self.tokens_len - self.block_size) as u64) as usize,
            Some(epoch) if epoch.cursor == epoch.order.len() => {
                let next = epoch.number.wrapping_add(1);
                self.begin_epoch(next);
                self.next_start() // an epoch has at least one window
            }
            Some(epoch) => {
                let window = epoch.order[epoch.cursor] as usize;
                epoch.cursor += 1;
                epoch.offset + window * self.block_size
            }
        }
    }

    /// Draws the offset and the order of the windows of an epoch.
    fn begin_epoch(&mut self, number: u64) {
        let rng_at_start = self.rng.state();
        let targets = self.tokens_len - 1; // every token but the first can be a label
        // Any shift of the grid, but always with room for one window.
        let offsets = self.block_size.min(targets - self.block_size + 1);
        let offset = self.rng.below(offsets as u64) as usize;
        let windows = (targets - offset) / self.block_size;
        let order = self.rng.permutation(windows as u32); // fits, as checked in `new`
        self.epoch = Some(Epoch { rng_at_start, number, offset, order, cursor: 0 });
    }
}
