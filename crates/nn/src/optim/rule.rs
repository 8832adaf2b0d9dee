//! The update of one element, and the loop that applies it to slices.

use std::sync::atomic::{AtomicBool, Ordering};
use tensor::kernels::parallel;
use tensor::kernels::simd::{Kernel, LANES, Simd, dispatch};

/// What an optimizer does to one element: from the parameter `p`, its gradient `g` and the `N` numbers
/// remembered about it to the new parameter and the new `N` numbers. It is written once, for sixteen
/// elements at a time ([`Simd`]). Implementations are `#[inline(always)]`, so that the whole loop is
/// compiled for the processor's instructions.
///
/// SignSGD, for example, remembers nothing and takes steps of one length:
///
/// ```
/// use nn::optim::{Rule, Slots, usual_group};
/// use tensor::kernels::simd::Simd;
///
/// #[derive(Clone, Copy)]
/// struct Sign { lr: f32 }
///
/// impl Rule<0> for Sign {
///     #[inline(always)]
///     fn update<S: Simd>(self, s: S, p: S::V, g: S::V, _: [S::V; 0]) -> (S::V, [S::V; 0]) {
///         let (up, down) = (s.add(p, s.splat(self.lr)), s.sub(p, s.splat(self.lr)));
///         (s.if_less(g, s.splat(0.0), up, down), [])
///     }
/// }
///
/// # use tensor::{Grads, Params, Tape, Workspace};
/// # let mut params = Params::new();
/// # let w = params.add("w", [3], |w| w.copy_from_slice(&[1.0, -2.0, 3.0]));
/// # let mut grads = Grads::new(&params);
/// # let workspace = Workspace::new();
/// # let tape = Tape::new(&params, &workspace);
/// # (tape.param(w) * tape.param(w)).sum().backward(&mut grads);
/// # drop(tape);
/// let mut slots = Slots::new(&params, [], usual_group);
/// slots.update(&mut params, &grads, |_, _, _| Sign { lr: 0.5 })?;
/// assert_eq!(params.data(w), [0.5, -1.5, 2.5]);
/// # Ok::<(), nn::optim::StepError>(())
/// ```
pub trait Rule<const N: usize>: Copy + Send + Sync {
    /// The new parameter and the new state.
    fn update<S: Simd>(self, s: S, p: S::V, g: S::V, state: [S::V; N]) -> (S::V, [S::V; N]);
}

/// Part of one parameter with its gradient and state: slices of one length.
pub(super) struct Piece<'a, const N: usize, R> {
    pub(super) rule: R,
    pub(super) param: &'a mut [f32],
    pub(super) grad: &'a [f32],
    pub(super) state: [&'a mut [f32]; N],
}

impl<'a, const N: usize, R: Rule<N>> Piece<'a, N, R> {
    /// Applies the rule to every element. Whether all that it wrote is finite.
    pub(super) fn update(self) -> bool {
        dispatch(self)
    }

    /// Applies the rule to every element, on all threads. Whether all that it wrote is finite.
    pub(super) fn update_all(self) -> bool {
        let finite = AtomicBool::new(true);
        parallel::for_each_of(self.cut(parallel::chunk_len()).collect(), |piece: Self| {
            if !piece.update() {
                finite.store(false, Ordering::Relaxed);
            }
        });
        finite.into_inner()
    }

    /// Cuts this into pieces of at most `chunk` elements.
    pub(super) fn cut(self, chunk: usize) -> impl Iterator<Item = Self> {
        let Self { rule, param, grad, state } = self;
        let mut state = state.map(|x| x.chunks_mut(chunk));
        param.chunks_mut(chunk).zip(grad.chunks(chunk)).map(move |(param, grad)| {
            let state = state.each_mut().map(|x| x.next().expect("slices of one length"));
            Self { rule, param, grad, state }
        })
    }

    /// The pieces that are these rows, which are sorted, of a matrix of this width.
    pub(super) fn rows(self, width: usize, rows: &[u32]) -> impl Iterator<Item = Self> {
        let Self { rule, param, grad, state } = self;
        let (mut param, mut grad) = (param.chunks_mut(width), grad.chunks(width));
        let mut state = state.map(|x| x.chunks_mut(width));
        let mut next = 0;
        rows.iter().map(move |&row| {
            let skip = row as usize - next;
            next = row as usize + 1;
            let inside = "a row of the matrix";
            let state = state.each_mut().map(|x| x.nth(skip).expect(inside));
            Self { rule, param: param.nth(skip).expect(inside), grad: grad.nth(skip).expect(inside), state }
        })
    }
}

impl<const N: usize, R: Rule<N>> Kernel for Piece<'_, N, R> {
    type Output = bool;

    /// Multiplies all that it writes by 0, which gives 0 unless something is NaN or infinite. One product for each
    /// vector that is stored anyway: AdamW took 0.60 ms instead of 0.55 for 787,000 parameters in the caches of one core
    /// (medians of seven alternating runs), less than a thousandth of a training step, and with 10.7 million, where the loop
    /// waits for memory, no longer than before. A pass of its own would read all numbers again.
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> bool {
        let Self { rule, param, grad, state } = self;
        let mut zero = s.splat(0.0);
        let (params, param_tail) = param.as_chunks_mut::<LANES>();
        let (grads, grad_tail) = grad.as_chunks::<LANES>();
        let mut state = state.map(|x| x.as_chunks_mut::<LANES>());
        for i in 0..params.len() {
            let state = state.each_mut().map(|(x, _)| &mut x[i]);
            zero = update_lanes(s, rule, &mut params[i], &grads[i], state, zero);
        }
        let mut finite = s.sum(zero) == 0.0;
        if !param_tail.is_empty() {
            let mut param = padded(param_tail);
            let mut lanes = state.each_ref().map(|(_, tail)| padded(tail));
            let _ = update_lanes(s, rule, &mut param, &padded(grad_tail), lanes.each_mut(), zero);
            param_tail.copy_from_slice(&param[..param_tail.len()]);
            for ((_, tail), lanes) in state.iter_mut().zip(&lanes) {
                tail.copy_from_slice(&lanes[..tail.len()]);
            }
            let tails = state.iter().flat_map(|(_, tail)| &**tail);
            finite &= param_tail.iter().chain(tails).all(|x| x.is_finite()); // not what stands behind the tail
        }
        finite
    }
}

/// Updates sixteen elements, and returns `zero` plus 0 times all the numbers that were written.
#[inline(always)]
fn update_lanes<const N: usize, S: Simd>(
    s: S,
    rule: impl Rule<N>,
    param: &mut [f32; LANES],
    grad: &[f32; LANES],
    state: [&mut [f32; LANES]; N],
    zero: S::V,
) -> S::V {
    let old = state.each_ref().map(|x| s.load(x));
    let (p, new) = rule.update(s, s.load(param), s.load(grad), old);
    s.store(p, param);
    let mut product = s.splat(0.0);
    for (to, x) in state.into_iter().zip(new) {
        s.store(x, to);
        product = s.mul(product, x);
    }
    s.fma(product, p, zero)
}

/// The end of a slice in a whole vector, zeros behind it.
#[inline(always)]
fn padded(tail: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes[..tail.len()].copy_from_slice(tail);
    lanes
}

/// Zero for numbers too small to be stored in full (below 1.2e-38). The average of a gradient that stays zero,
/// such as that of the embedding of a token no longer seen, shrinks until it is one of those, and stays one
/// for ever. Processors are slow at them: a step took four times as long when all averages had come to this
/// (787,000 parameters, one Zen core: 0.40 ms instead of 0.10; with this line 0.12).
#[inline(always)]
pub(super) fn flush_subnormal<S: Simd>(s: S, x: S::V) -> S::V {
    s.if_less(s.abs(x), s.splat(f32::MIN_POSITIVE), s.splat(0.0), x)
}
