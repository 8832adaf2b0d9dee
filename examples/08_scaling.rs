//! How loss falls with parameters and tokens, on a text whose best possible loss is known.
//!
//! ```text
//! cargo run --release -p examples --example 08_scaling                  # 16 trainings, about half an hour on two cores
//! cargo run --release -p examples --example 08_scaling -- scaling.svg   # and a picture
//! NEWLEAF_EXAMPLE_STEPS=5 cargo run --release -p examples --example 08_scaling
//! ```
//!
//! Four sizes of model, four budgets of tokens, each trained to the end of its own schedule. The losses are fitted by
//!
//!   L(N, D) = E + A / N^a + B / D^b
//!
//! (Hoffmann et al. 2022, arXiv 2203.15556, equation 2), N being the numbers in matrices and D the tokens. In studies of real
//! text nobody knows E, the entropy of the text, and the fit decides what it is. Here stories come from a grammar
//! (`synth::kinds::storygen`) whose entropy is a calculation, so that the fitted E can be compared with the true one.
//! Every token is new: nothing is seen twice. Only the second half of each window is measured: before, a story's beginning
//! may be out of sight, and the process itself could not reach its entropy.

use data::{Batch, Example};
use gpt::config::{Activation, Config, Norm, Position, Preset, Schedule};
use gpt::train::Trainer;
use std::error::Error;
use std::fmt::Write;
use std::time::Instant;
use synth::{Sample, sample};
use tensor::{Tape, Workspace};

/// (`n_layer`, `n_embd`); heads have 32 features.
const SIZES: [(usize, usize); 4] = [(1, 64), (2, 64), (3, 96), (4, 128)];
/// Updates of 4,096 tokens.
const UPDATES: [usize; 4] = [240, 480, 960, 1920];
const BLOCK_SIZE: usize = 512;
const BATCH_SIZE: usize = 8;

/// One training: parameters, tokens, loss.
#[derive(Clone, Copy)]
struct Point {
    n: f64,
    d: f64,
    loss: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let quick: Option<usize> =
        std::env::var("NEWLEAF_EXAMPLE_STEPS").ok().map(|steps| steps.parse()).transpose()?;
    let updates: Vec<usize> = match quick {
        Some(steps) => (1..=4).map(|i| (i * steps / 10).max(1)).collect(),
        None => UPDATES.to_vec(),
    };
    let most = updates[updates.len() - 1] * BATCH_SIZE * BLOCK_SIZE;
    let train = sample("storygen", &[], 1, most as u64 + 2 * BLOCK_SIZE as u64)?;
    let val = sample("storygen", &[], 2, if quick.is_some() { 5_000 } else { 200_000 })?;
    let vocab_size = train.alphabet.len();
    println!("{:>8} {:>10} {:>10} {:>8} {:>8}", "N", "updates", "tokens", "loss", "seconds");
    let (mut points, mut entropy) = (Vec::new(), 0.0);
    for (n_layer, n_embd) in SIZES {
        for &updates in &updates {
            let config = config(n_layer, n_embd, updates, vocab_size);
            let tokens = updates * BATCH_SIZE * BLOCK_SIZE;
            let text = &train.symbols[..tokens + 2 * BLOCK_SIZE];
            let (start, mut trainer) = (Instant::now(), Trainer::new(&config, text)?);
            for _ in 0..updates {
                trainer.step(text)?;
            }
            let (loss, cost) = measure(&trainer, &val);
            entropy = cost;
            let n = config.model.matrix_parameters();
            println!("{n:>8} {updates:>10} {tokens:>10} {loss:>8.4} {:>8.1}", start.elapsed().as_secs_f64());
            points.push(Point { n: n as f64, d: tokens as f64, loss });
        }
    }
    // After the smallest budget a model has hardly begun, which no law of this form tells.
    let least = points[0].d;
    let later: Vec<Point> = points.iter().copied().filter(|p| p.d > least).collect();
    for (what, points) in [("all budgets", &points), ("without the smallest budget", &later)] {
        let fit = Fit::of(points);
        println!(
            "\n{what}: L = {:.4} + {:.3e} / N^{:.3} + {:.3e} / D^{:.3}",
            fit.e, fit.a, fit.alpha, fit.b, fit.beta
        );
        println!("largest error of the fit: {:.4} nats", fit.largest_error(points));
        println!("E is {:.4}; what the process itself costs {entropy:.4} nats a character", fit.e);
    }
    let fit = Fit::of(&later);
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(&path, picture(&points, &fit, entropy))?;
        println!("{path}");
    }
    Ok(())
}

/// The mean loss of what counts in the second half of each window, and what the process itself needs for it.
fn measure(trainer: &Trainer, text: &Sample) -> (f64, f64) {
    let (workspace, mut loss, mut cost, mut weight) = (Workspace::new(), 0.0, 0.0, 0.0);
    let starts: Vec<usize> = (0..text.symbols.len() - BLOCK_SIZE).step_by(BLOCK_SIZE / 2).collect();
    for starts in starts.chunks(BATCH_SIZE) {
        let example = |&start: &usize| {
            let mut example = Example::next_token(&text.symbols[start..=start + BLOCK_SIZE]);
            let counts = |t: usize| t >= BLOCK_SIZE / 2 && text.counted[start + t + 1];
            example.weights = (0..BLOCK_SIZE).map(|t| if counts(t) { 1.0 } else { 0.0 }).collect();
            cost += (0..BLOCK_SIZE).filter(|&t| counts(t)).map(|t| text.nats[start + t + 1]).sum::<f64>();
            example
        };
        let batch = Batch::from_examples(&starts.iter().map(example).collect::<Vec<_>>(), BLOCK_SIZE);
        let tape = Tape::no_grad(&trainer.params, &workspace);
        let mean = trainer.model.loss(&tape, &batch).item();
        loss += f64::from(mean) * batch.total_weight();
        weight += batch.total_weight();
    }
    (loss / weight, cost / weight)
}

fn config(n_layer: usize, n_embd: usize, updates: usize, vocab_size: usize) -> Config {
    let mut config = Preset::NanoCpu.config(vocab_size);
    let model = &mut config.model;
    (model.n_layer, model.n_embd, model.n_head, model.block_size) =
        (n_layer, n_embd, n_embd / 32, BLOCK_SIZE);
    (model.activation, model.norm, model.position) = (Activation::Relu2, Norm::RmsNorm, Position::Rope);
    (model.qk_norm, model.zero_init) = (true, true);
    let train = &mut config.train;
    (train.max_iters, train.lr_decay_iters, train.warmup_iters) = (updates, None, updates.div_ceil(12));
    (train.batch_size, train.learning_rate, train.schedule) = (BATCH_SIZE, 3e-3, Schedule::Linear);
    config
}

/// The law, fitted by least squares.
struct Fit {
    e: f64,
    a: f64,
    alpha: f64,
    b: f64,
    beta: f64,
}

impl Fit {
    /// For given exponents the law is linear in E, A and B; the exponents are tried out.
    fn of(points: &[Point]) -> Self {
        let mut best = (f64::INFINITY, Fit { e: 0.0, a: 0.0, alpha: 1.0, b: 0.0, beta: 1.0 });
        for alpha in (5..=200).map(|i| f64::from(i) * 0.01) {
            for beta in (5..=200).map(|i| f64::from(i) * 0.01) {
                let row = |p: &Point| [1.0, p.n.powf(-alpha), p.d.powf(-beta)];
                let Some([e, a, b]) = least_squares(points, row) else { continue };
                let fit = Fit { e, a, alpha, b, beta };
                let squares: f64 = points.iter().map(|p| (fit.at(p.n, p.d) - p.loss).powi(2)).sum();
                if a >= 0.0 && b >= 0.0 && squares < best.0 {
                    best = (squares, fit);
                }
            }
        }
        best.1
    }

    fn at(&self, n: f64, d: f64) -> f64 {
        self.e + self.a * n.powf(-self.alpha) + self.b * d.powf(-self.beta)
    }

    fn largest_error(&self, points: &[Point]) -> f64 {
        points.iter().map(|p| (self.at(p.n, p.d) - p.loss).abs()).fold(0.0, f64::max)
    }
}

/// The x that makes row(p) . x come nearest to the losses: the normal equations, columns scaled to length 1.
fn least_squares(points: &[Point], row: impl Fn(&Point) -> [f64; 3]) -> Option<[f64; 3]> {
    let rows: Vec<[f64; 3]> = points.iter().map(row).collect();
    let scale: [f64; 3] = std::array::from_fn(|j| rows.iter().map(|r| r[j] * r[j]).sum::<f64>().sqrt());
    let mut m = [[0.0; 4]; 3]; // the matrix, and the right side in the last column
    for (r, p) in rows.iter().zip(points) {
        let r: [f64; 3] = std::array::from_fn(|j| r[j] / scale[j]);
        for i in 0..3 {
            (0..3).for_each(|j| m[i][j] += r[i] * r[j]);
            m[i][3] += r[i] * p.loss;
        }
    }
    for i in 0..3 {
        let pivot = (i..3).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs()))?;
        m.swap(i, pivot);
        if m[i][i].abs() < 1e-12 {
            return None; // two columns say the same
        }
        for k in 0..3 {
            if k != i {
                let factor = m[k][i] / m[i][i];
                for j in i..4 {
                    m[k][j] -= factor * m[i][j];
                }
            }
        }
    }
    Some(std::array::from_fn(|j| m[j][3] / m[j][j] / scale[j]))
}

/// Loss over tokens, a curve of the fit for each size, and the entropy below them.
fn picture(points: &[Point], fit: &Fit, entropy: f64) -> String {
    const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
    let (width, height, margin) = (640.0, 400.0, 60.0);
    let d = points.iter().map(|p| p.d.ln());
    let (low, high) = (d.clone().fold(f64::INFINITY, f64::min), d.fold(f64::NEG_INFINITY, f64::max));
    let top = points.iter().map(|p| p.loss).fold(entropy, f64::max) + 0.05;
    let x = |d: f64| margin + (d.ln() - low) / (high - low) * (width - 2.0 * margin);
    let y = |loss: f64| {
        height - margin - (loss - entropy + 0.05) / (top - entropy + 0.05) * (height - 2.0 * margin)
    };
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' font-size='12'>\n\
         <rect width='100%' height='100%' fill='white'/>\n\
         <text x='{}' y='{}' text-anchor='middle'>tokens of training</text>\n\
         <text x='14' y='{}' transform='rotate(-90 14 {1})' text-anchor='middle'>loss, nats a character</text>\n\
         <line x1='{margin}' x2='{}' y1='{y0:.1}' y2='{y0:.1}' stroke='#555' stroke-dasharray='4 4'/>\n\
         <text x='{margin}' y='{:.1}'>entropy of the process {entropy:.3}; fitted E {:.3}</text>\n",
        width / 2.0,
        height / 2.0,
        height / 2.0,
        width - margin,
        y(entropy) + 16.0,
        fit.e,
        y0 = y(entropy),
    );
    let mut budgets: Vec<f64> = points.iter().map(|p| p.d).collect();
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    for d in budgets {
        let (x, y, millions) = (x(d), height - margin + 18.0, d / 1e6);
        let _ = writeln!(
            svg,
            "<text x='{x:.1}' y='{y:.1}' text-anchor='middle' fill='#555'>{millions:.2}M</text>"
        );
    }
    let mut sizes: Vec<f64> = points.iter().map(|p| p.n).collect();
    sizes.dedup();
    for (n, colour) in sizes.iter().zip(COLOURS) {
        let steps = (0..=40).map(|i| (low + (high - low) * f64::from(i) / 40.0).exp());
        let curve: Vec<String> = steps.map(|d| format!("{:.1},{:.1}", x(d), y(fit.at(*n, d)))).collect();
        let _ = writeln!(svg, "<polyline points='{}' fill='none' stroke='{colour}'/>", curve.join(" "));
        for p in points.iter().filter(|p| p.n == *n) {
            let _ =
                writeln!(svg, "<circle cx='{:.1}' cy='{:.1}' r='3.5' fill='{colour}'/>", x(p.d), y(p.loss));
        }
        let (x, y, millions) = (width - margin + 8.0, y(fit.at(*n, high.exp())) + 4.0, n / 1e6);
        let _ = writeln!(svg, "<text x='{x:.1}' y='{y:.1}' fill='{colour}'>{millions:.2}M</text>");
    }
    svg + "</svg>\n"
}
