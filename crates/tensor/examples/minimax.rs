//! Finds the polynomial of a new function of `kernels/vmath.rs`: that whose largest relative error on an interval is the least.
//!
//! `cargo run --release -p tensor --example minimax` prints those of `exp`, `sin` and `cos`. For another function, add a
//! line to [`FITS`].
//!
//! Lawson's iteration: a weighted least-squares fit, again and again, where each point's weight is multiplied by the size of
//! its error. Weight gathers where the error is largest, until it is the same at degree + 2 points, which is the mark of the best
//! polynomial. In f64: good for errors down to about 10^-13.

#![allow(
    clippy::disallowed_methods,
    reason = "the coefficients are written down: nothing is computed with these functions"
)]

/// f(x) = start(x) + factor(x) p(u(x)) for x in an interval: p is wanted.
struct Fit {
    name: &'static str,
    /// What is approximated. Not zero at any point but the middle of the interval.
    f: fn(f64) -> f64,
    /// What the kernel adds without rounding, such as 1 + x: known terms of the series.
    start: fn(f64) -> f64,
    factor: fn(f64) -> f64,
    /// x, or x^2 where all powers are even or odd.
    u: fn(f64) -> f64,
    interval: [f64; 2],
    degree: usize,
}

const FITS: &[Fit] = &[
    Fit {
        name: "sin: r + r^3 p(r^2)",
        f: f64::sin,
        start: |r| r,
        factor: |r| r.powi(3),
        u: |r| r * r,
        interval: [-0.95, 0.95],
        degree: 3,
    },
    Fit {
        name: "cos: 1 - r^2 / 2 + r^4 p(r^2)",
        f: f64::cos,
        start: |r| 1.0 - r * r / 2.0,
        factor: |r| r.powi(4),
        u: |r| r * r,
        interval: [-0.95, 0.95],
        degree: 2,
    },
    // In vmath p alone was fitted, without its factor: 7.5e-9.
    Fit {
        name: "exp: 1 + r + r^2 / 2 + r^3 p(r)",
        f: f64::exp,
        start: |r| 1.0 + r + r * r / 2.0,
        factor: |r| r.powi(3),
        u: |r| r,
        interval: [-0.3467, 0.3467],
        degree: 3,
    },
];

fn main() {
    for fit in FITS {
        let p = fit.minimax();
        let rounded: Vec<f64> = p.iter().map(|&c| f64::from(c as f32)).collect();
        let [exact, in_f32] = [&p, &rounded].map(|p| fit.largest_error(p));
        println!("{}: relative error {exact:.1e}, with coefficients in f32 {in_f32:.1e}", fit.name);
        // Highest power first, as fma takes them.
        p.iter().rev().for_each(|&c| println!("    {}", literal(c as f32)));
    }
}

impl Fit {
    /// Chebyshev points, an even number, so that none is the middle.
    fn points(&self, n: usize) -> impl Iterator<Item = f64> {
        let [low, high] = self.interval;
        let angle = move |i| (i as f64 + 0.5) / n as f64 * std::f64::consts::PI;
        (0..n).map(move |i| (low + high) / 2.0 + (high - low) / 2.0 * f64::cos(angle(i)))
    }

    /// The coefficients of p, the constant first.
    fn minimax(&self) -> Vec<f64> {
        // A row a point: what each coefficient adds, and what shall come out, both over f.
        let row = |x: f64| {
            let powers = (0..=self.degree).map(|k| (self.factor)(x) * (self.u)(x).powi(k as i32));
            let all = powers.chain([(self.f)(x) - (self.start)(x)]);
            all.map(|value| value / (self.f)(x)).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = self.points(400).map(row).collect();
        let mut weights = vec![1.0; rows.len()];
        let mut p = Vec::new();
        for _ in 0..1000 {
            p = least_squares(&rows, &weights);
            let error = |row: &[f64]| row.iter().zip(&p).map(|(a, c)| a * c).sum::<f64>() - row[p.len()];
            weights.iter_mut().zip(&rows).for_each(|(weight, row)| *weight *= error(row).abs());
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        p
    }

    /// The largest relative error with these coefficients, in exact arithmetic.
    fn largest_error(&self, p: &[f64]) -> f64 {
        let value = |x: f64| {
            let p = p.iter().rev().fold(0.0, |sum, c| sum * (self.u)(x) + c);
            (self.start)(x) + (self.factor)(x) * p
        };
        self.points(10_000).map(|x| (value(x) / (self.f)(x) - 1.0).abs()).fold(0.0, f64::max)
    }
}

/// The x that makes the sum of weight (A x - b)^2 least, where the rows are those of A with b at the end: Gram-Schmidt.
fn least_squares(rows: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let n = rows[0].len() - 1;
    let column = |k: usize| rows.iter().zip(weights).map(|(row, w)| w.sqrt() * row[k]).collect();
    let mut columns: Vec<Vec<f64>> = (0..=n).map(column).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut r = vec![vec![0.0; n + 1]; n];
    for k in 0..n {
        let (done, rest) = columns.split_at_mut(k + 1);
        let q = &mut done[k];
        let norm = dot(q, q).sqrt();
        r[k][k] = norm;
        q.iter_mut().for_each(|q| *q /= norm);
        for (j, column) in rest.iter_mut().enumerate() {
            let along = dot(q, column);
            r[k][k + 1 + j] = along;
            column.iter_mut().zip(&*q).for_each(|(c, q)| *c -= along * q);
        }
    }
    let mut x = vec![0.0; n];
    for k in (0..n).rev() {
        x[k] = (r[k][n] - dot(&r[k][k + 1..n], &x[k + 1..])) / r[k][k];
    }
    x
}

/// As Rust and clippy want it: no digit more than tells it from other f32, and an underscore after every third.
fn literal(c: f32) -> String {
    let text = if c.abs() < 0.1 { format!("{c:e}") } else { format!("{c:?}") };
    let (digits, exponent) = text.split_once('e').map_or((&text[..], None), |(a, b)| (a, Some(b)));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let groups: Vec<&str> =
        fraction.as_bytes().chunks(3).map(|group| str::from_utf8(group).expect("digits")).collect();
    let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
    format!("{whole}.{}{exponent}", groups.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kernels/vmath.rs` has, and the errors that it states.
    #[test]
    fn the_polynomials_of_vmath_come_out_again() {
        let known: [(&[f32], f64); 3] = [
            (&[-0.166_666_67, 8.333_321e-3, -1.983_707_3e-4, 2.700_738_6e-6], 4e-11),
            (&[4.166_66e-2, -1.388_547_5e-3, 2.425_995_6e-5], 9e-10),
            (&[], 7.5e-9),
        ];
        for (fit, (coefficients, error)) in FITS.iter().zip(known) {
            let p = fit.minimax();
            assert!(fit.largest_error(&p) <= error, "{}: {:e}", fit.name, fit.largest_error(&p));
            for (&found, &expected) in p.iter().zip(coefficients) {
                assert!(
                    (found / f64::from(expected) - 1.0).abs() <= 1e-6,
                    "{}: {found:e} {expected:e}",
                    fit.name
                );
            }
        }
    }

    #[test]
    fn literals_are_as_clippy_wants_them() {
        assert_eq!(literal(1.390_130_1e-3), "1.390_130_1e-3");
        assert_eq!(literal(-0.166_666_67), "-0.166_666_67");
        assert_eq!([literal(0.5), literal(2.0), literal(1e-3)], ["0.5", "2.0", "1.0e-3"]);
    }
}
