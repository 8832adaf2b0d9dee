//! One neuron, by hand: the chain rule on paper, checked with a ruler, and a few steps of learning.
//!
//! No library is used here. Whoever has followed this file knows what the tape of `02_tape` does, because it
//! does exactly this, only for more neurons.
//!
//! The neuron has two inputs, two weights and a bias. Its output is squashed into (-1, 1) by tanh, and the
//! loss measures how far the output is from what we want:
//!
//! ```text
//! z = w1 x1 + w2 x2 + b        y = tanh(z)        e = y - t        L = e^2
//! ```
//!
//! Run: `cargo run --release -p examples --example 01_by_hand`

/// What the neuron is given (x1, x2), and what it should answer (t).
const X: [f64; 2] = [1.5, -2.0];
const T: f64 = -0.5;

/// What it can change: w1, w2 and b.
#[derive(Clone, Copy)]
struct Neuron {
    w: [f64; 2],
    b: f64,
}

/// Forward: every intermediate value has a name, because the backward will ask for it.
struct Forward {
    z: f64,
    y: f64,
    e: f64,
    loss: f64,
}

fn forward(n: Neuron) -> Forward {
    let z = n.w[0] * X[0] + n.w[1] * X[1] + n.b;
    let y = z.tanh();
    let e = y - T;
    let loss = e * e;
    Forward { z, y, e, loss }
}

/// Backward: dL/d(something) for every something, from the loss to the weights.
struct Backward {
    de: f64,
    dy: f64,
    dz: f64,
    dw: [f64; 2],
    db: f64,
}

/// Each line is the chain rule once: (derivative of the loss by a line's output) times (derivative of that
/// output by the line's input).
fn backward(f: &Forward) -> Backward {
    let de = 2.0 * f.e; //                    L = e^2       dL/de = 2e
    let dy = de * 1.0; //                     e = y - t     de/dy = 1
    let dz = dy * (1.0 - f.y * f.y); //       y = tanh(z)   dy/dz = 1 - tanh(z)^2 = 1 - y^2
    let dw = [dz * X[0], dz * X[1]]; //       z = w x + b   dz/dw = x
    let db = dz * 1.0; //                                   dz/db = 1
    Backward { de, dy, dz, dw, db }
}

/// The ruler: move one number a little to both sides, and see by how much the loss moves.
fn finite_difference(n: Neuron, pick: impl Fn(&mut Neuron) -> &mut f64) -> f64 {
    let h = 1e-5;
    let loss_at = |shift: f64| {
        let mut moved = n;
        *pick(&mut moved) += shift;
        forward(moved).loss
    };
    // Both sides: the errors of order h cancel, h^2 = 1e-10 remains. A smaller h would not help, because
    // the difference of two losses that are almost equal loses its digits.
    (loss_at(h) - loss_at(-h)) / (2.0 * h)
}

fn main() {
    let mut neuron = Neuron { w: [0.4, -0.3], b: 0.1 };

    println!("Forward, from the inputs to the loss:");
    let f = forward(neuron);
    println!(
        "  z = {:.6}   y = tanh(z) = {:.6}   e = y - t = {:.6}   L = e^2 = {:.6}",
        f.z, f.y, f.e, f.loss
    );

    println!("\nBackward, from the loss to the weights:");
    let d = backward(&f);
    println!("  dL/de = {:.6}   dL/dy = {:.6}   dL/dz = {:.6}", d.de, d.dy, d.dz);

    println!("\nIs it right? Each derivative, and the same by moving the number by 0.00001:");
    let checks = [
        ("dL/dw1", d.dw[0], finite_difference(neuron, |n| &mut n.w[0])),
        ("dL/dw2", d.dw[1], finite_difference(neuron, |n| &mut n.w[1])),
        ("dL/db ", d.db, finite_difference(neuron, |n| &mut n.b)),
    ];
    for (name, by_chain_rule, by_ruler) in checks {
        println!("  {name}   {by_chain_rule:>12.8}   {by_ruler:>12.8}");
        assert!((by_chain_rule - by_ruler).abs() < 1e-8);
    }

    // One backward gave all derivatives for about the price of two forwards, however many there are. The
    // ruler needs two forwards for each. Where a step of training a model of a million weights takes a second
    // by the chain rule, it takes a week by the ruler: that is why there are tapes.
    //
    // The gradient points to where the loss grows fastest. We go the other way.
    println!("\nTen steps downhill, each number minus 0.1 times its derivative:");
    println!("  {:>4} {:>10} {:>10} {:>10} {:>10} {:>10}", "step", "w1", "w2", "b", "y", "L");
    for step in 0..=10 {
        let f = forward(neuron);
        println!(
            "  {step:>4} {:>10.5} {:>10.5} {:>10.5} {:>10.5} {:>10.6}",
            neuron.w[0], neuron.w[1], neuron.b, f.y, f.loss
        );
        let d = backward(&f);
        neuron.w[0] -= 0.1 * d.dw[0];
        neuron.w[1] -= 0.1 * d.dw[1];
        neuron.b -= 0.1 * d.db;
    }
    println!("\nThe output went from {:.2} to what was wanted, {T}.", f.y);
}
