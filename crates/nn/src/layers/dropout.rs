//! The dropout layer.

use tensor::{Tape, Var};

/// In training, sets each element to zero with probability `p` and divides the others by `1 - p`, so that
/// the expectation stays; otherwise does nothing (Srivastava et al. 2014). No parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f32,
}

impl Dropout {
    /// # Panics
    /// If `p` is not in `0 <= p < 1`.
    #[track_caller]
    #[must_use]
    pub fn new(p: f32) -> Self {
        assert!((0.0..1.0).contains(&p), "dropout: expected a probability 0 <= p < 1; found {p}");
        Self { p }
    }

    /// The same shape. The identity if `p` is 0, or the tape has no seeds for dropout or does not record.
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self.draw(x.tape()) {
            Some((p, seed)) => x.dropout(p, seed),
            None => x,
        }
    }

    /// The probability and the seed of a mask, for operations that drop out inside (attention), or `None`
    /// where nothing is dropped.
    #[must_use]
    pub fn draw(&self, tape: &Tape<'_>) -> Option<(f32, u64)> {
        if self.p == 0.0 { None } else { Some((self.p, tape.next_dropout_seed()?)) }
    }
}
