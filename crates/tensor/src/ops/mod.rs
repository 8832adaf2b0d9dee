//! The operations, one a file, and their registry.
//!
//! To add one: write `ops/<name>.rs` after the pattern of its neighbours (formula, derivation, method of
//! [`Var`](crate::Var), struct, `impl Op`, `CASE`), and add one line to `registry!` below. The tests walk
//! [`OPS`], so what is in the registry is checked: forward against definition, backward against numeric
//! gradient, accumulation, determinism, wrong shapes. A file that is not in the registry fails a test.

use crate::gradcheck::Draw;
use crate::{Grad, Op, Saved, Shape, ShapeError, View};
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
    embedding, layer_norm, rms_norm, cross_entropy, bce_with_logits, mse, gelu, dropout,
    linear, linear_cross_entropy, feed_forward, attention, rotary, blend, soft_cap,
}

/// A boxed operation is an operation, so that registries and wrappers can hold them.
impl Op for Box<dyn Op> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        (**self).output_shape(inputs)
    }
    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        (**self).forward(x, y, saved);
    }
    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        (**self).backward(x, y, dy, saved, dx);
    }
    fn rows_reached(&self, input: usize) -> Option<&[u32]> {
        (**self).rows_reached(input)
    }
    fn passes_on(&self) -> bool {
        (**self).passes_on()
    }
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        (**self).definition(x)
    }
}
