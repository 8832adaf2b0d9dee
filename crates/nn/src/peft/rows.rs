//! The part of a weight that a method changes.

use tensor::Var;

/// Rows of a weight: outputs `start..end` of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The first.
    pub start: usize,
    /// The one behind the last.
    pub end: usize,
}

impl Rows {
    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.end - self.start
    }

    /// `x` (n, ..) with its rows of this range replaced by what `change` makes of them.
    pub(super) fn of<'t>(self, x: Var<'t>, change: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
        let n = x.shape()[0];
        if self.start == 0 && self.end == n {
            return change(x);
        }
        let mut parts = Vec::with_capacity(3);
        if self.start > 0 {
            parts.push(x.slice(0, 0, self.start));
        }
        parts.push(change(x.slice(0, self.start, self.end)));
        if self.end < n {
            parts.push(x.slice(0, self.end, n));
        }
        parts[0].concat(0, &parts[1..])
    }
}
