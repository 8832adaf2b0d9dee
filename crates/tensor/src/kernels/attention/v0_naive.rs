//! Rung 0: the formulas as they stand. Whole (T, T) matrices, and -infinity where a key is not seen.
//! Slow, large, and obviously right: what the other rungs are compared with.

use super::{Problem, drop_entries};
use crate::kernels::vmath;
use crate::op::Grad;

/// The matrix P of one head before dropout, (T, T), and the log-sum-exp of each row.
fn probabilities(p: &Problem<'_>, b: usize, h: usize) -> (Vec<f32>, Vec<f32>) {
    let t = p.time;
    let (mut scores, mut lse) = (vec![f32::NEG_INFINITY; t * t], vec![f32::NEG_INFINITY; t]);
    for i in 0..t {
        for j in p.intervals.row(b, i) {
            let dot: f32 = p.row(b, i, 0, h).iter().zip(p.row(b, j, 1, h)).map(|(q, k)| q * k).sum();
            scores[i * t + j] = dot * p.scale();
        }
        let row = &mut scores[i * t..(i + 1) * t];
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if max == f32::NEG_INFINITY {
            row.fill(0.0); // no key is seen
            continue;
        }
        row.iter_mut().for_each(|s| *s = vmath::exp_one(*s - max));
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|s| *s /= sum);
        lse[i] = max + vmath::ln_one(sum);
    }
    (scores, lse)
}

/// The factor that dropout gives to each element of P.
fn dropout_factors(p: &Problem<'_>, b: usize, h: usize) -> Vec<f32> {
    let mut factors = vec![1.0; p.time * p.time];
    factors.chunks_mut(p.time).enumerate().for_each(|(i, row)| drop_entries(p, b, h, i, 0, row));
    factors
}

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    let (t, hs) = (p.time, p.head_size);
    y.fill(0.0);
    for (b, h) in heads(p) {
        let (probabilities, head_lse) = probabilities(p, b, h);
        let factors = dropout_factors(p, b, h);
        for i in 0..t {
            for j in 0..t {
                let weight = probabilities[i * t + j] * factors[i * t + j];
                let to = &mut y[(b * t + i) * p.width() + h * hs..][..hs];
                to.iter_mut().zip(p.row(b, j, 2, h)).for_each(|(y, v)| *y += weight * v);
            }
        }
        lse[(b * p.n_head + h) * t..][..t].copy_from_slice(&head_lse);
    }
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let (t, hs, c) = (p.time, p.head_size, p.width());
    let mut d = vec![0.0; p.qkv.len()];
    for (b, h) in heads(p) {
        let (probabilities, _) = probabilities(p, b, h);
        let factors = dropout_factors(p, b, h);
        for i in 0..t {
            let dy = &dy[(b * t + i) * c + h * hs..][..hs];
            // O = (P * factors) V: dP = (dO V^T) * factors, dV = (P * factors)^T dO
            let dp: Vec<f32> = (0..t)
                .map(|j| {
                    let dot: f32 = dy.iter().zip(p.row(b, j, 2, h)).map(|(dy, v)| dy * v).sum();
                    dot * factors[i * t + j]
                })
                .collect();
            let row = &probabilities[i * t..(i + 1) * t];
            // P = softmax(S): dS = P (dP - sum over j of P dP)
            let mean: f32 = row.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
            for j in 0..t {
                let ds = row[j] * (dp[j] - mean) * p.scale();
                for x in 0..hs {
                    // S = Q K^T / sqrt(hs): dQ = dS K / sqrt(hs), dK = dS^T Q / sqrt(hs)
                    d[p.at(b, i, 0, h) + x] += ds * p.row(b, j, 1, h)[x];
                    d[p.at(b, j, 1, h) + x] += ds * p.row(b, i, 0, h)[x];
                    d[p.at(b, j, 2, h) + x] += row[j] * factors[i * t + j] * dy[x];
                }
            }
        }
    }
    dqkv.write(|i| d[i]);
}

/// All (sequence, head) pairs.
pub(super) fn heads(p: &Problem<'_>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let n_head = p.n_head;
    (0..p.batch).flat_map(move |b| (0..n_head).map(move |h| (b, h)))
}
