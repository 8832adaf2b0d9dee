//! Rung 0: the formulas, with whole (T, T) matrices. A score is computed where the key is seen and -infinity elsewhere; softmax
//! and all other products go over whole rows, whose weights are 0 outside of the interval. Slow, large (memory O(T^2)), and
//! obviously right: what the other rungs are compared with.
//!
//! The exponential and the logarithm are the standard library's, whose last bit may be another one on another machine:
//! this rung is a definition, and nothing is trained with it.

#![allow(clippy::disallowed_methods, reason = "a definition: compared with, not trained with")]

use super::problem::{Destinations, Problem, by_head, by_kv_head, drop_entries};
use crate::grad::Grad;
use crate::kernels::parallel;

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
        row.iter_mut().for_each(|s| *s = (*s - max).exp());
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|s| *s /= sum);
        lse[i] = max + sum.ln();
    }
    (scores, lse)
}

/// The factor that dropout gives to each element of P, (T, T).
fn dropout_factors(p: &Problem<'_>, b: usize, h: usize) -> Vec<f32> {
    let mut factors = vec![1.0; p.time * p.time];
    factors.chunks_mut(p.time).enumerate().for_each(|(i, row)| drop_entries(p, b, h, i, 0, row));
    factors
}

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    let t = p.time;
    parallel::for_each_of(by_head(p, y, lse), |mut to| {
        let (probabilities, lse) = probabilities(p, to.b, to.h);
        let factors = dropout_factors(p, to.b, to.h);
        for i in 0..t {
            let y = to.y.row(i);
            y.fill(0.0);
            for j in 0..t {
                let weight = probabilities[i * t + j] * factors[i * t + j];
                y.iter_mut().zip(p.row(to.b, j, 2, to.h)).for_each(|(y, v)| *y += weight * v);
            }
        }
        to.lse.copy_from_slice(&lse);
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let mut d = vec![0.0; p.qkv.len()];
    parallel::for_each_of(by_kv_head(p, &mut d), |mut to| {
        (0..p.group()).for_each(|n| backward_of_head(p, dy, n, &mut to));
    });
    dqkv.write(|i| d[i]);
}

/// What head number n of a group adds to its dQ, and to the group's dK and dV.
fn backward_of_head(p: &Problem<'_>, dy: &[f32], n: usize, to: &mut Destinations<'_>) {
    let (t, hs, b, h) = (p.time, p.head_size, to.b, to.first + n);
    let (probabilities, _) = probabilities(p, b, h);
    let factors = dropout_factors(p, b, h);
    for i in 0..t {
        let dy = &dy[(b * t + i) * p.width() + h * hs..][..hs];
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
                to.dq[n].row(i)[x] += ds * p.row(b, j, 1, h)[x];
                to.dk.row(j)[x] += ds * p.row(b, i, 0, h)[x];
                to.dv.row(j)[x] += row[j] * factors[i * t + j] * dy[x];
            }
        }
    }
}
