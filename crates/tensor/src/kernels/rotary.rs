//! Rotary positions and the norm of queries and keys. The formulas are in `ops/rotary.rs`.

use super::attention::Heads;
use super::dot::dot;
use super::parallel;
use super::rows::{for_each_piece, load, store};
use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::grad::{Accum, Grad};
use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

/// Cosines and sines of all angles: position t turns pair j by t `base`^(-2j / hs).
///
/// Computed once a model, in f64, by functions that are the same on every machine.
#[derive(Clone, PartialEq)]
pub struct Rotations {
    base: f64,
    pairs: usize,  // hs / 2
    cos: Vec<f32>, // (T, hs / 2)
    sin: Vec<f32>, // (T, hs / 2)
}

impl Rotations {
    /// For `time` positions and heads of `head_size` features, an even number. RoPE's base is 10,000: the slowest
    /// pair turns once in 2 pi 10,000 positions.
    ///
    /// # Panics
    /// If the head size is odd.
    #[must_use]
    pub fn new(time: usize, head_size: usize, base: f64) -> Self {
        assert!(head_size.is_multiple_of(2), "rotary: pairs of features, not a head size of {head_size}");
        let pairs = head_size / 2;
        let turns = |j: usize| random::exp(-random::ln(base) * j as f64 / pairs as f64) / TAU;
        let turns: Vec<f64> = (0..pairs).map(turns).collect(); // of each pair, from one position to the next
        let angles = (0..time).flat_map(|t| turns.iter().map(move |turn| (t as f64 * turn).fract()));
        let (sin, cos) = angles.map(random::sin_cos_turns).map(|(sin, cos)| (sin as f32, cos as f32)).unzip();
        Self { base, pairs, cos, sin }
    }

    /// Positions, T.
    #[must_use]
    pub fn time(&self) -> usize {
        self.cos.len().checked_div(self.pairs).unwrap_or(0)
    }

    /// Features of a head, hs.
    #[must_use]
    pub fn head_size(&self) -> usize {
        2 * self.pairs
    }

    /// Cosines and sines of the pairs at a position.
    #[must_use]
    pub fn at(&self, t: usize) -> (&[f32], &[f32]) {
        let of_t = t * self.pairs..(t + 1) * self.pairs;
        (&self.cos[of_t.clone()], &self.sin[of_t])
    }
}

impl fmt::Debug for Rotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "base {}", self.base)
    }
}

/// What happens to queries and keys between their projection and attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// NH and NKV.
    pub heads: Heads,
    /// Each query and key is first divided by its root mean square, to whose square this is added.
    pub norm_eps: Option<f32>,
    /// Then turned by its position.
    pub rotations: Option<Arc<Rotations>>,
}

impl Rotary {
    /// Heads that are changed: those of queries and keys.
    fn changed(&self) -> usize {
        self.heads.n_head + self.heads.n_kv_head
    }

    /// Floats of `rstd` for these rows.
    #[must_use]
    pub fn statistics(&self, rows: usize) -> usize {
        if self.norm_eps.is_some() { rows * self.changed() } else { 0 }
    }
}

/// y from qkv, (rows, (NH + 2 NKV) hs) each, of sequences of `time` positions that begin at position `start`; values are
/// copied. `rstd` receives 1 / rms of each query and key, [`Rotary::statistics`] floats.
///
/// # Panics
/// If the lengths do not fit.
pub fn rotary_forward(
    rotary: &Rotary,
    (start, time): (usize, usize),
    qkv: &[f32],
    y: &mut [f32],
    rstd: &mut [f32],
    head_size: usize,
) {
    let width = rotary.heads.in_row() * head_size;
    assert!(qkv.len() == y.len() && qkv.len().is_multiple_of(width.max(1)), "rotary: lengths");
    assert_eq!(rstd.len(), rotary.statistics(qkv.len() / width.max(1)), "rotary: statistics");
    let rows = parallel::rows_per_chunk(width);
    for_each_piece([y, rstd], [rows * width, rows * rotary.changed()], |i, [y, rstd]| {
        let qkv = &qkv[i * rows * width..][..y.len()];
        dispatch(Forward { rotary, start, time, first: i * rows, qkv, y, rstd, head_size });
    });
}

struct Forward<'a> {
    rotary: &'a Rotary,
    start: usize,
    time: usize,
    first: usize, // the first row
    qkv: &'a [f32],
    y: &'a mut [f32],
    rstd: &'a mut [f32],
    head_size: usize,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rotary, head_size: hs, .. } = self;
        let (width, changed) = (rotary.heads.in_row() * hs, rotary.changed());
        let rows = self.qkv.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for (row, (x, y)) in rows.enumerate() {
            let (cos, sin) = angles(rotary, self.start + (self.first + row) % self.time);
            for head in 0..changed {
                let at = head * hs..(head + 1) * hs;
                let (x, y) = (&x[at.clone()], &mut y[at]);
                let r = match rotary.norm_eps {
                    Some(eps) => {
                        let r = 1.0 / (dot(s, x, x) / hs as f32 + eps).sqrt();
                        self.rstd[row * changed + head] = r;
                        r
                    }
                    None => 1.0,
                };
                turn(s, x, r, cos, sin, y);
            }
            y[changed * hs..].copy_from_slice(&x[changed * hs..]);
        }
    }
}

/// The cosines and sines of a position; empty if nothing turns.
#[inline(always)]
fn angles(rotary: &Rotary, t: usize) -> (&[f32], &[f32]) {
    rotary.rotations.as_ref().map_or((&[], &[]), |rotations| rotations.at(t))
}

/// y = r x, its pairs (j, hs/2 + j) turned.
#[inline(always)]
fn turn<S: Simd>(s: S, x: &[f32], r: f32, cos: &[f32], sin: &[f32], y: &mut [f32]) {
    let half = cos.len();
    let r = s.splat(r);
    if half == 0 {
        for at in (0..x.len()).step_by(LANES) {
            store(s, s.mul(load(s, &x[at..]), r), &mut y[at..]);
        }
        return;
    }
    let ((x1, x2), (y1, y2)) = (x.split_at(half), y.split_at_mut(half));
    for at in (0..half).step_by(LANES) {
        let (c, sn) = (load(s, &cos[at..]), load(s, &sin[at..]));
        let (a, b) = (s.mul(load(s, &x1[at..]), r), s.mul(load(s, &x2[at..]), r));
        store(s, s.sub(s.mul(a, c), s.mul(b, sn)), &mut y1[at..]);
        store(s, s.fma(a, sn, s.mul(b, c)), &mut y2[at..]);
    }
}

/// dqkv from dy, or `+=`, where `qkv`, `y` and `rstd` are [`rotary_forward`]'s.
pub fn rotary_backward(
    rotary: &Rotary,
    time: usize,
    (qkv, y, rstd): (&[f32], &[f32], &[f32]),
    dy: &[f32],
    dqkv: &mut Grad<'_>,
    head_size: usize,
) {
    let width = rotary.heads.in_row() * head_size;
    let rows = parallel::rows_per_chunk(width);
    let accum = dqkv.accum;
    parallel::for_each_chunk(dqkv.to, rows * width, |i, dx| {
        let part = i * rows * width..i * rows * width + dx.len();
        let (x, y, dy) = (&qkv[part.clone()], &y[part.clone()], &dy[part]);
        dispatch(Backward { rotary, time, first: i * rows, x, y, rstd, dy, dx, accum, head_size });
    });
}

struct Backward<'a> {
    rotary: &'a Rotary,
    time: usize,
    first: usize,
    x: &'a [f32],
    y: &'a [f32],
    rstd: &'a [f32], // of all rows
    dy: &'a [f32],
    dx: &'a mut [f32],
    accum: Accum,
    head_size: usize,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rotary, head_size: hs, accum, .. } = self;
        let (width, changed) = (rotary.heads.in_row() * hs, rotary.changed());
        for (row, dx) in self.dx.chunks_exact_mut(width).enumerate() {
            let (cos, sin) = angles(rotary, (self.first + row) % self.time);
            let row_at = row * width;
            for head in 0..changed {
                let at = row_at + head * hs..row_at + (head + 1) * hs;
                let (x, y, dy) = (&self.x[at.clone()], &self.y[at.clone()], &self.dy[at]);
                // xhat = r x: dx = r (d - xhat mean(d xhat)), and a rotation keeps d xhat = dy y
                let (r, mean) = match rotary.norm_eps {
                    Some(_) => (self.rstd[(self.first + row) * changed + head], dot(s, dy, y) / hs as f32),
                    None => (1.0, 0.0),
                };
                turn_back(s, (x, dy), (r, mean), (cos, sin), &mut dx[head * hs..(head + 1) * hs], accum);
            }
            let values = row_at + changed * hs..row_at + width;
            let to = dx[changed * hs..].iter_mut().zip(&self.dy[values]);
            match accum {
                Accum::Replace => to.for_each(|(to, dy)| *to = *dy),
                Accum::Add => to.for_each(|(to, dy)| *to += *dy),
            }
        }
    }
}

/// dx = r (d - r x mean), d being dy turned back; or `+=`.
#[inline(always)]
fn turn_back<S: Simd>(
    s: S,
    (x, dy): (&[f32], &[f32]),
    (r, mean): (f32, f32),
    (cos, sin): (&[f32], &[f32]),
    dx: &mut [f32],
    accum: Accum,
) {
    let half = cos.len();
    let pass = Back { s, r: s.splat(r), shift: s.splat(-r * mean), accum };
    if half == 0 {
        for at in (0..x.len()).step_by(LANES) {
            pass.write(load(s, &dy[at..]), &x[at..], &mut dx[at..]);
        }
        return;
    }
    let (((x1, x2), (dy1, dy2)), (dx1, dx2)) = ((x.split_at(half), dy.split_at(half)), dx.split_at_mut(half));
    for at in (0..half).step_by(LANES) {
        let (c, sn) = (load(s, &cos[at..]), load(s, &sin[at..]));
        let (a, b) = (load(s, &dy1[at..]), load(s, &dy2[at..]));
        // y1 = a c - b s, y2 = a s + b c: da = dy1 c + dy2 s, db = dy2 c - dy1 s
        pass.write(s.fma(a, c, s.mul(b, sn)), &x1[at..], &mut dx1[at..]);
        pass.write(s.sub(s.mul(b, c), s.mul(a, sn)), &x2[at..], &mut dx2[at..]);
    }
}

#[derive(Clone, Copy)]
struct Back<S: Simd> {
    s: S,
    r: S::V,
    shift: S::V, // -r mean
    accum: Accum,
}

impl<S: Simd> Back<S> {
    /// dx = r (d + shift x), or `+=`
    #[inline(always)]
    fn write(self, d: S::V, x: &[f32], dx: &mut [f32]) {
        let s = self.s;
        let mut value = s.mul(s.fma(self.shift, load(s, x), d), self.r);
        if self.accum == Accum::Add {
            value = s.add(load(s, dx), value);
        }
        store(s, value, dx);
    }
}
