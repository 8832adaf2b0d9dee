//! Which windows make the next batch, and what is to be predicted in them.

use super::{SamplerState, SamplingMode, TokenSource, WindowSampler};
use crate::objective::{Corruptor, Objective, ObjectiveSettings};
use crate::{Batch, DataError};
use random::{Rng, RngState, Stream};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Draws the training batches of any objective: windows from a [`WindowSampler`], made into examples by a
/// [`Corruptor`]. For `clm` the batches are those of the [`WindowSampler`].
///
/// Windows and what is hidden in them come from two streams of the seed, so that the windows do not depend
/// on the objective (only on how many tokens it takes a row). Resuming is exact.
///
/// ```
/// use data::dataset::ExampleSampler;
/// use data::objective::{Objective, ObjectiveSettings, Vocabulary};
/// use data::SamplingMode;
/// use std::sync::Arc;
///
/// let objective: Objective = "mix=clm:.5,mlm:.5".parse()?;
/// let vocabulary = Vocabulary::new(101, [("[MASK]", 100)])?;
/// let corruptor = Arc::new(objective.resolve(&ObjectiveSettings::default(), &vocabulary, 8)?);
/// let tokens: Vec<u32> = (0..100).collect();
/// let mut sampler = ExampleSampler::new(tokens.len(), corruptor.clone(), 4, SamplingMode::Epoch, false, 1337)?;
/// sampler.read_batch(&tokens)?;
///
/// let saved = sampler.state(); // goes into the checkpoint
/// let mut resumed = ExampleSampler::from_state(&saved, tokens.len(), corruptor)?;
/// assert_eq!(resumed.read_batch(&tokens)?, sampler.read_batch(&tokens)?);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExampleSampler {
    windows: WindowSampler,
    corruptor: Arc<Corruptor>,
    documents: bool,
    rng: Rng,
}

/// Where an [`ExampleSampler`] stands; to be kept in a checkpoint as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleSamplerState {
    /// Which windows come next.
    pub windows: SamplerState,
    /// The generator of what is hidden.
    pub corruption: RngState,
    /// The objective.
    pub objective: Objective,
    /// Its settings.
    pub settings: ObjectiveSettings,
    /// Positions in a row.
    pub block_size: usize,
    /// Whether documents do not see each other.
    pub documents: bool,
}

impl ExampleSampler {
    /// A sampler for a text of `tokens_len` tokens. With `documents` the documents in a window do not see each
    /// other, and none has to guess how the next one begins.
    ///
    /// # Errors
    /// As [`WindowSampler::new`], for windows of as many tokens as the objective takes.
    pub fn new(
        tokens_len: usize,
        corruptor: Arc<Corruptor>,
        batch_size: usize,
        mode: SamplingMode,
        documents: bool,
        seed: u64,
    ) -> Result<ExampleSampler, DataError> {
        let rng = Rng::new(seed, Stream::Data);
        let windows = WindowSampler::new(tokens_len, corruptor.stride(), batch_size, mode, rng)?;
        Ok(ExampleSampler { windows, corruptor, documents, rng: Rng::new(seed, Corruptor::STREAM) })
    }

    /// The next batch: `batch_size` rows of `block_size` positions.
    ///
    /// # Errors
    /// If the file behind the source cannot be read or was changed.
    ///
    /// # Panics
    /// If `tokens` has another length than the sampler was made for.
    #[track_caller]
    pub fn read_batch<S: TokenSource + ?Sized>(&mut self, tokens: &S) -> Result<Batch, DataError> {
        self.windows.check_source(tokens);
        let mut examples = Vec::with_capacity(self.windows.batch_size());
        let mut window = vec![0; self.corruptor.window()];
        for _ in 0..self.windows.batch_size() {
            let start = self.windows.next_start();
            tokens.read(start, &mut window)?;
            let part = self.corruptor.draw(&mut self.rng);
            examples.push(if self.documents {
                let mut starts = tokens.document_starts(start + 1..start + window.len())?;
                starts.iter_mut().for_each(|at| *at -= start);
                self.corruptor.documents(part, &window, &starts, &mut self.rng)
            } else {
                self.corruptor.example(part, &window, &mut self.rng)
            });
        }
        Ok(Batch::from_examples(&examples, self.corruptor.block_size()))
    }

    /// Where the sampler stands, to be saved and given to [`ExampleSampler::from_state`].
    pub fn state(&self) -> ExampleSamplerState {
        ExampleSamplerState {
            windows: self.windows.state(),
            corruption: self.rng.state(),
            objective: self.corruptor.objective().clone(),
            settings: *self.corruptor.settings(),
            block_size: self.corruptor.block_size(),
            documents: self.documents,
        }
    }

    /// The sampler that continues exactly where [`ExampleSampler::state`] was called, on a text of `tokens_len`
    /// tokens.
    ///
    /// # Errors
    /// If the objective, its settings or the block size differ from then, or as [`WindowSampler::from_state`].
    pub fn from_state(
        state: &ExampleSamplerState,
        tokens_len: usize,
        corruptor: Arc<Corruptor>,
    ) -> Result<ExampleSampler, DataError> {
        let differs = |what: &str, then: String, now: String| DataError::InvalidState {
            found: format!("the {what} was {then} then and is {now} now"),
            remedy: "continue with the same objective, or start a new run",
        };
        if state.objective != *corruptor.objective() {
            let (then, now) = (state.objective.to_string(), corruptor.objective().to_string());
            return Err(differs("objective", then, now));
        }
        if state.settings != *corruptor.settings() {
            let now = format!("{:?}", corruptor.settings());
            return Err(differs("set of its settings", format!("{:?}", state.settings), now));
        }
        let blocks = (state.block_size, state.windows.block_size);
        if blocks != (corruptor.block_size(), corruptor.stride()) {
            let now = format!("{:?}", (corruptor.block_size(), corruptor.stride()));
            return Err(differs("block size (with the tokens a row)", format!("{blocks:?}"), now));
        }
        Ok(ExampleSampler {
            windows: WindowSampler::from_state(&state.windows, tokens_len)?,
            corruptor,
            documents: state.documents,
            rng: Rng::from_state(&state.corruption),
        })
    }

    /// As [`WindowSampler::epochs`].
    pub fn epochs(&self) -> Option<f64> {
        self.windows.epochs()
    }

    /// What makes the examples.
    pub fn corruptor(&self) -> &Arc<Corruptor> {
        &self.corruptor
    }
}
