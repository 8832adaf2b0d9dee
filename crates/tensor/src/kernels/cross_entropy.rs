//! Cross-entropy of the rows of a matrix of logits. The formulas are in `ops/cross_entropy.rs`.

use super::rows::{for_each_piece, load, store};
use super::simd::{Kernel, LANES, Simd, dispatch};
use super::soft_cap::{SoftCap, SoftCapSlope};
use super::softmax::{largest, sum_below, sum_of_exp_less_one, write_exp};
use super::vmath::{Lanewise, exp};
use super::{parallel, scratch};
use crate::grad::{Accum, Grad};
use std::ops::Range;

/// What the rows should have been, and how much each counts. A row of weight 0 is ignored, with its target.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// The right class of each row.
    pub ids: &'a [u32],
    /// The weight of each row.
    pub weights: &'a [f32],
    /// What the sum is divided by. 0: nothing counts, and loss and gradients are 0.
    pub total_weight: f32,
    /// What a row's loss has beside its cross-entropy.
    pub regularizer: Regularizer,
}

impl Targets<'_> {
    /// Those of some of the rows. The total stays that of all.
    #[must_use]
    pub fn of_rows(self, rows: Range<usize>) -> Self {
        Self { ids: &self.ids[rows.clone()], weights: &self.weights[rows], ..self }
    }
}

/// Two terms against logits that grow without need. Both are 0 unless one asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Regularizer {
    /// The part of the target's probability that is spread evenly over all classes, in [0, 1]: label smoothing
    /// (Szegedy et al. 2016, arXiv 1512.00567). For classes; a language model's likelihood gets worse by it.
    pub label_smoothing: f32,
    /// What the square of the log-sum-exp is multiplied by: PaLM's z-loss, there 1e-4 (arXiv 2204.02311). It draws
    /// the softmax's divisor to 1.
    pub z_loss: f32,
}

impl Regularizer {
    /// Plain cross-entropy.
    pub const NONE: Self = Self { label_smoothing: 0.0, z_loss: 0.0 };
}

/// The sum over rows of `weight * (log-sum-exp(row) - row[target])`, and of what the regularizer adds, divided by the
/// total weight. `max` and `rest` are those of [`add_cross_entropy`].
///
/// # Panics
/// If the lengths do not fit, or a row that counts has a target outside.
#[must_use]
pub fn cross_entropy_forward(
    logits: &[f32],
    width: usize,
    targets: Targets<'_>,
    max: &mut [f32],
    rest: &mut [f32],
) -> f32 {
    let mut sum = 0.0;
    add_cross_entropy(logits, width, targets, (max, rest), &mut sum);
    mean(sum, targets.total_weight)
}

/// The loss from the sum over all rows; 0 where nothing counts.
pub(crate) fn mean(sum: f64, total_weight: f32) -> f32 {
    if total_weight == 0.0 { 0.0 } else { (sum / f64::from(total_weight)) as f32 }
}

/// Adds to `sum`, row by row, `weight * (log-sum-exp(row) - row[target])` and what the regularizer adds: so rows may come
/// in several pieces, with the same bits. `max` and `rest` receive two numbers for each row that counts: its largest
/// logit, and the sum of e^(z - largest) less one. They say more than the log-sum-exp: at a logit of 10^4 that has only
/// three decimals left, and a small loss is lost beside the 1.
///
/// # Panics
/// If the lengths do not fit, or a row that counts has a target outside.
pub fn add_cross_entropy(
    logits: &[f32],
    width: usize,
    targets: Targets<'_>,
    (max, rest): (&mut [f32], &mut [f32]),
    sum: &mut f64,
) {
    assert!(logits.len() == width * max.len() && max.len() == rest.len(), "cross_entropy: lengths");
    assert!(targets.ids.len() == max.len() && targets.weights.len() == max.len(), "cross_entropy: targets");
    let rows = parallel::rows_per_chunk(width);
    let Regularizer { label_smoothing, z_loss } = targets.regularizer;
    let (smoothing, z_loss) = (f64::from(label_smoothing), f64::from(z_loss));
    // The mean logit of each row, below its largest; nothing without label smoothing.
    let mut below = vec![0.0; if smoothing == 0.0 { 0 } else { max.len() }];
    for_each_piece([&mut *max, &mut *rest, &mut below], [rows; 3], |i, [max, rest, below]| {
        let logits = &logits[i * rows * width..][..max.len() * width];
        dispatch(Statistics { logits, width, weights: &targets.weights[i * rows..], max, rest, below });
    });
    // In f64, in order: the same sum for any number of threads.
    for (i, (&id, &weight)) in targets.ids.iter().zip(targets.weights).enumerate() {
        if weight != 0.0 {
            let mut below_max = f64::from(max[i]) - f64::from(logits[i * width..][..width][id as usize]);
            if smoothing != 0.0 {
                below_max += smoothing * (f64::from(below[i]) - below_max);
            }
            let mut row = below_max + log_of_sum(rest[i]);
            if z_loss != 0.0 {
                let lse = log_sum_exp(max[i], rest[i]);
                row += z_loss * lse * lse;
            }
            *sum += f64::from(weight) * row;
        }
    }
}

/// ln of the sum of exponentials that is `rest` above 1, unless the logits were not numbers.
fn log_of_sum(rest: f32) -> f64 {
    if rest.is_finite() { random::ln(1.0 + f64::from(rest)) } else { f64::NAN }
}

fn log_sum_exp(max: f32, rest: f32) -> f64 {
    f64::from(max) + log_of_sum(rest)
}

struct Statistics<'a> {
    logits: &'a [f32],
    width: usize,
    weights: &'a [f32],
    max: &'a mut [f32],
    rest: &'a mut [f32],
    below: &'a mut [f32], // empty without label smoothing
}

impl Kernel for Statistics<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.logits.chunks_exact(self.width).zip(self.weights);
        for (i, (((z, &weight), max), rest)) in rows.zip(self.max).zip(self.rest).enumerate() {
            if weight != 0.0 {
                *max = largest(s, z);
                *rest = sum_of_exp_less_one(s, z, *max) as f32;
                if let Some(below) = self.below.get_mut(i) {
                    *below = (sum_below(s, z, *max) / self.width as f64) as f32;
                }
            }
        }
    }
}

/// `dlogits = dy * weight / total_weight * (softmax - onehot(target))`, and what the regularizer adds, or `+=`; exactly
/// 0 in the rows that do not count. `max` and `rest` are the forward's.
pub fn cross_entropy_backward(
    logits: &[f32],
    width: usize,
    targets: Targets<'_>,
    (max, rest): (&[f32], &[f32]),
    dy: f32,
    dlogits: &mut Grad<'_>,
) {
    let rows = parallel::rows_per_chunk(width);
    let scale = if targets.total_weight == 0.0 { 0.0 } else { dy / targets.total_weight };
    let accum = dlogits.accum;
    parallel::for_each_chunk(dlogits.to, rows * width, |i, dlogits| {
        let rows = i * rows..(i * rows + dlogits.len() / width);
        let logits = &logits[rows.start * width..rows.end * width];
        let targets = targets.of_rows(rows.clone());
        let (max, rest) = (&max[rows.clone()], &rest[rows]);
        dispatch(Backward { logits, width, targets, max, rest, scale, dlogits, accum });
    });
}

struct Backward<'a> {
    logits: &'a [f32],
    width: usize,
    targets: Targets<'a>,
    max: &'a [f32],
    rest: &'a [f32],
    scale: f32, // dy / total weight
    dlogits: &'a mut [f32],
    accum: Accum,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.logits.chunks_exact(self.width).zip(self.dlogits.chunks_exact_mut(self.width));
        for (i, (z, dz)) in rows.enumerate() {
            let row = Row::new(self.targets, self.max, self.rest, i, self.scale);
            row.gradient(s, z, dz, self.accum);
        }
    }
}

/// One row's target and statistics.
struct Row {
    target: u32,
    max: f32,
    rest: f32,
    scale: f32, // dy weight / total weight
    regularizer: Regularizer,
}

impl Row {
    #[inline(always)]
    fn new(targets: Targets<'_>, max: &[f32], rest: &[f32], i: usize, scale: f32) -> Self {
        let scale = targets.weights[i] * scale;
        Self { target: targets.ids[i], max: max[i], rest: rest[i], scale, regularizer: targets.regularizer }
    }

    /// dz = scale (softmax(z) - onehot(target)), or +=
    #[inline(always)]
    fn gradient<S: Simd>(&self, s: S, z: &[f32], dz: &mut [f32], accum: Accum) {
        if self.scale == 0.0 {
            if accum == Accum::Replace {
                dz.fill(0.0);
            }
            return;
        }
        if self.regularizer != Regularizer::NONE {
            return self.regularized_gradient(s, z, dz, accum);
        }
        let target = self.target as usize;
        let factor = self.scale / (1.0 + self.rest);
        let before = if accum == Accum::Add { dz[target] } else { 0.0 };
        write_exp(s, z, self.max, factor, dz, accum);
        // The target's element again, with the -1, which the numerator takes before it is rounded:
        // softmax(z)[t] - 1 = (e - (1 + rest)) / (1 + rest) with e = e^(z[t] - max), 1 where the target is the largest
        let mut e = [0.0; LANES];
        s.store(exp(s, s.splat(z[target] - self.max)), &mut e);
        dz[target] = before + factor * ((e[0] - 1.0) - self.rest);
    }

    /// dz = scale ((1 + 2 z_loss lse) softmax(z) - (1 - smoothing) onehot(target) - smoothing / V), or +=
    #[inline(always)]
    fn regularized_gradient<S: Simd>(&self, s: S, z: &[f32], dz: &mut [f32], accum: Accum) {
        let Regularizer { label_smoothing, z_loss } = self.regularizer;
        let target = self.target as usize;
        let pull = if z_loss == 0.0 { 0.0 } else { 2.0 * z_loss * log_sum_exp(self.max, self.rest) as f32 };
        let share = label_smoothing / z.len() as f32;
        let divisor = 1.0 + self.rest;
        let before = if accum == Accum::Add { dz[target] } else { 0.0 };
        write_exp(s, z, self.max, self.scale * (1.0 + pull) / divisor, dz, accum);
        dz.iter_mut().for_each(|dz| *dz -= self.scale * share);
        // Again the target's element, with the terms that cancel taken together: p - 1, and smoothing (1 - 1/V)
        let mut e = [0.0; LANES];
        s.store(exp(s, s.splat(z[target] - self.max)), &mut e);
        let likelihood = ((e[0] - 1.0) - self.rest) / divisor + pull * e[0] / divisor;
        dz[target] = before + self.scale * (likelihood + (label_smoothing - share));
    }
}

/// Replaces logits by the gradient that [`cross_entropy_backward`] gives, in the same memory. If they are bounded by a
/// soft cap, by the gradient of what they were before.
pub fn cross_entropy_gradient_in_place(
    logits: &mut [f32],
    width: usize,
    targets: Targets<'_>,
    (max, rest): (&[f32], &[f32]),
    dy: f32,
    soft_cap: Option<SoftCap>,
) {
    let rows = parallel::rows_per_chunk(width);
    let scale = if targets.total_weight == 0.0 { 0.0 } else { dy / targets.total_weight };
    let slope = soft_cap.map(SoftCap::slope);
    parallel::for_each_chunk(logits, rows * width, |i, logits| {
        let first = i * rows;
        scratch::with([width], |[z]| {
            dispatch(InPlace { logits, width, targets, max, rest, scale, slope, first, z });
        });
    });
}

struct InPlace<'a> {
    logits: &'a mut [f32],
    width: usize,
    targets: Targets<'a>,
    max: &'a [f32],
    rest: &'a [f32],
    scale: f32, // dy / total weight
    slope: Option<SoftCapSlope>,
    first: usize,     // the first row of this chunk
    z: &'a mut [f32], // one row's logits
}

impl Kernel for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (i, dz) in self.logits.chunks_exact_mut(self.width).enumerate() {
            self.z.copy_from_slice(dz);
            let row = Row::new(self.targets, self.max, self.rest, self.first + i, self.scale);
            row.gradient(s, self.z, dz, Accum::Replace);
            if let Some(slope) = self.slope {
                for (z, dz) in self.z.chunks(LANES).zip(dz.chunks_mut(LANES)) {
                    store(s, slope.at(s, [load(s, z), load(s, dz)]), dz);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use crate::kernels::simd::on_every_path;
    use crate::kernels::vmath;

    #[test]
    fn in_place_has_the_bits_of_the_backward() {
        on_every_path(|path| {
            for (rows, width) in [(1, 1), (3, 16), (5, 65), (700, 37)] {
                let mut draw = Draw::new(7);
                let logits: Vec<f32> = (0..rows * width).map(|_| draw.normal() * 4.0).collect();
                let ids: Vec<u32> = (0..rows).map(|_| draw.size(0, width - 1) as u32).collect();
                let weights: Vec<f32> = (0..rows).map(|i| [1.0, 0.0, 0.3][i % 3]).collect();
                let smoothed = Regularizer { label_smoothing: 0.1, z_loss: 1e-2 };
                let regularizer = if rows == 5 { smoothed } else { Regularizer::NONE };
                let targets = Targets { ids: &ids, weights: &weights, total_weight: 3.5, regularizer };
                let (mut max, mut rest) = (vec![0.0; rows], vec![0.0; rows]);
                let _ = cross_entropy_forward(&logits, width, targets, &mut max, &mut rest);
                let mut apart = vec![f32::NAN; logits.len()];
                let mut to = Grad { to: &mut apart, accum: Accum::Replace };
                cross_entropy_backward(&logits, width, targets, (&max, &rest), 0.7, &mut to);
                let mut in_place = logits.clone();
                cross_entropy_gradient_in_place(&mut in_place, width, targets, (&max, &rest), 0.7, None);
                assert_eq!(in_place, apart, "{path}, {rows} rows of {width}");
                let mut capped = logits.clone();
                let cap = SoftCap { cap: 5.0 };
                cross_entropy_gradient_in_place(&mut capped, width, targets, (&max, &rest), 0.7, Some(cap));
                let mut expected = vec![f32::NAN; logits.len()];
                vmath::map(cap.slope(), [&logits, &apart], &mut expected, Accum::Replace);
                assert_eq!(capped, expected, "{path}, {rows} rows of {width}, capped");
            }
        });
    }
}
