//! Parameter-efficient fine-tuning: a few new numbers are trained, and all the old ones stay as they are.
//!
//! | | what is trained | of a model with L blocks of width C |
//! |---|---|---|
//! | [`Lora`] | W' = W + (alpha / r) B A | 2 r C a square matrix |
//! | [`Ia3`] | keys, values and hidden features are scaled | (2 C + H) L |
//! | biases ("BitFit") | b | one number an output feature |
//! | [`Adapter`] | x + W_up gelu(W_down x + b) + b' after each layer | 2 (2 C m + m + C) L |
//! | [`Prefix`] | p keys and values before all others, in each block | 2 p C L |
//! | soft prompt | p vectors before the text | p C |
//!
//! The first three change a weight, W' = f(W), before it is used. A [`Linear`](crate::Linear) holds its change as a
//! [`Tuning`] and computes W' on the tape: a step of B T rows multiplies by W' B T times, so making W' costs next to
//! nothing, the fused kernels go on working, and *merging* is nothing but keeping W' ([`Tuning::weight`]), so a merged
//! model computes the same bits. Where each method begins, W' = W to the bit, but for prefixes and prompts.
//!
//! Which layers of a model get which is for the model to say: `gpt::peft`.

mod adapter;
mod ia3;
mod lora;
mod prefix;
mod rows;

pub use adapter::Adapter;
pub use ia3::Ia3;
pub use lora::Lora;
pub use prefix::Prefix;
pub use rows::Rows;

use tensor::Var;

/// What changes the weight of a linear layer, whose own numbers stay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tuning {
    /// Products of two thin matrices that are added: of queries, keys and values at most one each.
    pub lora: [Option<Lora>; 3],
    /// Factors of rows or columns.
    pub ia3: Option<Ia3>,
}

impl Tuning {
    /// Whether this changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.lora.iter().all(Option::is_none) && self.ia3.is_none()
    }

    /// The weight (n_out, n_in) as it is used.
    #[must_use]
    pub fn weight<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let weight = self.lora.iter().flatten().fold(weight, |weight, lora| lora.weight(weight));
        self.ia3.map_or(weight, |ia3| ia3.weight(weight))
    }

    /// The bias (n_out) as it is used.
    #[must_use]
    pub fn bias<'t>(&self, bias: Var<'t>) -> Var<'t> {
        self.ia3.map_or(bias, |ia3| ia3.bias(bias))
    }
}
