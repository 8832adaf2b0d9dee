//! One new query against a cache of keys and values: attention while writing.

use super::problem::Heads;
use crate::kernels::dot::{dot, dots};
use crate::kernels::simd::{Kernel, LANES, Simd, dispatch};
use crate::kernels::softmax::{exponentials, largest};
use crate::kernels::{parallel, scratch};

/// Floats of keys and values below which all heads stay on one thread: they are read faster than a fork takes.
const SERIAL_BELOW: usize = 1 << 18;

/// y (C): for each head, softmax(K q / sqrt(hs)) applied to V, where q (C) is the new token's query and
/// the caches `k` and `v` hold `len` rows of NKV hs, the new token's last. Each head of keys and values serves
/// NH / NKV heads of queries.
///
/// The interval of this query is the whole cache, so there is nothing to mask.
///
/// # Panics
/// If the lengths do not fit.
pub fn decode(q: &[f32], k: &[f32], v: &[f32], heads: Heads, y: &mut [f32]) {
    let (c, Heads { n_head, n_kv_head }) = (q.len(), heads);
    assert!(n_head > 0 && c.is_multiple_of(n_head) && y.len() == c, "decode: C {c}, {n_head} heads");
    assert!(n_kv_head > 0 && n_head.is_multiple_of(n_kv_head), "decode: {n_kv_head} heads for {n_head}");
    let row = c / n_head * n_kv_head;
    assert!(k.len() == v.len() && k.len().is_multiple_of(row), "decode: whole rows of keys and values");
    let len = k.len() / row;
    let hs = c / n_head;
    let heads_at_once = if 2 * k.len() < SERIAL_BELOW { n_head } else { 1 };
    parallel::for_each_chunk(y, heads_at_once * hs, |i, y| {
        scratch::with([len.next_multiple_of(LANES)], |[weights]| {
            let q = &q[i * heads_at_once * hs..][..y.len()];
            dispatch(Decode {
                q,
                first: i * heads_at_once,
                hs,
                k,
                v,
                heads,
                y,
                weights: &mut weights[..len],
            });
        });
    });
}

/// Some heads, from `first` on.
struct Decode<'a> {
    q: &'a [f32], // (heads here, hs)
    first: usize,
    hs: usize,
    k: &'a [f32], // (len, NKV hs)
    v: &'a [f32], // (len, NKV hs)
    heads: Heads,
    y: &'a mut [f32],       // (heads here, hs)
    weights: &'a mut [f32], // (len)
}

impl Kernel for Decode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { q, first, hs, k, v, heads: Heads { n_head, n_kv_head }, y, weights } = self;
        let row = n_kv_head * hs; // from one position to the next in the caches
        let scale = 1.0 / (hs as f32).sqrt();
        for h in 0..q.len() / hs {
            let head = h * hs..(h + 1) * hs;
            let kv = (first + h) / (n_head / n_kv_head) * hs; // where its keys and values are in a row
            let (sixteens, rest) = weights.as_chunks_mut::<LANES>();
            let seen = sixteens.len() * LANES;
            for (i, scores) in sixteens.iter_mut().enumerate() {
                let keys = &k[i * LANES * row + kv..];
                s.store(s.mul(dots(s, keys, row, &q[head.clone()]), s.splat(scale)), scores);
            }
            for (j, score) in rest.iter_mut().enumerate() {
                *score = dot(s, &q[head.clone()], &k[(seen + j) * row + kv..][..hs]) * scale;
            }
            let max = largest(s, weights);
            let sum = exponentials(s, weights, 1.0, max);
            weights.iter_mut().for_each(|weight| *weight /= sum);
            weighted_sum(s, weights, &v[kv..], row, &mut y[head]);
        }
    }
}

/// y = the sum over j of `weights[j]` times row j of `rows`, which begin `stride` floats apart.
#[inline(always)]
fn weighted_sum<S: Simd>(s: S, weights: &[f32], rows: &[f32], stride: usize, y: &mut [f32]) {
    let mut at = 0;
    while at + 4 * LANES <= y.len() {
        lanes_of_sum::<S, 4>(s, weights, &rows[at..], stride, &mut y[at..]);
        at += 4 * LANES;
    }
    while at + 2 * LANES <= y.len() {
        lanes_of_sum::<S, 2>(s, weights, &rows[at..], stride, &mut y[at..]);
        at += 2 * LANES;
    }
    while at + LANES <= y.len() {
        lanes_of_sum::<S, 1>(s, weights, &rows[at..], stride, &mut y[at..]);
        at += LANES;
    }
    for at in at..y.len() {
        let terms = weights.iter().enumerate();
        y[at] = terms.fold(0.0, |sum, (j, weight)| weight.mul_add(rows[j * stride + at], sum));
    }
}

/// The same for N vectors' worth of columns, whose sums stay in registers.
#[inline(always)]
fn lanes_of_sum<S: Simd, const N: usize>(s: S, weights: &[f32], rows: &[f32], stride: usize, y: &mut [f32]) {
    let mut acc = [s.splat(0.0); N];
    for (j, weight) in weights.iter().enumerate() {
        let (row, _) = rows[j * stride..][..N * LANES].as_chunks::<LANES>();
        for n in 0..N {
            acc[n] = s.fma(s.splat(*weight), s.load(&row[n]), acc[n]);
        }
    }
    let (y, _) = y.as_chunks_mut::<LANES>();
    for n in 0..N {
        s.store(acc[n], &mut y[n]);
    }
}
