//! The natural logarithm: y = ln x, so dx = dy / x. Nothing is saved.
//!
//! Computed in f64 by `random::ln`, one element at a time: the standard library's logarithm may differ
//! between machines. ln 0 = -inf, and the logarithm of a negative number is NaN.

use crate::kernels::parallel;
use crate::kernels::vmath;
use crate::ops::div::Div;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// ln x, element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, 2.0]).into_dyn());
    /// assert_eq!(x.ln().value(), ndarray::arr1(&[0.0, std::f32::consts::LN_2]).into_dyn());
    /// ```
    #[must_use]
    pub fn ln(self) -> Var<'t> {
        self.apply(Ln, &[])
    }
}

/// y = ln x
#[derive(Clone, Copy, Debug)]
pub struct Ln;

fn ln(x: f32) -> f32 {
    if x > 0.0 && x.is_finite() {
        random::ln(f64::from(x)) as f32 // a subnormal f32 is a normal f64
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else if x > 0.0 {
        f32::INFINITY
    } else {
        f32::NAN
    }
}

impl Op for Ln {
    fn name(&self) -> &'static str {
        "ln"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let chunk = parallel::chunk_len();
        parallel::for_each_chunk(y, chunk, |i, y| {
            y.iter_mut().zip(&x[0].data[i * chunk..]).for_each(|(y, x)| *y = ln(*x));
        });
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = ln x: dx = dy / x
        vmath::map(Div, [dy, x[0].data], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        x[0].mapv(f64::ln)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "ln",
    sample: |draw| {
        let shape = draw.any_shape();
        Sample::new(Ln, [draw.array_in(&shape, 0.2, 5.0)])
    },
    misfits: Vec::new,
};

#[cfg(test)]
mod tests {
    #[test]
    fn special_values() {
        assert_eq!(super::ln(0.0), f32::NEG_INFINITY);
        assert_eq!(super::ln(f32::INFINITY), f32::INFINITY);
        assert!(super::ln(-1.0).is_nan() && super::ln(f32::NAN).is_nan());
        assert!((super::ln(1e-42) + 96.7).abs() < 0.1); // subnormal
    }
}
