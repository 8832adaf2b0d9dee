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

    /// Keeps `N` parts of these lengths until the backward, to be filled now; for a forward to call once.
    /// The backward finds them by position: `saved.get(0)` is the first.
    pub fn keep<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
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
