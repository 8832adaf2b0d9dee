//! Batches of examples of about the same length.
//!
//! A batch is as long as its longest example, and the rest is padding. Of lengths drawn at random much
//! of a batch is; sorted into buckets first, little is. With lengths l and batches b the work is
//! sum over b of |b| max l, against sum of l without any padding.

use crate::DataError;
use random::Rng;

/// Divides examples of the given lengths into batches of at most `batch_size`, each of similar lengths,
/// in random order; every example is in one batch. Examples of equal length are mixed anew at every call.
///
/// ```
/// use data::dataset::bucket_by_length;
/// use random::{Rng, Stream};
/// let batches = bucket_by_length(&[9, 2, 8, 3], 2, &mut Rng::new(1, Stream::Data))?;
/// assert!(batches.contains(&vec![1, 3]) && batches.contains(&vec![2, 0]));
/// # Ok::<(), data::DataError>(())
/// ```
///
/// # Errors
/// If `batch_size` is 0, or there are more than 2^32 examples.
pub fn bucket_by_length(
    lengths: &[usize],
    batch_size: usize,
    rng: &mut Rng,
) -> Result<Vec<Vec<usize>>, DataError> {
    super::batch::check_positive("batch_size", batch_size)?;
    let n = u32::try_from(lengths.len()).map_err(|_| DataError::InvalidSetting {
        name: "number of examples",
        found: lengths.len().to_string(),
        expected: "fewer than 2^32",
    })?;
    let mut order: Vec<usize> = rng.permutation(n).into_iter().map(|i| i as usize).collect();
    order.sort_by_key(|&i| lengths[i]); // stable: equal lengths stay in their random order
    let batches: Vec<Vec<usize>> = order.chunks(batch_size).map(<[usize]>::to_vec).collect();
    let order = rng.permutation(batches.len() as u32);
    Ok(order.into_iter().map(|i| batches[i as usize].clone()).collect())
}
