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
