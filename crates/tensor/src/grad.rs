//! Where a gradient goes: to a place that holds nothing yet, or to one that others have written to.
//!
//! This is all that kernels know of differentiation.

/// Whether a gradient is the first to arrive at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// The first: overwrite whatever is there. Nobody fills with zeros.
    Replace,
    /// A later one: add.
    Add,
}

/// Where a gradient goes.
pub struct Grad<'a> {
    /// The destination, of the input's length. Stale numbers if `accum` is `Replace`.
    pub to: &'a mut [f32],
    /// Overwrite, or add.
    pub accum: Accum,
}

impl Grad<'_> {
    /// Writes `value(i)` to every element, or adds it.
    #[inline]
    pub fn write(&mut self, value: impl Fn(usize) -> f32) {
        match self.accum {
            Accum::Replace => self.to.iter_mut().enumerate().for_each(|(i, to)| *to = value(i)),
            Accum::Add => self.to.iter_mut().enumerate().for_each(|(i, to)| *to += value(i)),
        }
    }
}
