//! The operations, one a file, and their registry.
//!
//! To add one: write `ops/<name>.rs` after the pattern of its neighbours (formula, derivation, method of
//! [`Var`](crate::Var), struct, `impl Op`, `CASE`), and add one line to `registry!` below. The tests walk
//! [`OPS`], so what is in the registry is checked: forward against definition, backward against numeric
//! gradient, accumulation, determinism, wrong shapes. A file that is not in the registry fails a test.

use crate::gradcheck::Draw;
use crate::{Op, Shape};
use ndarray::ArrayD;

/// What the tests need to know about an operation beside its `impl Op`.
pub struct Case {
    /// The operation's name, which is its file's.
    pub name: &'static str,
    /// A random operation with random inputs in its domain: hyper-parameters, ranks and sizes (also 1) vary.
    pub sample: fn(&mut Draw) -> Sample,
    /// Inputs that the operation must refuse, each with a word on why. Empty only for unary operations
    /// that take any shape.
    pub misfits: fn() -> Vec<Misfit>,
}

/// An operation, and shapes that it must refuse.
pub type Misfit = (Box<dyn Op>, Vec<Shape>);

/// An operation and inputs for it.
pub struct Sample {
    /// The operation.
    pub op: Box<dyn Op>,
    /// What it is applied to.
    pub inputs: Vec<ArrayD<f32>>,
}

impl Sample {
    /// An operation and inputs for it.
    pub fn new(op: impl Op + 'static, inputs: impl Into<Vec<ArrayD<f32>>>) -> Self {
        Self { op: Box::new(op), inputs: inputs.into() }
    }
}

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
    add, sub, mul, div, neg, affine, exp, ln, tanh, relu, sum, mean, matmul, softmax,
    reshape, transpose, slice, concat, gather, broadcast,
    // fused
    embedding, layer_norm, rms_norm, cross_entropy, gelu, dropout,
    linear, feed_forward, attention,
}
