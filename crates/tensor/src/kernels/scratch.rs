//! Scratch memory of a thread: packed panels, blocks of scores. It grows to the largest request and stays.

use crate::workspace::AlignedVec;
use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<AlignedVec> = RefCell::default();
}

/// Lends `N` slices of these lengths, each on a cache line, with unspecified contents.
///
/// # Panics
/// If called again inside `work`: a kernel asks for all of its scratch at once.
pub(crate) fn with<const N: usize, R>(lengths: [usize; N], work: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    SCRATCH.with_borrow_mut(|memory| {
        let padded = lengths.map(|len| len.next_multiple_of(16));
        let total = padded.iter().sum::<usize>();
        if memory.len() < total {
            *memory = AlignedVec::zeros(total);
        }
        let mut rest = &mut memory[..];
        let parts = std::array::from_fn(|i| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(padded[i]);
            rest = after;
            &mut part[..lengths[i]]
        });
        work(parts)
    })
}
