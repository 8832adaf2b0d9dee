//! What happens to queries and keys between their projection and attention: QK-norm and rotary positions.
//!
//! QK-norm (Henry et al. 2020, arXiv 2010.04245; Dehghani et al. 2023, arXiv 2302.05442) divides each query and each key,
//! hs features, by its root mean square, so that no score can outgrow the others however large the weights become:
//!
//! $$ \hat x = r x, \qquad r = 1 / \sqrt{\tfrac{1}{hs} \sum_j x_j^2 + \epsilon} $$
//!
//! Rotary positions (RoPE: Su et al. 2021, arXiv 2104.09864) then turn the pair $(\hat x_j, \hat x_{j+hs/2})$ at
//! position t by the angle $\theta = t\, \mathrm{base}^{-2j/hs}$:
//!
//! $$ y_j = \hat x_j \cos\theta - \hat x_{j+hs/2} \sin\theta, \qquad
//!    y_{j+hs/2} = \hat x_j \sin\theta + \hat x_{j+hs/2} \cos\theta $$
//!
//! Both query and key being turned, their product depends on the difference of their positions alone. (Pairs lie half a
//! head apart, as in GPT-NeoX and LLaMA.) Values are left as they are.
//!
//! Backward. A rotation's transpose turns back: with d = dy turned by $-\theta$, dx = d without the norm. With it,
//! as for `rms_norm`, $dx = r (d - \hat x\, \overline{d \hat x})$, and $d \cdot \hat x = dy \cdot y$, since turning both
//! sides of a product does not change it.
//!
//! Saved: r, one float a query and key. About 8 operations an element each way; memory costs more.

use crate::kernels::attention::Heads;
use crate::kernels::rotary::{Rotary, Rotations, rotary_backward, rotary_forward};
use crate::{Grad, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Ix3, s};
use std::sync::Arc;

impl<'t> Var<'t> {
    /// Queries and keys normalised and turned by their positions: this is (B, T, (NH + 2 NKV) hs), in each row queries,
    /// keys and values, and so is the result. Position t is the row's place in its sequence.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace, kernels::{attention::Heads, rotary::{Rotary, Rotations}}};
    /// # use ndarray::arr3;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let heads = Heads::from(1);
    /// let rotary = Rotary { heads, norm_eps: None, rotations: Some(Rotations::new(2, 2, 1e4).into()) };
    /// // One head of two features: query, key, value, at positions 0 and 1.
    /// let qkv = tape.constant(&arr3(&[[[1.0, 0.0, 1.0, 0.0, 5.0, 6.0], [1.0, 0.0, 1.0, 0.0, 5.0, 6.0]]]).into_dyn());
    /// let y = qkv.rotary(&rotary).value();
    /// assert_eq!((y[[0, 0, 0]], y[[0, 0, 1]]), (1.0, 0.0));                // position 0 is not turned
    /// assert!((y[[0, 1, 0]] - 1f32.cos()).abs() < 1e-6);                   // position 1 by one radian
    /// assert_eq!(y[[0, 1, 5]], 6.0);                                       // values stay
    /// ```
    ///
    /// # Panics
    /// If the shape does not fit the heads, or there are more positions than rotations.
    #[track_caller]
    #[must_use]
    pub fn rotary(self, rotary: &Rotary) -> Var<'t> {
        self.apply(rotary.clone(), &[])
    }
}

impl Rotary {
    fn head_size(&self, shape: Shape) -> usize {
        shape[2] / self.heads.in_row()
    }
}

impl Op for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let in_row = self.heads.in_row();
        let rank = x[0].len() == 3 && x[0][2] > 0 && x[0][2].is_multiple_of(in_row);
        ShapeError::unless(rank, &format!("[B, T, {in_row} hs]"))?;
        if let Some(rotations) = &self.rotations {
            let (time, hs) = (rotations.time(), rotations.head_size());
            let fits = x[0][1] <= time && self.head_size(x[0]) == hs;
            ShapeError::unless(fits, &format!("[B, T, {in_row} hs] with T at most {time} and hs {hs}"))?;
        }
        Ok(x[0])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        let shape = x[0].shape;
        let [rstd] = saved.keep([self.statistics(shape[0] * shape[1])]);
        rotary_forward(self, (0, shape[1]), x[0].data, y, rstd, self.head_size(shape));
    }

    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        if let Some(dx) = &mut dx[0] {
            let (shape, kept) = (x[0].shape, (x[0].data, y, saved.get(0)));
            rotary_backward(self, shape[1], kept, dy, dx, self.head_size(shape));
        }
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let mut y = x[0].clone().into_dimensionality::<Ix3>().expect("rank 3");
        let hs = y.shape()[2] / self.heads.in_row();
        for (b, t, head) in
            ndarray::indices((y.shape()[0], y.shape()[1], self.heads.n_head + self.heads.n_kv_head))
        {
            let mut row = y.slice_mut(s![b, t, head * hs..(head + 1) * hs]);
            if let Some(eps) = self.norm_eps {
                let mean_square = row.dot(&row) / hs as f64;
                row /= (mean_square + f64::from(eps)).sqrt();
            }
            if let Some(rotations) = &self.rotations {
                let (cos, sin) = rotations.at(t);
                for j in 0..hs / 2 {
                    let (cos, sin) = (f64::from(cos[j]), f64::from(sin[j]));
                    let (a, b) = (row[j], row[j + hs / 2]);
                    row[j] = a * cos - b * sin;
                    row[j + hs / 2] = a * sin + b * cos;
                }
            }
        }
        y.into_dyn()
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "rotary",
    sample: |draw| {
        let (batch, time, n_kv_head) = (draw.size(1, 3), draw.size(1, 9), draw.size(1, 2));
        let heads = Heads { n_head: n_kv_head * draw.choose(&[1, 2]), n_kv_head };
        let hs = draw.choose(&[2, 4, 6, 32, 38]);
        let norm_eps = draw.choose(&[None, Some(1e-2), Some(1.0)]);
        let longer = draw.size(0, 2);
        let turns = draw.size(0, 3) > 0;
        let rotations = turns.then(|| Arc::new(Rotations::new(time + longer, hs, 100.0)));
        let rotary = Rotary { heads, norm_eps, rotations };
        Sample::new(rotary, [draw.array(&[batch, time, heads.in_row() * hs])])
    },
    misfits: || {
        let op = || -> Box<dyn Op> {
            let rotations = Some(Arc::new(Rotations::new(5, 4, 1e4)));
            Box::new(Rotary { heads: Heads::from(2), norm_eps: None, rotations })
        };
        vec![
            (op(), vec![[2, 6, 24].into()]), // 6 positions, rotations for 5
            (op(), vec![[2, 5, 25].into()]), // not 6 hs
            (op(), vec![[2, 5, 12].into()]), // heads of 2, rotations for 4
            (op(), vec![[5, 24].into()]),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;

    /// What RoPE is for: the score of a query and a key depends on how far apart they are, not on where they are.
    #[test]
    fn scores_depend_on_the_distance_alone() {
        let (time, hs) = (64, 32);
        let rotary = Rotary {
            heads: Heads::from(1),
            norm_eps: None,
            rotations: Some(Rotations::new(time, hs, 1e4).into()),
        };
        let mut draw = Draw::new(1);
        let row: Vec<f32> = (0..3 * hs).map(|_| draw.normal()).collect();
        let qkv: Vec<f32> = row.iter().copied().cycle().take(time * row.len()).collect();
        let mut y = vec![0.0; qkv.len()];
        rotary_forward(&rotary, (0, time), &qkv, &mut y, &mut [], hs);
        let score = |i: usize, j: usize| -> f32 {
            let (q, k) = (&y[i * 3 * hs..][..hs], &y[j * 3 * hs + hs..][..hs]);
            q.iter().zip(k).map(|(q, k)| q * k).sum()
        };
        for (i, j) in [(5, 3), (40, 38), (63, 61), (20, 0), (63, 43), (7, 30)] {
            let at_origin = if i >= j { score(i - j, 0) } else { score(0, j - i) };
            assert!((score(i, j) - at_origin).abs() < 1e-4, "{i} {j}");
        }
        assert!((score(5, 3) - score(6, 3)).abs() > 1e-3, "the distance counts");
    }
}
