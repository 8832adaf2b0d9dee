//! What the tests over all operations need to know of each: the last lines of its file.

use crate::Shape;
use crate::draw::Draw;
use crate::op::Op;
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
