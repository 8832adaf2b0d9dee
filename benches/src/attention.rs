//! Causal attention on random inputs: what `benches/attention.rs` and the peer of PyTorch time.

use crate::samples;
use tensor::kernels::attention::{Intervals, Problem, v0_naive, v1_intervals, v2_rows, v3_blocked};
use tensor::{Accum, Grad};

/// The sizes of one attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// B, the sequences of the batch.
    pub batch: usize,
    /// NH, the heads.
    pub n_head: usize,
    /// T, the positions of a sequence.
    pub time: usize,
    /// hs, the width of a head.
    pub head_size: usize,
}

/// From the training of `nano-cpu` and `baby` to long contexts.
pub const SHAPES: [Shape; 4] = [
    Shape::new(12, 4, 64, 32),
    Shape::new(8, 6, 256, 64),
    Shape::new(4, 6, 1024, 64),
    Shape::new(1, 6, 4096, 64),
];

impl Shape {
    /// (B, NH, T, hs)
    #[must_use]
    pub const fn new(batch: usize, n_head: usize, time: usize, head_size: usize) -> Self {
        Self { batch, n_head, time, head_size }
    }

    /// C, the width of the model.
    #[must_use]
    pub fn width(&self) -> usize {
        self.n_head * self.head_size
    }

    /// Floating point operations of a causal forward: two products of T^2/2 by hs in each head.
    #[must_use]
    pub fn forward_flops(&self) -> f64 {
        let pairs = (self.time * self.time) as f64 / 2.0;
        4.0 * (self.batch * self.width()) as f64 * pairs
    }

    /// Floating point operations of a causal backward: five such products.
    #[must_use]
    pub fn backward_flops(&self) -> f64 {
        2.5 * self.forward_flops()
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}, {}, {})", self.batch, self.n_head, self.time, self.head_size)
    }
}

type Forward = fn(&Problem<'_>, &mut [f32], &mut [f32]);
type Backward = fn(&Problem<'_>, &[f32], &[f32], &[f32], &mut Grad<'_>);

/// A kernel for attention.
#[derive(Clone, Copy)]
pub struct Rung {
    /// Its module's name.
    pub name: &'static str,
    forward: Forward,
    backward: Backward,
    /// Whether it is also timed where T is above 256: the others would take minutes.
    pub is_fast: bool,
}

/// The ladder, slowest first.
pub const RUNGS: [Rung; 4] = [
    Rung { name: "v0_naive", forward: v0_naive::forward, backward: v0_naive::backward, is_fast: false },
    Rung {
        name: "v1_intervals",
        forward: v1_intervals::forward,
        backward: v1_intervals::backward,
        is_fast: false,
    },
    Rung { name: "v2_rows", forward: v2_rows::forward, backward: v2_rows::backward, is_fast: true },
    Rung { name: "v3_blocked", forward: v3_blocked::forward, backward: v3_blocked::backward, is_fast: true },
];

/// The rung that training uses.
pub const BEST: Rung = RUNGS[RUNGS.len() - 1];

/// Inputs and room for all outputs.
pub struct Attention {
    shape: Shape,
    intervals: Intervals,
    qkv: Vec<f32>,
    lse: Vec<f32>,
    dy: Vec<f32>,
    /// The output, (B, T, C).
    pub y: Vec<f32>,
    /// The gradient of the input, (B, T, 3C).
    pub dqkv: Vec<f32>,
}

impl Attention {
    /// Random queries, keys, values and gradient of the output.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let positions = shape.batch * shape.time;
        Self {
            shape,
            intervals: Intervals::causal(shape.time),
            qkv: samples::floats(positions * 3 * shape.width(), 1),
            lse: vec![0.0; positions * shape.n_head],
            dy: samples::floats(positions * shape.width(), 2),
            y: vec![0.0; positions * shape.width()],
            dqkv: vec![0.0; positions * 3 * shape.width()],
        }
    }

    /// Computes `y`.
    pub fn forward(&mut self, rung: Rung) {
        let Self { shape, intervals, qkv, lse, y, .. } = self;
        (rung.forward)(&problem(*shape, qkv, intervals), y, lse);
    }

    /// Computes `dqkv`; the forward came before.
    pub fn backward(&mut self, rung: Rung) {
        let Self { shape, intervals, qkv, lse, dy, y, dqkv } = self;
        let mut dqkv = Grad { to: dqkv, accum: Accum::Replace };
        (rung.backward)(&problem(*shape, qkv, intervals), y, lse, dy, &mut dqkv);
    }
}

fn problem<'a>(shape: Shape, qkv: &'a [f32], intervals: &'a Intervals) -> Problem<'a> {
    let Shape { batch, n_head, time, head_size } = shape;
    Problem { qkv, batch, time, n_head, n_kv_head: n_head, head_size, intervals, dropout: None }
}

/// Compares a rung with the first one on a small problem of the same kind: the same heads, two sequences, and
/// enough positions for several blocks.
///
/// # Panics
/// If they differ by more than 10^-5 of the largest element.
pub fn check(rung: Rung, shape: Shape) {
    let small = Shape { batch: shape.batch.min(2), time: shape.time.min(300), ..shape };
    let results = [RUNGS[0], rung].map(|rung| {
        let mut attention = Attention::new(small);
        attention.forward(rung);
        attention.backward(rung);
        attention
    });
    let [reference, result] = &results;
    let errors =
        [samples::difference(&result.y, &reference.y), samples::difference(&result.dqkv, &reference.dqkv)];
    let good = errors.iter().all(|&error| error <= 1e-5);
    assert!(good, "attention {small}: {} is off by {errors:?} (output, gradients)", rung.name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rungs_pass_the_check() {
        RUNGS.into_iter().for_each(|rung| check(rung, Shape::new(3, 2, 70, 16)));
    }

    #[test]
    #[should_panic(expected = "v0_naive is off")]
    fn a_wrong_rung_does_not_pass_it() {
        let nothing: Backward = |_, _, _, _, dqkv| dqkv.to.fill(0.0);
        check(Rung { backward: nothing, ..RUNGS[0] }, Shape::new(1, 1, 8, 4));
    }
}
