//! The operations, one a file, and their registry.
//!
//! To add one: write `ops/<name>.rs` after the pattern of its neighbours (formula, derivation, method of
//! [`Var`](crate::Var), struct, `impl Op`, `CASE`), and add its name to `registry!` below and a row to the table of the
//! crate's README. The tests walk [`OPS`], so what is in the registry is checked: forward against definition, backward
//! against numeric gradient, accumulation, determinism, wrong shapes. A file that is not in the registry fails a test.

pub use crate::case::{Case, Misfit, Sample};

/// Declares the modules and lists their cases.
macro_rules! registry {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every operation of this crate.
        pub const OPS: &[Case] = &[$($name::CASE),*];
    };
}

registry! {
    // primitive
    add, sub, mul, div, neg, affine, exp, ln, tanh, sin, relu, sum, mean, matmul, softmax,
    reshape, transpose, slice, concat, gather, broadcast,
    // fused
    embedding, layer_norm, rms_norm, cross_entropy, bce_with_logits, mse, gelu, dropout,
    linear, linear_cross_entropy, feed_forward, attention, rotary, blend, soft_cap,
}
