//! Self-attention of all heads, by intervals of keys: (B, T, C + 2 NKV hs) to (B, T, C).
//!
//! The input holds queries, keys and values as one linear layer makes them: the queries of NH heads of hs = C / NH
//! features, then keys and values of NKV heads. With NKV = NH the input is 3C wide; with fewer, several heads of
//! queries share one of keys and values (grouped-query attention: arXiv 2305.13245). Row i of each head is
//! $\sum_j P_{ij} V_j$ with $P = \mathrm{softmax}(Q K^\top / \sqrt{hs})$ over the keys of its interval.
//! Formulas, backward and the ladder of kernels: [`crate::kernels::attention`].
//!
//! Saved: the log-sum-exp of each row, (B, NH, T), from which the backward computes P again block by block:
//! memory O(T). Causal: 2 B NH T^2 hs operations forward, 5 B NH T^2 hs backward.

use crate::kernels::attention::{self, Dropout, Heads, Intervals, Problem};
use crate::kernels::mask;
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, s};
use std::sync::Arc;

impl<'t> Var<'t> {
    /// Self-attention with `heads`, or just their number: this is (B, T, C + 2 NKV hs), in each row queries, keys
    /// and values (3C where there are as many heads of each); the result is (B, T, C). `dropout` is the probability
    /// to drop an entry of P, and a seed.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace, kernels::attention::Intervals};
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::no_grad(&params, &workspace);
    /// let qkv = tape.constant(&ndarray::ArrayD::zeros(vec![2, 5, 3 * 8]));
    /// let y = qkv.attention(4, &Intervals::causal(5).into(), None);
    /// assert_eq!(y.shape(), tensor::Shape::new(&[2, 5, 8]));
    /// ```
    ///
    /// # Panics
    /// If the shape does not fit the number of heads or the intervals.
    #[track_caller]
    #[must_use]
    pub fn attention(
        self,
        heads: impl Into<Heads>,
        intervals: &Arc<Intervals>,
        dropout: Option<(f32, u64)>,
    ) -> Var<'t> {
        let dropout = dropout.map(|(p, seed)| Dropout { p, seed });
        self.apply(Attention { heads: heads.into(), intervals: Arc::clone(intervals), dropout }, &[])
    }
}

/// y = softmax(Q K^T / sqrt(hs)) V of each head
#[derive(Clone, Debug)]
pub struct Attention {
    /// NH and NKV.
    pub heads: Heads,
    /// The keys that each query sees.
    pub intervals: Arc<Intervals>,
    /// Drops entries of P.
    pub dropout: Option<Dropout>,
}

impl Attention {
    fn problem<'a>(&'a self, qkv: View<'a>) -> Problem<'a> {
        let shape = qkv.shape;
        Problem {
            qkv: qkv.data,
            batch: shape[0],
            time: shape[1],
            n_head: self.heads.n_head,
            n_kv_head: self.heads.n_kv_head,
            head_size: shape[2] / self.heads.in_row(),
            intervals: &self.intervals,
            dropout: self.dropout,
        }
    }
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let (t, Heads { n_head, n_kv_head }) = (self.intervals.time(), self.heads);
        let fits = x[0].len() == 3
            && x[0][1] == t
            && n_kv_head > 0
            && n_head.is_multiple_of(n_kv_head)
            && x[0][2].is_multiple_of(self.heads.in_row())
            && self.intervals.fits(x[0][0]);
        let expected = format!(
            "[B, {t}, {} hs], {n_head} heads of queries and a divisor of them ({n_kv_head}) of keys and of values, \
             and intervals for one or B sequences",
            self.heads.in_row()
        );
        ShapeError::unless(fits, &expected)?;
        Ok(x[0].with_last(x[0][2] / self.heads.in_row() * n_head))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let problem = self.problem(x[0]);
        let [lse] = saved.keep([problem.batch * problem.n_head * problem.time]);
        attention::forward(&problem, y, lse);
    }

    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        if let Some(dx) = &mut dx[0] {
            attention::backward(&self.problem(x[0]), y, saved.get(0), dy, dx);
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let qkv = x[0].view().into_dimensionality::<ndarray::Ix3>().expect("rank 3");
        let Heads { n_head, n_kv_head } = self.heads;
        let (batch, time, hs) = (qkv.shape()[0], qkv.shape()[1], qkv.shape()[2] / self.heads.in_row());
        let mut y = ndarray::Array3::zeros((batch, time, n_head * hs));
        for (b, h, i) in ndarray::indices((batch, n_head, time)) {
            let keys = self.intervals.row(b, i);
            let kv = n_head + h * n_kv_head / n_head; // the head of keys that serves h; its values are NKV further
            let q = qkv.slice(s![b, i, h * hs..(h + 1) * hs]);
            let k = qkv.slice(s![b, keys.clone(), kv * hs..(kv + 1) * hs]);
            let v = qkv.slice(s![b, keys.clone(), (kv + n_kv_head) * hs..(kv + n_kv_head + 1) * hs]);
            let scores = k.dot(&q) / (hs as f64).sqrt();
            let max = scores.fold(f64::NEG_INFINITY, |m, s| m.max(*s));
            let weights = scores.mapv(|s| (s - max).exp());
            let mut p = if keys.is_empty() { weights } else { &weights / weights.sum() };
            if let Some(dropout) = self.dropout {
                let mut factors = vec![1.0; keys.len()];
                let first = ((b * n_head + h) * time + i) * time + keys.start;
                mask::apply(dropout.p, dropout.seed, first as u64, &mut factors);
                p.iter_mut().zip(factors).for_each(|(p, f)| *p *= f64::from(f));
            }
            y.slice_mut(s![b, i, h * hs..(h + 1) * hs]).assign(&p.dot(&v));
        }
        y.into_dyn()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "attention",
    sample: |draw| {
        let (batch, time, n_kv_head) = (draw.size(1, 3), draw.size(1, 17), draw.size(1, 3));
        let heads = Heads { n_head: n_kv_head * draw.choose(&[1, 1, 2]), n_kv_head };
        let hs = draw.choose(&[1, 2, 3, 5, 8]);
        let intervals = match draw.size(0, 4) {
            0 => Intervals::causal(time),
            1 => Intervals::bidirectional(time, draw.size(1, time)),
            2 => Intervals::prefix(time, draw.size(0, time)),
            3 => Intervals::sliding_window(time, draw.size(1, time)),
            _ => {
                // Any interval for each row of each sequence, empty ones too.
                let ends: Vec<_> = (0..batch * time)
                    .map(|_| {
                        let (a, b) = (draw.size(0, time) as u32, draw.size(0, time) as u32);
                        (a.min(b), a.max(b))
                    })
                    .collect();
                let (lo, hi) = ends.into_iter().unzip();
                Intervals::new(lo, hi, time)
            }
        };
        let dropout = (draw.size(0, 3) == 0).then(|| Dropout { p: 0.3, seed: draw.seed() });
        let op = Attention { heads, intervals: Arc::new(intervals), dropout };
        Sample::new(op, [draw.array(&[batch, time, heads.in_row() * hs])])
    },
    misfits: || {
        let op = |n_kv_head| -> Box<dyn Op> {
            let heads = Heads { n_head: 4, n_kv_head };
            Box::new(Attention { heads, intervals: Arc::new(Intervals::causal(5)), dropout: None })
        };
        vec![
            (op(4), vec![[2, 5, 20].into()]), // not a multiple of 12
            (op(4), vec![[2, 4, 24].into()]), // 4 positions, intervals for 5
            (op(3), vec![[2, 5, 20].into()]), // 3 heads for 4
        ]
    },
};
