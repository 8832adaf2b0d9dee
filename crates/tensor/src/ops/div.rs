//! Element-wise quotient with numpy's broadcasting: y = a / b.
//!
//! $$ da = \frac{dy}{b}, \qquad db = -\frac{a}{b^2}\,dy = -\frac{y}{b}\,dy $$
//!
//! summed over the axes along which an operand was broadcast. The inputs are still on the tape, so nothing
//! is saved. Dividing by zero gives an infinity, as everywhere in floating point.

use crate::kernels::broadcast;
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, MAX_RANK, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> std::ops::Div for Var<'t> {
    type Output = Var<'t>;

    /// `a / b`, element by element, broadcasting as numpy does.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let a = tape.constant(&ndarray::arr1(&[6.0, 7.0]).into_dyn());
    /// let b = tape.constant(&ndarray::arr1(&[2.0]).into_dyn());
    /// assert_eq!((a / b).value(), ndarray::arr1(&[3.0, 3.5]).into_dyn());
    /// ```
    #[track_caller]
    fn div(self, other: Var<'t>) -> Var<'t> {
        self.apply(Div, &[other])
    }
}

/// y = a / b
#[derive(Clone, Copy, Debug)]
pub struct Div;

impl Lanewise<2> for Div {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [a, b]: [S::V; 2]) -> S::V {
        s.div(a, b)
    }
}

/// -y dy / b
#[derive(Clone, Copy)]
struct ByDivisor;
impl Lanewise<3> for ByDivisor {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [y, dy, b]: [S::V; 3]) -> S::V {
        s.sub(s.splat(0.0), s.div(s.mul(y, dy), b))
    }
}

impl Op for Div {
    fn name(&self) -> &'static str {
        "div"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        broadcast::output_shape(x)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        if x[0].shape == x[1].shape {
            vmath::map(Div, [x[0].data, x[1].data], y, Accum::Replace);
        } else {
            broadcast::zip(x[0], x[1], y, |a, b| a / b);
        }
    }

    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let (a, b) = (x[0], x[1]);
        let output = View { data: dy, shape: broadcast::output_shape(&[a.shape, b.shape]).expect("checked") };
        let (in_a, in_b) =
            (broadcast::strides(a.shape, output.shape), broadcast::strides(b.shape, output.shape));
        let at = |x: View<'_>, index: &[usize], strides: &[usize; MAX_RANK]| {
            x.data[broadcast::offset(index, strides)]
        };
        // y = a / b: da = dy / b
        match &mut dx[0] {
            Some(da) if a.shape == b.shape => vmath::map(Div, [dy, b.data], da.to, da.accum),
            Some(da) => broadcast::reduce(output, a.shape, da, |i, dy| dy / at(b, i, &in_b)),
            None => {}
        }
        // y = a / b: db = -a / b^2 dy = -y / b dy
        match &mut dx[1] {
            Some(db) if a.shape == b.shape => vmath::map(ByDivisor, [y, dy, b.data], db.to, db.accum),
            Some(db) => broadcast::reduce(output, b.shape, db, |i, dy| {
                let b = at(b, i, &in_b);
                -(at(a, i, &in_a) / b) * dy / b
            }),
            None => {}
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        &x[0] / &x[1]
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "div",
    sample: |draw| {
        let [a, b] = draw.shapes_that_broadcast();
        // Away from the pole at zero, on both sides of it.
        let sign = draw.choose(&[-1.0_f32, 1.0]);
        let b = draw.array_in(&b, 0.5, 2.0).mapv(|b| sign * b);
        Sample::new(Div, [draw.array(&a), b])
    },
    misfits: || vec![(Box::new(Div), vec![[2, 3].into(), [4].into()])],
};
