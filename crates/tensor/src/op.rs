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

use crate::grad::Grad;
use crate::saved::Saved;
use crate::shape::View;
use crate::{Shape, ShapeError};
use ndarray::ArrayD;
use std::fmt::Debug;

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

    /// For each input i that wants a gradient: `dx[i] = J_i^T dy`, written or added as [`Grad::accum`] says. `dy` is
    /// dL/dy, the derivative of the loss by the output; J_i is the Jacobian matrix of y by input i (`docs/autodiff.md`), of
    /// which only this product is computed. There is no default: an operation without a gradient does not compile.
    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]);

    /// The only rows of input i, a matrix, that the backward writes; an optimizer may skip all others of a large table.
    /// `None`: it may write any.
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
