//! The embedding layer.

use crate::peft::Tuning;
use crate::{Init, Linear, ParamBuilder};
use tensor::{ParamId, Tape, Var};

/// A vector for each token (or position): the parameter `weight` `[count, width]`, of which the rows named
/// by the ids are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// The table.
    pub weight: ParamId,
}

impl Embedding {
    /// `count` vectors of `width` numbers, normal with standard deviation 0.02 as in GPT-2.
    #[track_caller]
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, count: usize, width: usize) -> Self {
        Self { weight: builder.add("weight", [count, width], Init::GPT2) }
    }

    /// ids, of the given shape, to (shape.., width)
    #[track_caller]
    #[must_use]
    pub fn forward<'t>(&self, tape: &'t Tape<'_>, ids: &[u32], shape: &[usize]) -> Var<'t> {
        tape.param(self.weight).embedding(ids, shape)
    }

    /// Token ids (B, T) to the sum of token and position vectors (B, T, C), in one pass over memory:
    /// y\[b, t\] = wte\[ids\[b, t\]\] + positions\[t\], where this layer is wte.
    #[track_caller]
    #[must_use]
    pub fn forward_with_positions<'t>(&self, positions: Var<'t>, ids: &[u32], shape: &[usize]) -> Var<'t> {
        positions.tape().param(self.weight).embedding_with_positions(positions, ids, shape)
    }

    /// The same table as a linear layer without bias, from vectors to a score for each token: the tied head
    /// of GPT-2 (Press & Wolf 2017, arXiv 1608.05859). Both uses send their gradients to one parameter.
    #[must_use]
    pub fn as_linear(&self) -> Linear {
        Linear { weight: self.weight, bias: None, tuning: Tuning::default() }
    }
}
