//! The feed-forward layer y = f(x W1^T + b1) W2^T + b2, forward and backward, on slices.

use super::activation::{Activate, Gelu, GeluTanh, Relu2, Silu};
use super::gemm::{Init, Mat, gemm};
use super::rows::{load, store};
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::vmath::padded;
use super::{columns, parallel};
use crate::grad::Grad;

/// The non-linearity between the two linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x Phi(x), exact: nanoGPT's.
    Gelu,
    /// The approximation by tanh: GPT-2's.
    GeluTanh,
    /// max(x, 0)^2.
    Relu2,
    /// silu(gate) * up, where the first layer's output is \[gate, up\].
    SwiGlu,
}

impl Activation {
    /// Rows of the first layer's weight for each column of the second's: 2 where there is a gate.
    #[must_use]
    pub fn fan(self) -> usize {
        if self == Self::SwiGlu { 2 } else { 1 }
    }
}

/// The weights of the layer. F is the hidden width.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// W1 (fan F, C).
    pub c_fc: &'a [f32],
    /// b1 (fan F).
    pub c_fc_bias: Option<&'a [f32]>,
    /// W2 (N, F).
    pub c_proj: &'a [f32],
    /// b2 (N).
    pub c_proj_bias: Option<&'a [f32]>,
    /// F.
    pub hidden: usize,
    /// f.
    pub activation: Activation,
}

/// Where the gradients of the weights go; `None` for those that nobody wants.
pub struct WeightGrads<'g, 'a> {
    /// Of W1.
    pub c_fc: Option<&'g mut Grad<'a>>,
    /// Of b1.
    pub c_fc_bias: Option<&'g mut Grad<'a>>,
    /// Of W2.
    pub c_proj: Option<&'g mut Grad<'a>>,
    /// Of b2.
    pub c_proj_bias: Option<&'g mut Grad<'a>>,
}

fn bias(bias: Option<&[f32]>) -> Init<'_> {
    bias.map_or(Init::Zero, Init::Bias)
}

/// Computes y (rows, N) and h (rows, fan F), the first layer's output, which is all that the backward
/// needs; `a` (rows, F) is scratch.
pub fn feed_forward_forward(x: Mat<'_>, w: &Weights<'_>, h: &mut [f32], a: &mut [f32], y: &mut [f32]) {
    let (rows, width) = (x.rows(), x.cols());
    let (inner, outer) = (w.hidden * w.activation.fan(), w.c_proj.len() / w.hidden.max(1));
    gemm(h, x, Mat::new(w.c_fc, inner, width).t(), bias(w.c_fc_bias));
    activate(w.activation, h, w.hidden, a);
    gemm(y, Mat::new(a, rows, w.hidden), Mat::new(w.c_proj, outer, w.hidden).t(), bias(w.c_proj_bias));
}

/// The gradients. `a` (rows, F) and `dh` (rows, fan F) are scratch.
///
/// f(h) is computed again from h together with f'(h): one exponential serves both, so keeping it from the
/// forward would cost memory and save nothing.
pub fn feed_forward_backward(
    x: Mat<'_>,
    w: &Weights<'_>,
    h: &[f32],
    dy: &[f32],
    a: &mut [f32],
    dh: &mut [f32],
    dx: Option<&mut Grad<'_>>,
    grads: WeightGrads<'_, '_>,
) {
    let (rows, width, hidden) = (x.rows(), x.cols(), w.hidden);
    let (inner, outer) = (hidden * w.activation.fan(), w.c_proj.len() / hidden.max(1));
    let dy_mat = Mat::new(dy, rows, outer);
    // y = a W2^T + b2: da = dy W2. Until f' is applied it lies where f(h) or dh will: with a gate dh has another shape.
    let da = if w.activation.fan() == 1 { &mut *dh } else { &mut *a };
    gemm(da, dy_mat, Mat::new(w.c_proj, outer, hidden), Init::Zero);
    // a = f(h): dh = da f'(h)
    activate_backward(w.activation, h, hidden, a, dh);
    // y = a W2^T + b2: dW2 = dy^T a, db2 = sum of the rows of dy
    if let Some(dw) = grads.c_proj {
        gemm(dw.to, dy_mat.t(), Mat::new(a, rows, hidden), dw.accum.into());
    }
    if let Some(db) = grads.c_proj_bias {
        columns::sum_rows(dy, db);
    }
    // h = x W1^T + b1: dx = dh W1, dW1 = dh^T x, db1 = sum of the rows of dh
    let dh_mat = Mat::new(dh, rows, inner);
    if let Some(dx) = dx {
        gemm(dx.to, dh_mat, Mat::new(w.c_fc, inner, width), dx.accum.into());
    }
    if let Some(dw) = grads.c_fc {
        gemm(dw.to, dh_mat.t(), x, dw.accum.into());
    }
    if let Some(db) = grads.c_fc_bias {
        columns::sum_rows(dh, db);
    }
}

/// a (rows, F) = f(h), h (rows, fan F).
pub fn activate(activation: Activation, h: &[f32], hidden: usize, a: &mut [f32]) {
    let rows = parallel::rows_per_chunk(hidden);
    parallel::for_each_chunk(a, rows * hidden, |i, a| {
        let fan = activation.fan();
        let h = &h[i * rows * hidden * fan..][..a.len() * fan];
        match activation {
            Activation::Gelu => dispatch(Forward { f: Gelu, h, a }),
            Activation::GeluTanh => dispatch(Forward { f: GeluTanh, h, a }),
            Activation::Relu2 => dispatch(Forward { f: Relu2, h, a }),
            Activation::SwiGlu => dispatch(GatedForward { h, hidden, a }),
        }
    });
}

/// a = f(h) again, and dh (rows, fan F) = da f'(h), where dh holds da (rows, F), or, with a gate, a does.
fn activate_backward(activation: Activation, h: &[f32], hidden: usize, a: &mut [f32], dh: &mut [f32]) {
    let chunk = (parallel::rows_per_chunk(hidden) * hidden).max(1);
    let wide = chunk * activation.fan();
    let tasks: Vec<_> = h.chunks(wide).zip(a.chunks_mut(chunk)).zip(dh.chunks_mut(wide)).collect();
    parallel::for_each_of(tasks, |((h, a), dh)| match activation {
        Activation::Gelu => dispatch(Backward { f: Gelu, h, a, dh }),
        Activation::GeluTanh => dispatch(Backward { f: GeluTanh, h, a, dh }),
        Activation::Relu2 => dispatch(Backward { f: Relu2, h, a, dh }),
        Activation::SwiGlu => dispatch(GatedBackward { h, hidden, a, dh }),
    });
}

struct Forward<'a, F> {
    f: F,
    h: &'a [f32],
    a: &'a mut [f32],
}

impl<F: Activate> Kernel for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (h, h_tail) = self.h.as_chunks::<LANES>();
        let (a, a_tail) = self.a.as_chunks_mut::<LANES>();
        for (h, a) in h.iter().zip(a) {
            s.store(self.f.at(s, s.load(h)).0, a);
        }
        let mut lanes = [0.0; LANES];
        s.store(self.f.at(s, s.load(&padded(h_tail))).0, &mut lanes);
        a_tail.copy_from_slice(&lanes[..a_tail.len()]);
    }
}

struct Backward<'a, F> {
    f: F,
    h: &'a [f32],
    a: &'a mut [f32],
    dh: &'a mut [f32], // holds da
}

impl<F: Activate> Kernel for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (h, h_tail) = self.h.as_chunks::<LANES>();
        let (a, a_tail) = self.a.as_chunks_mut::<LANES>();
        let (dh, dh_tail) = self.dh.as_chunks_mut::<LANES>();
        for ((h, a), dh) in h.iter().zip(a).zip(dh) {
            let (value, slope) = self.f.at(s, s.load(h));
            s.store(value, a);
            s.store(s.mul(s.load(dh), slope), dh);
        }
        let (value, slope) = self.f.at(s, s.load(&padded(h_tail)));
        let mut lanes = [0.0; LANES];
        s.store(value, &mut lanes);
        a_tail.copy_from_slice(&lanes[..a_tail.len()]);
        s.store(s.mul(s.load(&padded(dh_tail)), slope), &mut lanes);
        dh_tail.copy_from_slice(&lanes[..dh_tail.len()]);
    }
}

/// a = silu(gate) * up, h = [gate, up].
struct GatedForward<'a> {
    h: &'a [f32],
    hidden: usize,
    a: &'a mut [f32],
}

impl Kernel for GatedForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.h.chunks_exact(2 * self.hidden).zip(self.a.chunks_exact_mut(self.hidden));
        for (h, a) in rows {
            let (gate, up) = h.split_at(self.hidden);
            for ((gate, up), a) in gate.chunks(LANES).zip(up.chunks(LANES)).zip(a.chunks_mut(LANES)) {
                let (silu, _) = Silu.at(s, load(s, gate));
                store(s, s.mul(silu, load(s, up)), a);
            }
        }
    }
}

/// dgate = da up silu'(gate), dup = da silu(gate), and a = silu(gate) up where da was.
struct GatedBackward<'a> {
    h: &'a [f32],
    hidden: usize,
    a: &'a mut [f32], // holds da
    dh: &'a mut [f32],
}

impl Kernel for GatedBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let f = self.hidden;
        let rows =
            self.h.chunks_exact(2 * f).zip(self.a.chunks_exact_mut(f)).zip(self.dh.chunks_exact_mut(2 * f));
        for ((h, a), dh) in rows {
            let ((gate, up), (dgate, dup)) = (h.split_at(f), dh.split_at_mut(f));
            let h = gate.chunks(LANES).zip(up.chunks(LANES)).zip(a.chunks_mut(LANES));
            for (((gate, up), a), (dgate, dup)) in h.zip(dgate.chunks_mut(LANES).zip(dup.chunks_mut(LANES))) {
                let (silu, slope) = Silu.at(s, load(s, gate));
                let (up, da) = (load(s, up), load(s, a));
                store(s, s.mul(s.mul(da, up), slope), dgate);
                store(s, s.mul(da, silu), dup);
                store(s, s.mul(silu, up), a);
            }
        }
    }
}
