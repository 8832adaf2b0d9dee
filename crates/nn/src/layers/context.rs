//! What the layers of one forward pass share.

use super::cache::Growing;
use std::sync::{Arc, LazyLock};
use tensor::kernels::attention::Intervals;
use tensor::{Tape, Var};

/// What is seen without caches, of a pass that has some.
static NOBODY: LazyLock<Arc<Intervals>> =
    LazyLock::new(|| Arc::new(Intervals::new(Vec::new(), Vec::new(), 1)));

/// One forward pass: its tape, the shape of its ids, who sees whom and, while generating, the caches of its sequences. A
/// model makes it, hands it through its layers, and drops it with the tape.
///
/// The same layers compute with and without caches. Without them all positions of (B, T) are there; with them the (B, T) are
/// the new positions of B sequences, each of which sees its cache, too.
pub struct Context<'t, 'c> {
    /// Where values are computed.
    pub tape: &'t Tape<'t>,
    /// (B, T): sequences, and positions of each.
    pub shape: [usize; 2],
    /// Which positions each one sees, without caches.
    pub intervals: Arc<Intervals>,
    /// What the residual stream began as, (B, T, C), for the blocks that read it again.
    pub embedding: Option<Var<'t>>,
    /// The values of the first layer, (B, T, NKV hs), for the layers that blend theirs with them.
    pub first_values: Option<Var<'t>>,
    /// The sequences that grow, while generating.
    pub growing: Option<Growing<'c>>,
}

impl<'t, 'c> Context<'t, 'c> {
    /// All positions of ids of `shape` (B, T) at once.
    #[must_use]
    pub fn new(tape: &'t Tape<'t>, shape: [usize; 2], intervals: Arc<Intervals>) -> Self {
        Self { tape, shape, intervals, embedding: None, first_values: None, growing: None }
    }

    /// New positions behind those of caches, on a tape that does not record.
    #[must_use]
    pub fn with_caches(tape: &'t Tape<'t>, growing: Growing<'c>) -> Self {
        let time = growing.new.iter().copied().max().unwrap_or(0);
        let shape = [growing.new.len(), time];
        Self { growing: Some(growing), ..Self::new(tape, shape, Arc::clone(&NOBODY)) }
    }
}
