//! (IA)^3: infused adapter by inhibiting and amplifying inner activations.
//!
//! Keys, values and the hidden features of the feed-forward layer are multiplied by learned vectors that begin at 1:
//!
//! k' = l_k * k,   v' = l_v * v,   h' = l_ff * activation(c_fc x)
//!
//! A factor of an output is a factor of a row of the weight, and of its bias; a factor of an input is a factor of a
//! column. So l_k and l_v scale rows of `c_attn`, l_ff columns of `mlp.c_proj`.
//!
//! Liu et al. 2022 (arXiv 2205.05638).

use super::Rows;
use crate::{Init, ParamBuilder};
use tensor::{ParamId, Var};

/// Factors of rows or of columns of a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ia3 {
    /// Of the outputs `rows`: l (rows)
    Outputs {
        /// l
        l: ParamId,
        /// Which outputs.
        rows: Rows,
    },
    /// Of all inputs: l (n_in)
    Inputs {
        /// l
        l: ParamId,
    },
}

impl Ia3 {
    /// The parameter `ia3_l` of the factors of some outputs.
    #[must_use]
    pub fn outputs(mut builder: ParamBuilder<'_>, rows: Rows) -> Self {
        Self::Outputs { l: builder.add("ia3_l", [rows.count()], Init::Ones), rows }
    }

    /// The parameter `ia3_l` of the factors of `n_in` inputs.
    #[must_use]
    pub fn inputs(mut builder: ParamBuilder<'_>, n_in: usize) -> Self {
        Self::Inputs { l: builder.add("ia3_l", [n_in], Init::Ones) }
    }

    pub(super) fn param(self) -> ParamId {
        match self {
            Self::Outputs { l, .. } | Self::Inputs { l } => l,
        }
    }

    pub(super) fn weight<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let l = weight.tape().param(self.param());
        match self {
            Self::Outputs { rows, .. } => rows.of(weight, |w| {
                w * l.reshape([rows.count(), 1]).broadcast_to(w.shape()) // (rows, n_in)
            }),
            Self::Inputs { .. } => weight * l.broadcast_to(weight.shape()),
        }
    }

    pub(super) fn bias<'t>(&self, bias: Var<'t>) -> Var<'t> {
        match self {
            Self::Outputs { l, rows } => rows.of(bias, |b| b * b.tape().param(*l)),
            Self::Inputs { .. } => bias,
        }
    }
}
