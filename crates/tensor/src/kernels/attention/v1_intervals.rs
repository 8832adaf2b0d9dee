//! Rung 1: only the keys inside the interval, and no (T, T) matrix.
//!
//! The forward keeps one number a row, the log-sum-exp of its scores; the backward computes each
//! probability again as exp(score - lse). In a causal row i each product is over i + 1 keys; in rung 0 only that of the scores
//! is, and the others (P V forward; dP, dV, dQ and dK backward) are over T. Memory is O(T) instead of O(T^2).

use super::problem::{Destinations, Problem, by_head, by_kv_head, drop_entries};
use crate::grad::Grad;
use crate::kernels::{parallel, vmath};

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
    parallel::for_each_of(by_head(p, y, lse), |mut to| {
        let (b, h) = (to.b, to.h);
        for i in 0..p.time {
            let keys = p.intervals.row(b, i);
            let scores: Vec<f32> =
                keys.clone().map(|j| dot(p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale()).collect();
            let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|s| vmath::exp_one(s - max)).collect();
            let sum: f32 = weights.iter().sum();
            to.lse[i] = if keys.is_empty() { f32::NEG_INFINITY } else { max + vmath::ln_one(sum) };
            let factors = factors(p, b, h, i);
            let y = to.y.row(i);
            y.fill(0.0);
            for (n, j) in keys.enumerate() {
                let weight = weights[n] / sum * factors[n];
                y.iter_mut().zip(p.row(b, j, 2, h)).for_each(|(y, v)| *y += weight * v);
            }
        }
    });
}

/// dqkv (B, T, C + 2 NKV hs) from dy (B, T, C).
pub fn backward(p: &Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>) {
    p.check(y.len(), lse.len());
    let mut d = vec![0.0; p.qkv.len()];
    parallel::for_each_of(by_kv_head(p, &mut d), |mut to| {
        (0..p.group()).for_each(|n| backward_of_head(p, (y, lse, dy), n, &mut to));
    });
    dqkv.write(|i| d[i]);
}

/// What head number n of a group adds to its dQ, and to the group's dK and dV.
fn backward_of_head(
    p: &Problem<'_>,
    (y, lse, dy): (&[f32], &[f32], &[f32]),
    n: usize,
    to: &mut Destinations<'_>,
) {
    let (hs, b, h) = (p.head_size, to.b, to.first + n);
    for i in 0..p.time {
        let at = (b * p.time + i) * p.width() + h * hs;
        let (y, dy) = (&y[at..at + hs], &dy[at..at + hs]);
        let row_lse = lse[(b * p.n_head + h) * p.time + i];
        let mean = dot(dy, y); // sum over j of P dP = sum over x of dO O
        let factors = factors(p, b, h, i);
        for (m, j) in p.intervals.row(b, i).enumerate() {
            let score = dot(p.row(b, i, 0, h), p.row(b, j, 1, h)) * p.scale();
            let weight = vmath::exp_one(score - row_lse);
            let dp = dot(dy, p.row(b, j, 2, h)) * factors[m];
            let ds = weight * (dp - mean) * p.scale();
            for x in 0..hs {
                to.dq[n].row(i)[x] += ds * p.row(b, j, 1, h)[x];
                to.dk.row(j)[x] += ds * p.row(b, i, 0, h)[x];
                to.dv.row(j)[x] += weight * factors[m] * dy[x];
            }
        }
    }
}
