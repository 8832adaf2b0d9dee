//! Inverted dropout (Srivastava et al. 2014, <https://jmlr.org/papers/v15/srivastava14a.html>): each element
//! is zero with probability p, and divided by 1 - p otherwise, so that its expectation stays.
//!
//! $$ y_i = m_i x_i, \quad m_i \in \left\{0, \tfrac1{1-p}\right\} \quad\Rightarrow\quad dx_i = m_i\,dy_i $$
//!
//! m_i is a hash of (seed, i): see `kernels/mask.rs`. Nothing is saved; the backward computes the mask again,
//! which is cheaper than reading it from memory, and the same whatever the number of threads.

use crate::kernels::simd::{Kernel, Simd, dispatch};
use crate::kernels::{mask, parallel, vmath};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// Drops elements with probability `p` and scales the others by 1 / (1 - p). The same `seed` drops the
    /// same elements. With p = 0 this is the value itself, and nothing is recorded.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let x = tape.constant(&ndarray::ArrayD::ones(vec![1000]));
    /// let y = x.dropout(0.5, 42).value();
    /// assert!(y.iter().all(|y| *y == 0.0 || *y == 2.0));
    /// assert!((y.sum() - 1000.0).abs() < 100.0);
    /// assert_eq!(y, x.dropout(0.5, 42).value());
    /// ```
    ///
    /// # Panics
    /// If `p` is not a probability below 1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f32, seed: u64) -> Var<'t> {
        assert!((0.0..1.0).contains(&p), "dropout: expected a probability p with 0 <= p < 1; found {p}");
        if p == 0.0 { self } else { self.apply(Dropout { p, seed }, &[]) }
    }
}

/// y = mask x
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability of being dropped.
    pub p: f32,
    /// Which mask.
    pub seed: u64,
}

impl Dropout {
    /// Writes x times the mask.
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        let chunk = parallel::chunk_len();
        parallel::for_each_chunk(y, chunk, |i, y| {
            y.copy_from_slice(&x[i * chunk..][..y.len()]);
            dispatch(Masked { op: self, first: (i * chunk) as u64, y });
        });
    }
}

struct Masked<'a> {
    op: &'a Dropout,
    first: u64,
    y: &'a mut [f32],
}

impl Kernel for Masked<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        mask::apply(self.op.p, self.op.seed, self.first, self.y);
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        self.apply(x[0].data, y);
    }

    fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = mask x: dx = mask dy
        match dx.accum {
            Accum::Replace => self.apply(dy, dx.to),
            Accum::Add => {
                let mut masked = saved.scratch(dy.len());
                self.apply(dy, &mut masked);
                vmath::add_assign(dx.to, &masked);
            }
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let mut mask = vec![1.0_f32; x[0].len()];
        mask::apply(self.p, self.seed, 0, &mut mask);
        let mask = ArrayD::from_shape_vec(x[0].raw_dim(), mask).expect("as many elements as x");
        &x[0] * &mask.mapv(f64::from)
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "dropout",
    sample: |draw| {
        let shape = draw.any_shape();
        let op = Dropout { p: draw.choose(&[0.0, 0.1, 0.5]), seed: draw.seed() };
        Sample::new(op, [draw.array(&shape)])
    },
    misfits: Vec::new,
};
