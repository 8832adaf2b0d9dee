//! Rung 1: only the keys inside the interval, and no (T, T) matrix.
//!
//! The forward keeps one number a row, the log-sum-exp of its scores; the backward computes each
//! probability again as exp(score - lse). A causal row i costs i + 1 products instead of T, and memory is
//! O(T) instead of O(T^2).

use super::v0_naive::heads;
use super::{Problem, drop_entries};
use crate::kernels::vmath;
use crate::op::Grad;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The factors that dropout gives to row i of P, for the keys of its interval.
fn factors(p: &Problem<'_>, b: usize, h: usize, i: usize) -> Vec<f32> {
    let keys = p.intervals.row(b, i);
    let mut factors = vec![1.0; keys.len()];
    drop_entries(p, b, h, i, keys.start, &mut factors);
    factors
}

/// y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
pub fn forward(p: &Problem<'_>, y: &mut [f32], lse: &mut [f32]) {
    p.check(y.len(), lse.len());
    y.fill(0.0);
    for (b, h) in heads(p) {
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let scores: Vec<f32> =
                keys.clone().map(|j| dot(p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale()).collect();
            let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|s| vmath::exp_one(s - max)).collect();
            let sum: f32 = weights.iter().sum();
            lse[(b * p.n_head + h) * p.time + i] =
                if keys.is_empty() { f32::NEG_INFINITY } else { max + vmath::ln_one(sum) };
            let factors = factors(p, b, h, i);
            let to = &mut y[(b * p.time + i) * p.width() + h * p.head_size..][..p.head_size];
            for (n, j) in keys.enumerate() {
                let weight = weights[n] / sum * factors[n];
                to.iter_mut().zip(p.row(b, j, 2, h)).for_each(|(y, v)| *y += weight * v);
            }
        }
    }
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let (hs, c) = (p.head_size, p.width());
    let mut d = vec![0.0; p.qkv.len()];
    for (b, h) in heads(p) {
        for i in 0..p.time {
            let at = (b * p.time + i) * c + h * hs;
            let (y, dy) = (&y[at..at + hs], &dy[at..at + hs]);
            let row_lse = lse[(b * p.n_head + h) * p.time + i];
            let mean = dot(dy, y); // sum over j of P dP = sum over x of dO O
            let factors = factors(p, b, h, i);
            for (n, j) in p.intervals.row(b, i).enumerate() {
                let score = dot(p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale();
                let weight = vmath::exp_one(score - row_lse);
                let dp = dot(dy, p.row(b, j, 2, h)) * factors[n];
                let ds = weight * (dp - mean) * p.scale();
                for x in 0..hs {
                    d[p.at(b, i, 0, h) + x] += ds * p.row(b, j, 1, h)[x];
                    d[p.at(b, j, 1, h) + x] += ds * p.row(b, i, 0, h)[x];
                    d[p.at(b, j, 2, h) + x] += weight * factors[n] * dy[x];
                }
            }
        }
    }
    dqkv.write(|i| d[i]);
}
