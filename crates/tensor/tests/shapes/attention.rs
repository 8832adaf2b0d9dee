//! Attention with random intervals of keys, and one query against a cache.

use super::random::{accum, destination, for_each_shape, sizes, values, written};
use super::running_error::{F, check, constant, dot, f};
use tensor::Grad;
use tensor::gradcheck::Draw;
use tensor::kernels::attention::{self, Dropout, Heads, Intervals, Problem};
use tensor::kernels::mask;

/// Intervals of keys at random: those of the training modes, and any ends at all, empty ones too.
fn intervals(draw: &mut Draw, batch: usize, time: usize) -> Intervals {
    match draw.size(0, 5) {
        0 => Intervals::causal(time),
        1 => Intervals::bidirectional(time, draw.size(1, time)),
        2 => Intervals::sliding_window(time, draw.size(1, time)),
        kind => {
            let count = if kind == 3 { time } else { batch * time };
            let ends = |draw: &mut Draw| (0..count).map(|_| draw.size(0, time) as u32).collect();
            Intervals::new(ends(draw), ends(draw), time)
        }
    }
}

#[test]
fn attentions() {
    for_each_shape(|draw, seed| {
        let [time, head_size, n_head, batch] =
            sizes(draw, [560, 80, 3, 3], 1 << 15, |[time, head_size, n_head, batch]| {
                time * time * head_size * n_head * batch
            });
        let intervals = intervals(draw, batch, time);
        let dropout = (draw.size(0, 3) == 0).then(|| Dropout { p: 0.3, seed: draw.seed() });
        let what = format!("{seed}: B {batch}, T {time}, NH {n_head}, hs {head_size}, {dropout:?}");
        let n_kv_head = kv_heads(draw, n_head);
        let what = format!("{what}, NKV {n_kv_head}");
        let (rows, c, row) = (batch * time, n_head * head_size, (n_head + 2 * n_kv_head) * head_size);
        let qkv = values(draw, rows * row);
        let p =
            Problem { qkv: &qkv, batch, time, n_head, n_kv_head, head_size, intervals: &intervals, dropout };
        let (mut y, mut lse) = (vec![f32::NAN; rows * c], vec![f32::NAN; rows * n_head]);
        attention::forward(&p, &mut y, &mut lse);
        let (dy, accum) = (values(draw, rows * c), accum(draw));
        let before = destination(draw, qkv.len(), accum);
        let mut dqkv = before.clone();
        attention::backward(&p, &y, &lse, &dy, &mut Grad { to: &mut dqkv, accum });

        let scale = constant(1.0 / (head_size as f64).sqrt());
        let at = |b: usize, t: usize, which: usize, h: usize| {
            let head =
                [h, n_head + h * n_kv_head / n_head, n_head + n_kv_head + h * n_kv_head / n_head][which];
            (b * time + t) * row + head * head_size
        };
        let (mut exact_y, mut exact_d) = (vec![F::default(); y.len()], vec![F::default(); qkv.len()]);
        let mut exact_lse = vec![F { value: f64::NEG_INFINITY, error: 0.0 }; lse.len()];
        for (b, h, i) in
            (0..batch).flat_map(|b| (0..n_head).flat_map(move |h| (0..time).map(move |i| (b, h, i))))
        {
            let keys = intervals.row(b, i);
            if keys.is_empty() {
                continue;
            }
            let row = |t: usize, which: usize| &qkv[at(b, t, which, h)..][..head_size];
            let scores: Vec<F> =
                keys.clone().map(|j| dot(row(i, 0), 1, row(j, 1), 1, head_size) * scale).collect();
            let max = scores.iter().fold(f64::NEG_INFINITY, |max, s| max.max(s.value));
            let max = F { value: max, error: 0.0 };
            let weights: Vec<F> = scores.iter().map(|&s| (s - max).exp()).collect();
            let sum: F = weights.iter().copied().sum();
            exact_lse[(b * n_head + h) * time + i] = max + sum.ln();
            let mut factors = vec![1.0; keys.len()];
            if let Some(dropout) = dropout {
                let first = ((b * n_head + h) * time + i) * time + keys.start;
                mask::apply(dropout.p, dropout.seed, first as u64, &mut factors);
            }
            let of_y = (b * time + i) * c + h * head_size;
            let (y, dy) = (&mut exact_y[of_y..][..head_size], &dy[of_y..][..head_size]);
            let probabilities: Vec<F> = weights.iter().map(|&w| w / sum).collect();
            for (n, j) in keys.clone().enumerate() {
                let p = probabilities[n] * f(factors[n]);
                y.iter_mut().zip(row(j, 2)).for_each(|(y, &v)| *y = *y + p * f(v));
            }
            let dp: Vec<F> = keys
                .clone()
                .zip(&factors)
                .map(|(j, &factor)| dot(dy, 1, row(j, 2), 1, head_size) * f(factor))
                .collect();
            let mean: F = y.iter().zip(dy).map(|(&y, &dy)| y * f(dy)).sum();
            for (n, j) in keys.enumerate() {
                let ds = probabilities[n] * (dp[n] - mean) * scale;
                let p = probabilities[n] * f(factors[n]);
                for x in 0..head_size {
                    let (dq, dk, dv) = (at(b, i, 0, h) + x, at(b, j, 1, h) + x, at(b, j, 2, h) + x);
                    exact_d[dq] = exact_d[dq] + ds * f(row(j, 1)[x]);
                    exact_d[dk] = exact_d[dk] + ds * f(row(i, 0)[x]);
                    exact_d[dv] = exact_d[dv] + p * f(dy[x]);
                }
            }
        }
        check(&format!("{what}: y"), &y, exact_y);
        check(&format!("{what}: lse"), &lse, exact_lse);
        check(&format!("{what}, {accum:?}: dqkv"), &dqkv, written(accum, &before, exact_d));
    });
}

/// Any number of heads that divides the number of heads of queries.
fn kv_heads(draw: &mut Draw, n_head: usize) -> usize {
    let divisors: Vec<usize> = (1..=n_head).filter(|&n| n_head.is_multiple_of(n)).collect();
    draw.choose(&divisors)
}

#[test]
fn decodes() {
    for_each_shape(|draw, seed| {
        let [len, head_size, n_head] =
            sizes(draw, [2000, 128, 12], 1 << 13, |[len, head_size, n_head]| len * head_size * n_head);
        let c = n_head * head_size;
        let n_kv_head = kv_heads(draw, n_head);
        let row = n_kv_head * head_size;
        let (q, k, v) = (values(draw, c), values(draw, len * row), values(draw, len * row));
        let mut y = vec![f32::NAN; c];
        attention::decode(&q, &k, &v, Heads { n_head, n_kv_head }, &mut y);
        let scale = constant(1.0 / (head_size as f64).sqrt());
        let exact = (0..n_head).flat_map(|h| {
            let q = &q[h * head_size..];
            let kv = h * n_kv_head / n_head * head_size;
            let scores: Vec<F> =
                (0..len).map(|j| dot(q, 1, &k[j * row + kv..], 1, head_size) * scale).collect();
            let max = scores.iter().fold(f64::NEG_INFINITY, |max, s| max.max(s.value));
            let weights: Vec<F> = scores.iter().map(|&s| (s - F { value: max, error: 0.0 }).exp()).collect();
            let sum: F = weights.iter().copied().sum();
            let v = &v;
            (kv..kv + head_size).map(move |x| (0..len).map(|j| weights[j] / sum * f(v[j * row + x])).sum())
        });
        check(&format!("{seed}: {len} keys, NH {n_head}, NKV {n_kv_head}, hs {head_size}"), &y, exact);
    });
}
