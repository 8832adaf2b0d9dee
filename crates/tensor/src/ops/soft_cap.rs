//! A soft bound on logits: y = c tanh(x / c), near x where |x| is small and never beyond +-c (Gemma 2: arXiv 2408.00118).
//!
//! No single logit can run away, and its gradient fades instead of a prediction becoming certain:
//!
//! $$ y = c \tanh(x / c), \qquad dx = \left( 1 - (y / c)^2 \right) dy $$
//!
//! The backward needs only the output; nothing is saved.

pub use crate::kernels::soft_cap::SoftCap;
use crate::kernels::vmath;
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// `cap` tanh(x / `cap`), element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::arr1(&[0.0, 1e6, -1e6]).into_dyn());
    /// assert_eq!(x.soft_cap(15.0).value(), ndarray::arr1(&[0.0, 15.0, -15.0]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If the cap is not positive.
    #[track_caller]
    #[must_use]
    pub fn soft_cap(self, cap: f32) -> Var<'t> {
        self.apply(SoftCap::new(cap), &[])
    }
}

impl Op for SoftCap {
    fn name(&self) -> &'static str {
        "soft_cap"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        vmath::map(*self, [x[0].data], y, Accum::Replace);
    }

    fn backward(&self, _: &[View<'_>], y: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = c tanh(x / c): dx = (1 - (y / c)^2) dy
        vmath::map(self.slope(), [y, dy], dx.to, dx.accum);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let cap = f64::from(self.cap);
        x[0].mapv(|x| cap * (x / cap).tanh())
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "soft_cap",
    sample: |draw| {
        let shape = draw.any_shape();
        // Up to twice the cap, where the slope is not yet a small difference of ones.
        Sample::new(SoftCap { cap: draw.choose(&[0.5, 1.0, 15.0]) }, [draw.array_in(&shape, -1.0, 1.0)])
    },
    misfits: Vec::new,
};
