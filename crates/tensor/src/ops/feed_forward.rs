//! The feed-forward layer of a transformer: y = f(x W1^T + b1) W2^T + b2 (Vaswani et al. 2017, equation 2).
//!
//! With h = x W1^T + b1 and a = f(h), the chain rule from the output back:
//!
//! $$ da = dy\,W_2, \quad dW_2 = dy^\top a, \quad dh = da \odot f'(h), \quad dx = dh\,W_1, \quad dW_1 = dh^\top x $$
//!
//! and the biases' gradients are the sums of the rows of dy and dh. For SwiGLU (Shazeer 2020) h is
//! \[gate, up\], a = silu(gate) up, so dgate = da up silu'(gate) and dup = da silu(gate).
//!
//! One operation instead of three keeps one buffer, h, where three would keep h and a; a is computed again
//! in the backward together with f'(h). 4 M C F operations forward and 8 M C F backward.

pub use crate::kernels::feed_forward::Activation;
use crate::kernels::feed_forward::{WeightGrads, Weights, feed_forward_backward, feed_forward_forward};
use crate::kernels::gemm::Mat;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis, Slice};

impl<'t> Var<'t> {
    /// f(x W1^T + b1) W2^T + b2 over the last axis: x (.., C), W1 `c_fc` (F, C), W2 `c_proj` (N, F), biases
    /// (F) and (N). For [`Activation::SwiGlu`] `c_fc` has 2F rows: the gate's first, then the others.
    ///
    /// # Panics
    /// If the shapes do not fit, or only one of the biases is there.
    #[track_caller]
    #[must_use]
    pub fn feed_forward(
        self,
        c_fc: Var<'t>,
        c_fc_bias: Option<Var<'t>>,
        c_proj: Var<'t>,
        c_proj_bias: Option<Var<'t>>,
        activation: Activation,
    ) -> Var<'t> {
        let op = FeedForward { activation };
        match (c_fc_bias, c_proj_bias) {
            (Some(b1), Some(b2)) => self.apply(op, &[c_fc, c_proj, b1, b2]),
            (None, None) => self.apply(op, &[c_fc, c_proj]),
            _ => panic!("feed_forward: expected both biases or none; found one"),
        }
    }
}

/// y = f(x W1^T + b1) W2^T + b2; inputs x, W1, W2 and perhaps b1, b2
#[derive(Clone, Copy, Debug)]
pub struct FeedForward {
    /// f.
    pub activation: Activation,
}

impl FeedForward {
    fn weights<'a>(&self, x: &[View<'a>]) -> Weights<'a> {
        Weights {
            c_fc: x[1].data,
            c_proj: x[2].data,
            c_fc_bias: x.get(3).map(|b| b.data),
            c_proj_bias: x.get(4).map(|b| b.data),
            hidden: x[2].shape[1],
            activation: self.activation,
        }
    }
}

impl Op for FeedForward {
    fn name(&self) -> &'static str {
        "feed_forward"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let fits = (x.len() == 3 || x.len() == 5)
            && !x[0].is_empty()
            && x[1].len() == 2
            && x[2].len() == 2
            && x[0].last() == x[1].last()
            && x[1][0] == x[2][1] * self.activation.fan()
            && x.get(3).is_none_or(|b| b[..] == x[1][..1])
            && x.get(4).is_none_or(|b| b[..] == x[2][..1]);
        let fan = if self.activation.fan() == 2 { "2F" } else { "F" };
        let expected =
            format!("x [.., C], c_fc [{fan}, C], c_proj [N, F] and perhaps biases [{fan}] and [N]");
        ShapeError::unless(fits, &expected)?;
        Ok(x[0].with_last(x[2][0]))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let w = self.weights(x);
        let (rows, width) = x[0].shape.rows_and_width();
        let mut a = saved.scratch(rows * w.hidden);
        let [h] = saved.keep([rows * w.hidden * self.activation.fan()]);
        feed_forward_forward(Mat::new(x[0].data, rows, width), &w, h, &mut a, y);
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let w = self.weights(x);
        let (rows, width) = x[0].shape.rows_and_width();
        let h = saved.get(0);
        let (mut a, mut dh) = (saved.scratch(rows * w.hidden), saved.scratch(h.len()));
        let mut dx = dx.iter_mut().map(Option::as_mut);
        let mut next = || dx.next().flatten();
        let dx0 = next();
        // In the order of the inputs: W1, W2, b1, b2.
        let grads = WeightGrads { c_fc: next(), c_proj: next(), c_fc_bias: next(), c_proj_bias: next() };
        feed_forward_backward(Mat::new(x[0].data, rows, width), &w, h, dy, &mut a, &mut dh, dx0, grads);
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let linear = |x: &ArrayD<f64>, w: &ArrayD<f64>, b: Option<&ArrayD<f64>>| {
            let inputs: Vec<_> = [Some(x), Some(w), b].into_iter().flatten().cloned().collect();
            super::linear::Linear.definition(&inputs)
        };
        let h = linear(&x[0], &x[1], x.get(3));
        let last = Axis(h.ndim() - 1);
        let a = match self.activation {
            Activation::Gelu => h.mapv(|h| h * normal_cdf(h)),
            Activation::GeluTanh => {
                let u = |h: f64| (2.0 / std::f64::consts::PI).sqrt() * (h + 0.044715 * h.powi(3));
                h.mapv(|h| 0.5 * h * (1.0 + u(h).tanh()))
            }
            Activation::Relu2 => h.mapv(|h| h.max(0.0).powi(2)),
            Activation::SwiGlu => {
                let half = (h.len_of(last) / 2) as isize;
                let gate = h.slice_axis(last, Slice::from(..half)).mapv(|g| g / (1.0 + (-g).exp()));
                gate * h.slice_axis(last, Slice::from(half..))
            }
        };
        linear(&a, &x[2], x.get(4))
    }
}

/// The normal distribution function in f64: a Taylor series where it converges fast, a continued fraction in
/// the tails (Abramowitz & Stegun 26.2.11 and 26.2.14).
pub(super) fn normal_cdf(x: f64) -> f64 {
    let density = random::exp(-0.5 * x * x) / std::f64::consts::TAU.sqrt();
    if x.abs() < 4.0 {
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while f64::abs(term) > 1e-17 * f64::abs(sum) {
            n += 2.0;
            term *= x * x / n;
            sum += term;
        }
        0.5 + density * sum
    } else {
        let fraction = (1..60).rev().fold(x.abs(), |f, k| x.abs() + f64::from(k) / f);
        let tail = density / fraction;
        if x < 0.0 { tail } else { 1.0 - tail }
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "feed_forward",
    sample: |draw| {
        let activation =
            draw.choose(&[Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::SwiGlu]);
        let (rows, c, f, n) = (draw.size(1, 9), draw.size(1, 9), draw.size(1, 20), draw.size(1, 9));
        let inner = f * activation.fan();
        let mut inputs = vec![draw.array(&[rows, c]), draw.array(&[inner, c]), draw.array(&[n, f])];
        if draw.size(0, 1) == 1 {
            inputs.extend([draw.array(&[inner]), draw.array(&[n])]);
        }
        Sample::new(FeedForward { activation }, inputs)
    },
    misfits: || {
        let op = FeedForward { activation: Activation::SwiGlu };
        vec![(Box::new(op), vec![[2, 3].into(), [8, 3].into(), [3, 8].into()])]
    },
};
