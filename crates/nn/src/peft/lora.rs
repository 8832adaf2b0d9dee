//! LoRA: low-rank adaptation.
//!
//! W' = W + (alpha / r) B A,   A (r, n_in), B (n_out, r)
//!
//! A begins uniform in +-1/sqrt(n_in) and B at zero, so W' begins as W. With r = 4 a matrix of 192 x 192 has 1,536
//! trained numbers instead of 36,864. alpha / r keeps the length of a step the same whatever the rank is.
//!
//! Hu et al. 2021 (arXiv 2106.09685); the initial values are those of their program and of Hugging Face's peft.

use super::Rows;
use crate::{Init, ParamBuilder};
use tensor::{ParamId, Var};

/// The change of some rows of a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lora {
    /// A (r, n_in)
    pub a: ParamId,
    /// B (rows, r)
    pub b: ParamId,
    /// Which rows it is added to: those of the queries in a packed projection, for instance.
    pub rows: Rows,
    /// alpha / r
    pub scale: f32,
}

impl Lora {
    /// Parameters `lora_A.weight` and `lora_B.weight`.
    #[must_use]
    pub fn new(mut builder: ParamBuilder<'_>, n_in: usize, rows: Rows, rank: usize, alpha: f32) -> Self {
        Self {
            a: builder.pp("lora_A").add("weight", [rank, n_in], Init::LinearUniform),
            b: builder.pp("lora_B").add("weight", [rows.count(), rank], Init::Zeros),
            rows,
            scale: alpha / rank as f32,
        }
    }

    pub(super) fn weight<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let tape = weight.tape();
        let product = tape.param(self.b).matmul(tape.param(self.a)); // (rows, n_in)
        self.rows.of(weight, |rows| rows + self.scale * product)
    }
}
