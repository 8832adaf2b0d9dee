//! A tensor and plain numbers: y = scale x + shift, so dx = scale dy. Nothing is saved.
//!
//! This is what `x * 2.0`, `1.0 - x` and their like are. The numbers are part of the operation, and get no
//! gradient.

use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;
use std::ops::{Add, Div, Mul, Sub};

impl<'t> Var<'t> {
    /// `scale x + shift`, element by element. The operators with one f32 operand are this:
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[1.0, 2.0]).into_dyn());
    /// assert_eq!(x.affine(2.0, 1.0).value(), ndarray::arr1(&[3.0, 5.0]).into_dyn());
    /// assert_eq!((2.0 * x + 1.0).value(), x.affine(2.0, 1.0).value());
    /// assert_eq!((1.0 - x / 2.0).value(), x.affine(-0.5, 1.0).value());
    /// ```
    #[must_use]
    pub fn affine(self, scale: f32, shift: f32) -> Var<'t> {
        self.apply(Affine { scale, shift }, &[])
    }
}

/// An operator with one f32 operand, as scale and shift.
macro_rules! operator {
    ($trait:ident, $method:ident, $a:ident: $A:ty, $b:ident: $B:ty, $x:ident, $scale:expr, $shift:expr) => {
        impl<'t> $trait<$B> for $A {
            type Output = Var<'t>;
            fn $method(self, $b: $B) -> Var<'t> {
                let $a = self;
                $x.affine($scale, $shift)
            }
        }
    };
}

operator!(Add, add, x: Var<'t>, c: f32, x, 1.0, c);
operator!(Add, add, c: f32, x: Var<'t>, x, 1.0, c);
operator!(Sub, sub, x: Var<'t>, c: f32, x, 1.0, -c);
operator!(Sub, sub, c: f32, x: Var<'t>, x, -1.0, c);
operator!(Mul, mul, x: Var<'t>, c: f32, x, c, 0.0);
operator!(Mul, mul, c: f32, x: Var<'t>, x, c, 0.0);
operator!(Div, div, x: Var<'t>, c: f32, x, 1.0 / c, 0.0);

/// y = scale x + shift
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// The factor.
    pub scale: f32,
    /// The term.
    pub shift: f32,
}

impl Lanewise<1> for Affine {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        s.fma(s.splat(self.scale), x, s.splat(self.shift))
    }
}

impl Op for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(*self, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = scale x + shift: dx = scale dy
        vmath::map(vmath::Scaled(self.scale), [dy], dx.to, dx.accum);
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        &x[0] * f64::from(self.scale) + f64::from(self.shift)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "affine",
    sample: |draw| {
        let shape = draw.any_shape();
        let op = Affine { scale: draw.choose(&[-1.0, 0.5, 3.0]), shift: draw.choose(&[0.0, -0.3, 10.0]) };
        // All positive, and the shift added to it: no output is a small difference of large numbers.
        let sign = if op.scale * op.shift < 0.0 { -1.0 } else { 1.0 };
        Sample::new(op, [draw.array_in(&shape, 0.1, 2.0).mapv(|x| sign * x)])
    },
    misfits: Vec::new,
};
