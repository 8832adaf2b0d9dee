//! The Gaussian error linear unit (Hendrycks & Gimpel 2016, <https://arxiv.org/abs/1606.08415>), and GPT-2's
//! approximation of it.
//!
//! With Phi the distribution function of the normal distribution and phi = Phi' its density:
//!
//! $$ y = x\,\Phi(x) = \tfrac{x}{2}\left(1 + \operatorname{erf}\tfrac{x}{\sqrt2}\right)
//!    \quad\Rightarrow\quad \frac{dy}{dx} = \Phi(x) + x\,\varphi(x) $$
//!
//! $$ y \approx \tfrac{x}{2} (1 + \tanh u), \quad u = \sqrt{2/\pi}\,(x + 0.044715\,x^3)
//!    \quad\Rightarrow\quad \frac{dy}{dx} = \tfrac12 (1 + \tanh u) + \tfrac{x}{2} (1 - \tanh^2 u)\, u' $$
//!
//! Nothing is saved: the slope is computed again from x. One exponential an element either way, and about
//! thirty operations.

use crate::kernels::activation::{self, Activate};
use crate::kernels::simd::Simd;
use crate::kernels::vmath::{self, Lanewise};
use crate::{Accum, Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::ArrayD;

impl<'t> Var<'t> {
    /// x Phi(x), element by element.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let y = tape.constant(&ndarray::arr1(&[-1.0, 0.0, 1.0]).into_dyn()).gelu().value();
    /// assert!((y[0] + 0.158_655_25).abs() < 1e-7 && y[1] == 0.0 && (y[2] - 0.841_344_8).abs() < 1e-6);
    /// ```
    #[must_use]
    pub fn gelu(self) -> Var<'t> {
        self.apply(Gelu { approximation: Approximation::None }, &[])
    }

    /// GPT-2's approximation of [`Var::gelu`] by a tanh.
    #[must_use]
    pub fn gelu_tanh(self) -> Var<'t> {
        self.apply(Gelu { approximation: Approximation::Tanh }, &[])
    }
}

/// Which GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approximation {
    /// The exact one.
    None,
    /// GPT-2's.
    Tanh,
}

/// y = x Phi(x)
#[derive(Clone, Copy, Debug)]
pub struct Gelu {
    /// Exact, or GPT-2's.
    pub approximation: Approximation,
}

/// f(x)
#[derive(Clone, Copy)]
struct Value<F>(F);
impl<F: Activate> Lanewise<1> for Value<F> {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        self.0.at(s, x).0
    }
}

/// f'(x) dy
#[derive(Clone, Copy)]
struct Slope<F>(F);
impl<F: Activate> Lanewise<2> for Slope<F> {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x, dy]: [S::V; 2]) -> S::V {
        s.mul(self.0.at(s, x).1, dy)
    }
}

impl Op for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let x = [x[0].data];
        match self.approximation {
            Approximation::None => vmath::map(Value(activation::Gelu), x, y, Accum::Replace),
            Approximation::Tanh => vmath::map(Value(activation::GeluTanh), x, y, Accum::Replace),
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let Some(dx) = &mut dx[0] else { return };
        // y = gelu(x): dx = gelu'(x) dy
        let x = [x[0].data, dy];
        match self.approximation {
            Approximation::None => vmath::map(Slope(activation::Gelu), x, dx.to, dx.accum),
            Approximation::Tanh => vmath::map(Slope(activation::GeluTanh), x, dx.to, dx.accum),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        match self.approximation {
            Approximation::None => x[0].mapv(|x| x * normal_cdf(x)),
            Approximation::Tanh => x[0].mapv(|x| {
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + u.tanh())
            }),
        }
    }
}

/// Phi(x) in f64: for |x| < 6 by the series 1/2 + phi(x) (x + x^3/3 + x^5/(3*5) + ...), whose terms all have
/// the sign of x (Abramowitz & Stegun 26.2.11). The standard library has no erf.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    if x.abs() >= 6.0 {
        return if x > 0.0 { 1.0 } else { 0.0 }; // within 1e-9
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * random::exp(-0.5 * x * x) / std::f64::consts::TAU.sqrt()
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "gelu",
    sample: |draw| {
        let shape = draw.any_shape();
        let approximation = draw.choose(&[Approximation::None, Approximation::Tanh]);
        let spread = draw.choose(&[0.1, 1.0, 4.0]);
        let mut x = draw.array_in(&shape, -spread, spread);
        // Errors are judged by the largest gradient, so one slope is not near the zero at -0.75.
        x.iter_mut().take(1).for_each(|x| *x = 1.0);
        Sample::new(Gelu { approximation }, [x])
    },
    misfits: Vec::new,
};
