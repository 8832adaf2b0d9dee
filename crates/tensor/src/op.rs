//! What an operation is: a shape rule, a forward, a backward, and a definition in f64.
//!
//! One operation is one file in `ops/`, and this trait is all it has to say. Write your own outside
//! this crate in the same way and hand it to [`Var::apply`](crate::Var::apply); `gradcheck` tells
//! whether its backward is right. A complete one:
//!
//! ```
//! use ndarray::ArrayD;
//! use tensor::{Grad, Op, Saved, Shape, ShapeError, View};
//!
//! /// y = x^2
//! #[derive(Debug)]
//! struct Square;
//!
//! impl Op for Square {
//!     fn name(&self) -> &'static str { "square" }
//!     fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> { Ok(x[0]) }
//!     fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
//!         for i in 0..y.len() { y[i] = x[0].data[i] * x[0].data[i]; }
//!     }
//!     fn backward(&self, x: &[View<'_>], _y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
//!         // y = x^2, so dL/dx = dL/dy * 2x
//!         if let Some(dx) = &mut dx[0] { dx.write(|i| dy[i] * 2.0 * x[0].data[i]); }
//!     }
//!     fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> { &x[0] * &x[0] }
//! }
//!
//! tensor::gradcheck::check(&Square, &[ndarray::arr1(&[1.0, -2.0, 0.5]).into_dyn()], 1).unwrap();
//! ```

use crate::workspace::{Buffer, Workspace};
use crate::{Shape, ShapeError};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::fmt::Debug;

/// A tensor to read: its numbers, row-major without gaps, and its shape.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The numbers, the last axis fastest.
    pub data: &'a [f32],
    /// The sizes of the axes.
    pub shape: Shape,
}

impl<'a> View<'a> {
    /// The same numbers as an ndarray view, for the operations that walk axes.
    #[must_use]
    pub fn array(&self) -> ArrayViewD<'a, f32> {
        ArrayViewD::from_shape(IxDyn(&self.shape), self.data).expect("row-major data of its own shape")
    }
}

/// Whether a gradient is the first to arrive at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// The first: overwrite whatever is there. Nobody fills with zeros.
    Replace,
    /// A later one: add.
    Add,
}

/// Where a gradient goes.
pub struct Grad<'a> {
    /// The destination, of the input's length. Stale numbers if `accum` is `Replace`.
    pub to: &'a mut [f32],
    /// Overwrite, or add.
    pub accum: Accum,
}

impl Grad<'_> {
    /// Writes `value(i)` to every element, or adds it.
    #[inline]
    pub fn write(&mut self, value: impl Fn(usize) -> f32) {
        match self.accum {
            Accum::Replace => self.to.iter_mut().enumerate().for_each(|(i, to)| *to = value(i)),
            Accum::Add => self.to.iter_mut().enumerate().for_each(|(i, to)| *to += value(i)),
        }
    }
}

/// What a forward keeps for its backward beside inputs and output, and scratch memory for both.
pub struct Saved {
    buffers: Vec<Buffer>,
    workspace: Workspace,
}

impl Saved {
    pub(crate) fn new(workspace: &Workspace) -> Self {
        Self { buffers: Vec::new(), workspace: workspace.clone() }
    }

    /// Keeps `N` buffers of these lengths until the backward, to be filled now.
    /// The backward finds them by position: `saved.get(0)` is the first.
    pub fn keep<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
        let start = self.buffers.len();
        self.buffers.extend(lengths.map(|len| self.workspace.take(len)));
        let mut new = self.buffers[start..].iter_mut();
        std::array::from_fn(|_| &mut new.next().expect("N buffers were just added")[..])
    }

    /// What `keep` kept, by position.
    ///
    /// # Panics
    /// If the forward kept fewer.
    #[must_use]
    pub fn get(&self, position: usize) -> &[f32] {
        &self.buffers[position]
    }

    /// Scratch memory with unspecified contents, returned to the pool when dropped.
    #[must_use]
    pub fn scratch(&self, len: usize) -> Buffer {
        self.workspace.take(len)
    }

    /// Bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        self.buffers.iter().map(|b| size_of_val(&b[..])).sum()
    }
}

/// A differentiable operation. Hyper-parameters are fields of the struct that implements it.
pub trait Op: Debug + Send {
    /// The name in messages and in printed tapes.
    fn name(&self) -> &'static str;

    /// The output's shape from the inputs' shapes.
    ///
    /// # Errors
    /// If the inputs do not fit; say what was expected.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError>;

    /// Computes the output from the inputs. `y` holds stale numbers: write all of it.
    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved);

    /// For each input i that wants a gradient: `dx[i] = (dy/dx_i)^T dy`, written or added as
    /// [`Grad::accum`] says. There is no default: an operation without a gradient does not compile.
    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]);

    /// The rows of input i, a matrix, that the backward writes to: what an optimizer then need not visit of a large
    /// table. `None`: any of them.
    fn rows_reached(&self, _input: usize) -> Option<&[u32]> {
        None
    }

    /// Whether dL/dx is dy itself for each input as large as the output (`add`): the sweep hands dy on, uncopied.
    fn passes_on(&self) -> bool {
        false
    }

    /// The truth, in f64 and as plainly as possible. It is what a learner reads first, what the
    /// numeric gradient differentiates, and what the fast forward is compared with.
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64>;
}
