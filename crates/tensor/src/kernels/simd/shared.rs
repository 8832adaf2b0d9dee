//! A slice that several threads write at once, in places that do not overlap.

use std::marker::PhantomData;

/// A mutable slice of which the tasks of one parallel loop each write their own part, where the parts are
/// not contiguous (tiles of a matrix, heads of a row) and `chunks_mut` cannot cut them.
#[derive(Clone, Copy)]
pub(crate) struct SharedSlice<'a> {
    start: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a `&mut [f32]`, which may go to other threads; `at` is the only access, and who
// calls it promises that no two threads touch the same elements.
unsafe impl Send for SharedSlice<'_> {}
unsafe impl Sync for SharedSlice<'_> {}

impl<'a> SharedSlice<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), lifetime: PhantomData }
    }

    /// A pointer to element `offset`, of which `needed` elements from there on exist.
    ///
    /// # Panics
    /// If they do not.
    #[inline(always)]
    pub(crate) fn at(&self, offset: usize, needed: usize) -> *mut f32 {
        assert!(offset <= self.len && needed <= self.len - offset, "outside of the slice");
        self.start.wrapping_add(offset)
    }
}
