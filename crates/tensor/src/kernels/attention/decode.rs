//! One new query against a cache of keys and values: attention while writing.

use super::v2_rows::{add_scaled, dot, exponentials};
use crate::kernels::scratch;
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};

/// y (C): for each head, softmax(K q / sqrt(hs)) applied to V, where q (C) is the new token's query and
/// the caches `k` and `v` hold `len` rows of C, the new token's last.
///
/// The interval of this query is the whole cache, so there is nothing to mask.
///
/// # Panics
/// If the lengths do not fit.
pub fn decode(q: &[f32], k: &[f32], v: &[f32], n_head: usize, y: &mut [f32]) {
    let c = q.len();
    assert!(n_head > 0 && c.is_multiple_of(n_head) && y.len() == c, "decode: C {c}, {n_head} heads");
    assert!(k.len() == v.len() && k.len().is_multiple_of(c), "decode: whole rows of keys and values");
    let len = k.len() / c;
    scratch::with([len.next_multiple_of(LANES)], |[weights]| {
        dispatch(Decode { q, k, v, n_head, y, weights: &mut weights[..len] });
    });
}

struct Decode<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    n_head: usize,
    y: &'a mut [f32],
    weights: &'a mut [f32],
}

impl Kernel for Decode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { q, k, v, n_head, y, weights } = self;
        let c = q.len();
        let hs = c / n_head;
        let scale = 1.0 / (hs as f32).sqrt();
        for h in 0..n_head {
            let head = h * hs..(h + 1) * hs;
            let mut max = f32::NEG_INFINITY;
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = dot(s, &q[head.clone()], &k[j * c + head.start..j * c + head.end]) * scale;
                max = if *weight > max { *weight } else { max };
            }
            let sum = exponentials(s, weights, max);
            let y = &mut y[head.clone()];
            y.fill(0.0);
            for (j, weight) in weights.iter().enumerate() {
                add_scaled(s, weight / sum, &v[j * c + head.start..j * c + head.end], y);
            }
        }
    }
}
