//! Prefix tuning: every position of every block sees p more, which are no text but learned keys and values.
//!
//! K' = [P_K; K],   V' = [P_V; V],   P_K, P_V (p, NKV hs)
//!
//! The first p rows of a sequence made p longer carry them; nobody asks what those rows answer. Keys are used as they are
//! learned: not normalised, and not turned, since a prefix stands nowhere.
//!
//! Li and Liang 2021 (arXiv 2101.00190), without their reparametrisation.

use crate::{Init, ParamBuilder};
use ndarray::ArrayD;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::{ParamId, Var};

/// Learned keys and values of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// (p, 2 NKV hs): keys, then values.
    pub keys_and_values: ParamId,
    /// p
    pub tokens: usize,
}

impl Prefix {
    /// The parameter `prefix`, normal with a standard deviation of 0.02.
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, tokens: usize, kv_width: usize) -> Self {
        Self { keys_and_values: builder.add("prefix", [tokens, 2 * kv_width], Init::GPT2), tokens }
    }

    /// Queries, keys and values (B, T, C + 2 NKV hs) with the prefix before them, (B, p + T, C + 2 NKV hs), and what each
    /// row then sees.
    ///
    /// # Panics
    /// If a position does not see the first one: it could not see the prefix either ([`Intervals::after`]).
    #[track_caller]
    #[must_use]
    pub fn before<'t>(&self, qkv: Var<'t>, intervals: &Intervals) -> (Var<'t>, Arc<Intervals>) {
        let (b, width) = (qkv.shape()[0], qkv.shape()[2]);
        let rows = qkv.tape().param(self.keys_and_values); // (p, 2 NKV hs)
        let queries = qkv.tape().constant(&ArrayD::zeros(vec![self.tokens, width - rows.shape()[1]]));
        let rows = queries.concat(1, &[rows]).broadcast_to([b, self.tokens, width]);
        (rows.concat(1, &[qkv]), Arc::new(intervals.after(self.tokens)))
    }

    /// What the text's positions answered: (B, p + T, C) to (B, T, C).
    #[must_use]
    pub fn without<'t>(&self, y: Var<'t>) -> Var<'t> {
        y.slice(1, self.tokens, y.shape()[1])
    }
}
