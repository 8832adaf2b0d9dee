//! Where tokens come from: a slice in memory, or a file larger than memory.

use super::split::cut;
use crate::DataError;
use std::ops::Range;

/// A sequence of token ids that can be read at any place.
///
/// What samples windows needs nothing else, so that a corpus may be a `Vec<u32>` or a
/// [`TokenFile`](super::TokenFile) of which only the windows are ever in memory.
///
/// ```
/// use data::dataset::{TokenSource, split_source};
/// let ids: Vec<u32> = (0..10).collect();
/// let (train, val) = split_source(&ids, 0.8)?;
/// let mut window = [0; 2];
/// val.read(0, &mut window)?;
/// assert_eq!((train.len(), window), (8, [8, 9]));
/// # Ok::<(), data::DataError>(())
/// ```
pub trait TokenSource {
    /// How many tokens there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out` with the tokens from `start` on.
    ///
    /// # Errors
    /// If the file behind it cannot be read or was changed. A slice has no errors.
    ///
    /// # Panics
    /// If `start + out.len()` is more than [`TokenSource::len`].
    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError>;

    /// The positions in `range` at which documents begin, ascending. A source that knows of no documents,
    /// such as a slice, is one long document; see [`WithDocuments`].
    ///
    /// # Errors
    /// As [`TokenSource::read`].
    fn document_starts(&self, range: Range<usize>) -> Result<Vec<usize>, DataError> {
        Ok(if range.contains(&0) { vec![0] } else { Vec::new() })
    }
}

impl TokenSource for [u32] {
    fn len(&self) -> usize {
        <[u32]>::len(self)
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        out.copy_from_slice(&self[start..start + out.len()]);
        Ok(())
    }
}

impl TokenSource for Vec<u32> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        self.as_slice().read(start, out)
    }
}

impl<S: TokenSource + ?Sized> TokenSource for &S {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        (**self).read(start, out)
    }

    fn document_starts(&self, range: Range<usize>) -> Result<Vec<usize>, DataError> {
        (**self).document_starts(range)
    }
}

/// A source with a list of where its documents begin.
///
/// ```
/// use data::dataset::{TokenSource, WithDocuments};
/// let source = WithDocuments::new(vec![1, 2, 3, 4, 5], vec![0, 3])?;
/// assert_eq!(source.document_starts(1..5)?, [3]);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WithDocuments<S> {
    source: S,
    starts: Vec<usize>,
}

impl<S: TokenSource> WithDocuments<S> {
    /// The source and the positions of the first tokens of its documents.
    ///
    /// # Errors
    /// If they are not in ascending order or not in the source.
    pub fn new(source: S, starts: Vec<usize>) -> Result<Self, DataError> {
        let len = source.len();
        let ascending = starts.windows(2).all(|two| two[0] < two[1]);
        if !ascending || starts.last().is_some_and(|&last| last >= len) {
            let found = format!("{starts:?} for {len} tokens");
            let expected = "positions of the tokens in ascending order";
            return Err(DataError::InvalidSetting { name: "document starts", found, expected });
        }
        Ok(WithDocuments { source, starts })
    }
}

impl<S: TokenSource> TokenSource for WithDocuments<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        self.source.read(start, out)
    }

    fn document_starts(&self, range: Range<usize>) -> Result<Vec<usize>, DataError> {
        let first = self.starts.partition_point(|&start| start < range.start);
        Ok(self.starts[first..].iter().copied().take_while(|&start| start < range.end).collect())
    }
}

/// A range of another source: its training part, its validation part.
#[derive(Clone, Debug)]
pub struct SourcePart<'a, S: ?Sized> {
    source: &'a S,
    range: Range<usize>,
}

impl<'a, S: TokenSource + ?Sized> SourcePart<'a, S> {
    /// The tokens `range` of a source.
    ///
    /// # Panics
    /// If the range reaches beyond the source.
    #[track_caller]
    pub fn new(source: &'a S, range: Range<usize>) -> Self {
        let len = source.len();
        assert!(range.start <= range.end && range.end <= len, "tokens {range:?} of a source of {len}");
        SourcePart { source, range }
    }
}

impl<S: TokenSource + ?Sized> TokenSource for SourcePart<'_, S> {
    fn len(&self) -> usize {
        self.range.len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        let (end, len) = (start + out.len(), self.len());
        assert!(end <= len, "tokens {start}..{end} of a part of {len}");
        self.source.read(self.range.start + start, out)
    }

    fn document_starts(&self, range: Range<usize>) -> Result<Vec<usize>, DataError> {
        let offset = self.range.start;
        let mut starts = self.source.document_starts(range.start + offset..range.end + offset)?;
        starts.iter_mut().for_each(|start| *start -= offset);
        Ok(starts)
    }
}

/// [`train_val_split`](crate::train_val_split) for any source: the same cut, nothing copied.
///
/// # Errors
/// If the fraction is not between 0 and 1, or a part would be empty.
pub fn split_source<S: TokenSource + ?Sized>(
    source: &S,
    train_fraction: f64,
) -> Result<(SourcePart<'_, S>, SourcePart<'_, S>), DataError> {
    let (n, len) = (cut(source.len(), train_fraction)?, source.len());
    Ok((SourcePart::new(source, 0..n), SourcePart::new(source, n..len)))
}
