//! An operation of your own: written outside of the library, wrong at first, caught, corrected, and used.
//!
//! The operation is the *snake* activation (Ziyin et al. 2020, arXiv 2006.08195), x plus a wave:
//!
//! ```text
//! y = x + sin(a x)^2 / a        dy/dx = 1 + 2 sin(a x) cos(a x) a / a = 1 + sin(2 a x)
//! ```
//!
//! Made for functions that repeat themselves, which is what we shall train it on.
//!
//! The sines of the forward and the backward are the project's own, `sin_one`: those of the standard library may differ in
//! the last bit from one system to another, and so would the weights that are trained with them (`clippy.toml`). The
//! definition, which is compared and never trained with, takes the standard library's.
//!
//! Run: `cargo run --release -p examples --example 03_your_own_op`

use ndarray::{Array2, ArrayD, arr1};
use nn::optim::{AdamW, AdamWConfig, Optimizer};
use nn::{Init, Linear, ParamBuilder};
use random::{Rng, Stream};
use tensor::kernels::vmath::sin_one;
use tensor::{Grad, Grads, Op, Params, Saved, Shape, ShapeError, Tape, Var, View, Workspace, gradcheck};

/// y = x + sin(a x)^2 / a. The slope is a field, so that this file can hold two versions of it.
#[derive(Debug, Clone, Copy)]
struct Snake {
    a: f32,
    slope: fn(a: f32, x: f32) -> f32,
}

/// "The derivative of sin^2 is 2 sin cos, which is sin of twice the angle, and it is divided by a."
/// But the inner derivative is a, and cancels that. For a = 1 nobody would notice.
fn wrong_slope(a: f32, x: f32) -> f32 {
    1.0 + sin_one(2.0 * a * x) / a
}

fn right_slope(a: f32, x: f32) -> f32 {
    1.0 + sin_one(2.0 * a * x)
}

impl Op for Snake {
    /// How it is called in messages and printed tapes.
    fn name(&self) -> &'static str {
        "snake"
    }

    /// The output's shape. An operation that takes several inputs checks here that they fit.
    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0])
    }

    /// Slices in, slice out. Nothing needs to be saved: the inputs will still be there in the backward.
    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        for (y, x) in y.iter_mut().zip(x[0].data) {
            let sin = sin_one(self.a * x);
            *y = x + sin * sin / self.a;
        }
    }

    /// dL/dx = dL/dy * slope. `write` overwrites or adds, as whoever asks wants it.
    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        if let Some(dx) = &mut dx[0] {
            dx.write(|i| dy[i] * (self.slope)(self.a, x[0].data[i]));
        }
    }

    /// The truth, in f64 and as plainly as possible. The check differentiates this, not the forward.
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let a = f64::from(self.a);
        x[0].mapv(|x| x + (a * x).sin().powi(2) / a)
    }
}

/// A network with one hidden layer: 1 number in, 32 snakes, 1 number out.
fn network<'t>(tape: &'t Tape<'_>, layers: &[Linear; 2], snake: Snake, x: &[f32]) -> Var<'t> {
    let x = tape.constant(&Array2::from_shape_fn((x.len(), 1), |(i, _)| x[i]).into_dyn());
    layers[1].forward(layers[0].forward(x).apply(snake, &[]))
}

fn target(x: f32) -> f32 {
    sin_one(3.0 * x) + 0.3 * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = arr1(&[-1.3, -0.2, 0.4, 2.0]).into_dyn();
    println!("Does the backward agree with the numeric derivative of the definition?\n");
    for (what, a, slope) in [
        ("wrong slope, a = 1", 1.0, wrong_slope as fn(f32, f32) -> f32),
        ("wrong slope, a = 2", 2.0, wrong_slope),
        ("right slope, a = 2", 2.0, right_slope),
    ] {
        match gradcheck::check(&Snake { a, slope }, std::slice::from_ref(&x), 1) {
            Ok(()) => println!("  {what}: passes"),
            Err(mismatch) => println!("  {what}: {mismatch}"),
        }
    }
    println!("\nThe first line is a warning: a check is as good as its cases. Vary every setting.\n");

    let snake = Snake { a: 2.0, slope: right_slope };
    let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
    let mut builder = ParamBuilder::new(&mut params, &mut rng);
    let layers = [
        Linear::new(builder.pp("in"), 1, 32, true, Init::Normal { std: 1.0 }),
        Linear::new(builder.pp("out"), 32, 1, true, Init::Normal { std: 0.1 }),
    ];
    let (mut grads, workspace) = (Grads::new(&params), Workspace::new());
    let mut optimizer = AdamW::new(&params, AdamWConfig { weight_decay: 0.0, ..AdamWConfig::default() });
    let xs: Vec<f32> = (0..=100).map(|i| -2.5 + 0.05 * i as f32).collect();
    let ts = Array2::from_shape_fn((xs.len(), 1), |(i, _)| target(xs[i])).into_dyn();
    let steps = std::env::var("NEWLEAF_EXAMPLE_STEPS").map_or(Ok(1000), |steps| steps.parse())?;

    println!("Learning sin(3x) + 0.3x from 101 points between -2.5 and 2.5:\n");
    for step in 0..=steps {
        let tape = Tape::new(&params, &workspace);
        let e = network(&tape, &layers, snake, &xs) - tape.constant(&ts);
        let loss = (e * e).mean();
        grads.clear();
        loss.backward(&mut grads);
        if step % 200 == 0 {
            println!("  step {step:>4}   mean squared error {:.6}", loss.item());
        }
        drop(tape);
        optimizer.step(&mut params, &grads, 0.003)?;
    }

    println!("\n        x    target   network");
    let tape = Tape::no_grad(&params, &workspace); // only values: nothing is kept for a backward
    let places = [-2.3, -1.1, 0.0, 0.7, 1.9, 2.75, 3.25];
    network(&tape, &layers, snake, &places).read(|y| {
        for (x, y) in places.iter().zip(y.data) {
            let where_ = if x.abs() > 2.5 { "   (beyond what it was shown)" } else { "" };
            println!("  {x:>7.2} {:>9.4} {y:>9.4}{where_}", target(*x));
        }
    });
    Ok(())
}
