//! What an operation keeps from its forward for its backward.

use crate::workspace::{ALIGN_FLOATS, Buffer, Workspace};

/// What a forward keeps for its backward beside inputs and output, and scratch memory for both.
pub struct Saved {
    kept: Option<Buffer>, // the parts one behind the other, each from a cache line on
    lengths: [usize; Saved::PARTS], // of the parts
    workspace: Workspace,
}

impl Saved {
    /// The most parts that a forward can keep.
    pub const PARTS: usize = 4;

    pub(crate) fn new(workspace: &Workspace) -> Self {
        Self { kept: None, lengths: [0; Self::PARTS], workspace: workspace.clone() }
    }

    /// Keeps `N` parts of these lengths until the backward, to be filled now. The backward finds them by position:
    /// `saved.get(0)` is the first.
    ///
    /// # Panics
    /// If a forward calls it a second time, or there are more than [`Saved::PARTS`].
    #[track_caller]
    pub fn keep<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
        assert!(self.kept.is_none(), "keep: a forward keeps all its parts by one call");
        assert!(N <= Self::PARTS, "keep: expected at most {} parts; found {N}", Self::PARTS);
        self.lengths[..N].copy_from_slice(&lengths);
        let mut rest = &mut self.kept.insert(self.workspace.take(self.start(N)))[..];
        lengths.map(|len| rest.split_off_mut(..padded(len)).map_or(&mut [][..], |part| &mut part[..len]))
    }

    /// What `keep` kept, by position.
    ///
    /// # Panics
    /// If the forward kept fewer.
    #[must_use]
    pub fn get(&self, position: usize) -> &[f32] {
        let kept = self.kept.as_ref().expect("the forward keeps what the backward asks for");
        &kept[self.start(position)..][..self.lengths[position]]
    }

    fn start(&self, position: usize) -> usize {
        self.lengths[..position].iter().copied().map(padded).sum()
    }

    /// Scratch memory with unspecified contents, returned to the pool when dropped.
    #[must_use]
    pub fn scratch(&self, len: usize) -> Buffer {
        self.workspace.take(len)
    }

    /// Bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        self.lengths.iter().sum::<usize>() * size_of::<f32>()
    }
}

/// A length in whole cache lines.
fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN_FLOATS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_apart_and_begin_on_cache_lines() {
        let mut saved = Saved::new(&Workspace::poisoned());
        let parts = saved.keep([3, 0, 17]);
        assert_eq!(parts.each_ref().map(|part| part.len()), [3, 0, 17]);
        assert!([0, 2].iter().all(|&i| parts[i].as_ptr().align_offset(64) == 0));
        parts.into_iter().zip([1.0, 2.0, 3.0]).for_each(|(part, value)| part.fill(value));
        assert_eq!(saved.get(0), [1.0; 3]);
        assert!(saved.get(1).is_empty());
        assert_eq!(saved.get(2), [3.0; 17]);
        assert_eq!(saved.bytes(), 80);
    }

    #[test]
    #[should_panic(expected = "by one call")]
    fn what_was_kept_is_not_lost_to_a_second_call() {
        let mut saved = Saved::new(&Workspace::new());
        let _ = saved.keep([1]);
        let _ = saved.keep([2]);
    }
}
