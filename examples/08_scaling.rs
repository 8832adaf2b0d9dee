//! How loss falls with parameters and tokens, on a text whose best possible loss is known.
//!
//! ```text
//! cargo run --release -p examples --example 08_scaling                  # 16 trainings, about half an hour on two cores
//! cargo run --release -p examples --example 08_scaling -- scaling.tsv   # and keeps the losses, and draws scaling.svg
//! NEWLEAF_EXAMPLE_STEPS=5 cargo run --release -p examples --example 08_scaling
//! ```
//!
//! If `scaling.tsv` is there, nothing is trained: the law is fitted to its losses, and the picture drawn again.
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

use chart::{Axis, Curve, Curves, Level, Look, Picture};
use data::{Batch, Example};
use gpt::config::{Activation, Config, Norm, Position, Preset, Schedule};
use gpt::train::Trainer;
use std::error::Error;
use std::path::PathBuf;
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
    let path = std::env::args().nth(1).map(PathBuf::from);
    let (points, entropy) = match &path {
        Some(path) if path.exists() => from_tsv(&std::fs::read_to_string(path)?)
            .ok_or_else(|| format!("{}: not a file of this program", path.display()))?,
        _ => trainings()?,
    };
    // After the smallest budget a model has hardly begun, which no law of this form tells.
    let least = points.iter().map(|p| p.d).fold(f64::INFINITY, f64::min);
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
    if let Some(path) = path {
        std::fs::write(&path, to_tsv(&points, entropy))?;
        let svg = path.with_extension("svg");
        std::fs::write(&svg, picture(&points, &Fit::of(&later), entropy).standalone())?;
        println!("{}\n{}", path.display(), svg.display());
    }
    Ok(())
}

/// All trainings, and the entropy of what they are measured on.
fn trainings() -> Result<(Vec<Point>, f64), Box<dyn Error>> {
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
    Ok((points, entropy))
}

/// The losses as a file: a line each.
fn to_tsv(points: &[Point], entropy: f64) -> String {
    let line = |p: &Point| format!("{}\t{}\t{:.4}\n", p.n, p.d, p.loss);
    format!("# entropy {entropy:.4}\nN\ttokens\tloss\n{}", points.iter().map(line).collect::<String>())
}

fn from_tsv(text: &str) -> Option<(Vec<Point>, f64)> {
    let mut lines = text.lines();
    let entropy = lines.next()?.strip_prefix("# entropy ")?.parse().ok()?;
    let point = |line: &str| {
        let numbers: Vec<f64> = line.split('\t').map(|field| field.parse().ok()).collect::<Option<_>>()?;
        let [n, d, loss] = numbers[..] else { return None };
        Some(Point { n, d, loss })
    };
    let points: Option<Vec<Point>> = lines.skip(1).map(point).collect();
    Some((points.filter(|points| !points.is_empty())?, entropy))
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

/// Loss over tokens, for each size its losses and the curve of the fit, and the entropy below them.
fn picture(points: &[Point], fit: &Fit, entropy: f64) -> Picture {
    let mut budgets: Vec<f64> = points.iter().map(|p| p.d).collect();
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let (low, second, high) = (budgets[0], budgets[1.min(budgets.len() - 1)], budgets[budgets.len() - 1]);
    let mut sizes: Vec<f64> = points.iter().map(|p| p.n).collect();
    sizes.dedup();
    let mut curves = Vec::new();
    for (colour, &n) in sizes.iter().enumerate() {
        let measured = points.iter().filter(|p| p.n == n).map(|p| (p.d / 1e6, p.loss)).collect();
        // The law says nothing of the smallest budget, without which it was fitted.
        let steps = (0..=40).map(|i| second * (high / second).powf(f64::from(i) / 40.0));
        let fitted = steps.map(|d| (d / 1e6, fit.at(n, d))).collect();
        let name = format!("{:.2} M parameters", n / 1e6);
        curves.push(Curve { name, points: measured, colour, look: Look::Markers });
        curves.push(Curve { name: String::new(), points: fitted, colour, look: Look::Line });
    }
    let (least, most) =
        points.iter().fold((entropy.min(fit.e), entropy), |(a, b), p| (a.min(p.loss), b.max(p.loss)));
    let level = |name: &str, y: f64, colour| Level { name: format!("{name} {y:.3}"), y, colour };
    let curves = Curves {
        title: "Loss by size and tokens, and a law".into(),
        x: Axis::log("tokens of training, millions", (low / 1e6, high / 1e6))
            .with_ticks(budgets.iter().map(|d| d / 1e6).collect()),
        y: Axis::linear(
            &format!("nats a character; lines: fitted from {:.2} M on", second / 1e6),
            (least - 0.03, most + 0.03),
        ),
        curves,
        levels: vec![level("true entropy", entropy, None), level("E of the law", fit.e, Some(4))],
        height: 300.0,
    };
    Picture::new("Loss over tokens for four sizes of model", vec![curves.into()])
}
