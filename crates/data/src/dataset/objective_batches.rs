//! The same batches at every evaluation, for any objective.

use super::TokenSource;
use super::batch::check_positive;
use crate::objective::Corruptor;
use crate::{Batch, DataError, Example};
use random::{Rng, Stream};

/// Consecutive windows of a validation part, made into examples of one objective: what
/// [`SequentialBatches`](super::SequentialBatches) is for `clm`, which it gives, too. What is hidden in a window depends on the number
/// of the window only, so that every evaluation asks the same.
///
/// For the loss on the whole part add up the summed losses and the [`Batch::total_weight`]s, then divide. A
/// mixture is measured one objective at a time: their losses have different floors, and their mean says little.
#[derive(Clone, Debug)]
pub struct ObjectiveBatches<'a, S: ?Sized> {
    source: &'a S,
    corruptor: &'a Corruptor,
    part: usize,
    batch_size: usize,
    documents: bool,
    windows: usize,
}

impl<'a, S: TokenSource + ?Sized> ObjectiveBatches<'a, S> {
    /// Evaluations draw from this stream of the number of the window, and training never does.
    const STREAM: Stream = Stream::Other(0x6576_616c_7561_7465); // "evaluate"

    /// The batches of number `part` of a mixture (0 where there is only one objective). Nothing is read yet.
    ///
    /// # Errors
    /// If `batch_size` is 0, or the source too short for anything to be predicted.
    ///
    /// # Panics
    /// If the mixture has not so many parts.
    #[track_caller]
    pub fn new(
        source: &'a S,
        corruptor: &'a Corruptor,
        part: usize,
        batch_size: usize,
        documents: bool,
    ) -> Result<Self, DataError> {
        check_positive("batch_size", batch_size)?;
        let (stride, tokens) = (corruptor.stride_of(part), source.len());
        let task = &corruptor.tasks()[part];
        if tokens < task.least() {
            return Err(DataError::TextTooShort { tokens, block_size: task.least() - 1 });
        }
        // A rest of too few tokens to predict anything makes no window.
        let windows = 1 + (tokens - task.least()) / stride;
        Ok(ObjectiveBatches { source, corruptor, part, batch_size, documents, windows })
    }

    /// How many batches there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.windows.div_ceil(self.batch_size)
    }

    /// Batch number `i`. The last one may have fewer rows.
    ///
    /// # Errors
    /// If the file behind the source cannot be read or was changed.
    ///
    /// # Panics
    /// If there are not so many batches.
    #[track_caller]
    pub fn get(&self, i: usize) -> Result<Batch, DataError> {
        Ok(Batch::from_examples(&self.examples(i)?, self.corruptor.block_size()))
    }

    /// The rows of batch number `i`, for what needs to know more of them than the model does.
    ///
    /// # Errors
    /// As [`ObjectiveBatches::get`].
    ///
    /// # Panics
    /// As [`ObjectiveBatches::get`].
    #[track_caller]
    pub fn examples(&self, i: usize) -> Result<Vec<Example>, DataError> {
        assert!(i < self.len(), "batch {i} of {}", self.len());
        let first = i * self.batch_size;
        let rows = first..(first + self.batch_size).min(self.windows);
        rows.map(|row| self.example(row)).collect()
    }

    fn example(&self, row: usize) -> Result<Example, DataError> {
        let stride = self.corruptor.stride_of(self.part);
        let overlap = self.corruptor.tasks()[self.part].overlap();
        let start = row * stride;
        let mut window = vec![0; (stride + overlap).min(self.source.len() - start)];
        self.source.read(start, &mut window)?;
        let mut rng = Rng::new(row as u64, Self::STREAM);
        if !self.documents {
            return Ok(self.corruptor.example(self.part, &window, &mut rng));
        }
        let mut starts = self.source.document_starts(start + 1..start + window.len())?;
        starts.iter_mut().for_each(|at| *at -= start);
        Ok(self.corruptor.documents(self.part, &window, &starts, &mut rng))
    }
}
