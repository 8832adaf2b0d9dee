//! A few labelled examples of each class, as in few-shot fine-tuning.

use crate::DataError;
use random::Rng;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Chooses `k` examples of every label, without replacement; answers their places in `labels`, sorted.
///
/// Results with few examples depend much on which ones they are: repeat with several seeds and report
/// the spread. Classes draw one after the other in the order of their labels, so the choice depends on
/// the labels, `k` and the generator alone.
///
/// ```
/// use data::dataset::k_shot;
/// use random::{Rng, Stream};
/// let labels = ["good", "bad", "good", "bad", "good"];
/// let chosen = k_shot(&labels, 2, &mut Rng::new(1, Stream::Data))?;
/// assert_eq!(chosen.iter().filter(|&&i| labels[i] == "bad").count(), 2);
/// assert_eq!(chosen.len(), 4);
/// # Ok::<(), data::DataError>(())
/// ```
///
/// # Errors
/// If `k` is 0, there are no examples, or a class has fewer than `k`.
pub fn k_shot<L: Ord + Display>(labels: &[L], k: usize, rng: &mut Rng) -> Result<Vec<usize>, DataError> {
    super::batch::check_positive("k", k)?;
    super::batch::check_positive("number of examples", labels.len())?;
    let mut classes: BTreeMap<&L, Vec<usize>> = BTreeMap::new();
    for (i, label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(i);
    }
    let mut chosen = Vec::with_capacity(k.min(labels.len()) * classes.len());
    for (label, mut places) in classes {
        if places.len() < k {
            return Err(DataError::InvalidSetting {
                name: "k",
                found: format!("{k}, but the label {label} has {} examples", places.len()),
                expected: "at most as many as the rarest label has",
            });
        }
        // The first k steps of a Fisher-Yates shuffle.
        for i in 0..k {
            let other = i + rng.below((places.len() - i) as u64) as usize;
            places.swap(i, other);
        }
        chosen.extend_from_slice(&places[..k]);
    }
    chosen.sort_unstable();
    Ok(chosen)
}
