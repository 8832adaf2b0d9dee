//! L-BFGS: Newton's method without the matrix of second derivatives.
//!
//! Newton's step is -H^-1 g. What the last few steps s = x' - x and the changes y = g' - g of the
//! gradient tell about H (H s = y) is enough for a good approximation, and the product with g takes a
//! loop down and a loop up through them. Source: Nocedal, "Updating quasi-Newton matrices with limited
//! storage" (1980); Nocedal and Wright, "Numerical Optimization", algorithm 7.4.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// Where a minimisation ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The place.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the gradient became small enough.
    pub converged: bool,
}

/// Minimises a smooth convex function from `x` on: `f` writes the gradient and answers the value. Ends
/// when no component of the gradient is larger than `tolerance`, after `max_iterations` steps, or when
/// no step goes down any more.
///
/// ```
/// // (x - 1)^2 + 10 (y + 2)^2
/// let minimum = data::baseline::minimise(vec![0.0, 0.0], 100, 1e-9, |x, g| {
///     (g[0], g[1]) = (2.0 * (x[0] - 1.0), 20.0 * (x[1] + 2.0));
///     (x[0] - 1.0).powi(2) + 10.0 * (x[1] + 2.0).powi(2)
/// });
/// assert!((minimum.x[0] - 1.0).abs() < 1e-8 && (minimum.x[1] + 2.0).abs() < 1e-8);
/// ```
pub fn minimise(
    mut x: Vec<f64>,
    max_iterations: usize,
    tolerance: f64,
    mut f: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Minimum {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f(&x, &mut gradient);
    let mut history = VecDeque::with_capacity(MEMORY);
    for iterations in 0..=max_iterations {
        let converged = gradient.iter().all(|g| g.abs() <= tolerance);
        if converged || iterations == max_iterations {
            return Minimum { x, value, iterations, converged };
        }
        let direction = newton_direction(&gradient, &history);
        let Some((new_x, new_gradient, new_value)) = step(&x, value, &gradient, &direction, &mut f) else {
            return Minimum { x, value, iterations, converged };
        };
        let s: Vec<f64> = new_x.iter().zip(&x).map(|(new, old)| new - old).collect();
        let y: Vec<f64> = new_gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
        if dot(&s, &y) > 1e-12 * dot(&y, &y) {
            if history.len() == MEMORY {
                history.pop_front();
            }
            history.push_back((s, y));
        }
        (x, gradient, value) = (new_x, new_gradient, new_value);
    }
    unreachable!("the last iteration returns")
}

/// -H^-1 g from the remembered steps; without any, down the gradient by a length of 1.
fn newton_direction(gradient: &[f64], history: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let Some((s, y)) = history.back() else {
        let length = dot(&d, &d).sqrt();
        d.iter_mut().for_each(|d| *d /= length);
        return d;
    };
    let scale = dot(s, y) / dot(y, y);
    let mut alphas = Vec::with_capacity(history.len());
    for (s, y) in history.iter().rev() {
        let alpha = dot(s, &d) / dot(s, y);
        add(&mut d, -alpha, y);
        alphas.push(alpha);
    }
    d.iter_mut().for_each(|d| *d *= scale);
    for ((s, y), alpha) in history.iter().zip(alphas.iter().rev()) {
        let beta = dot(y, &d) / dot(s, y);
        add(&mut d, alpha - beta, s);
    }
    d
}

/// Halves the step until it lowers the value by a part of what the slope promises (Armijo's rule). None
/// if none does.
fn step(
    x: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    f: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Option<(Vec<f64>, Vec<f64>, f64)> {
    let slope = dot(gradient, direction);
    let mut new_gradient = vec![0.0; x.len()];
    let mut length = 1.0;
    for _ in 0..40 {
        let mut new_x = x.to_vec();
        add(&mut new_x, length, direction);
        let new_value = f(&new_x, &mut new_gradient);
        if new_value <= value + 1e-4 * length * slope && new_value < value {
            return Some((new_x, new_gradient, new_value));
        }
        length *= 0.5;
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// x += c y
fn add(x: &mut [f64], c: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += c * y);
}
