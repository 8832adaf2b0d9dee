//! Every fused operation at the sizes of `nano-cpu` and `baby`, forward and backward, as the tape runs it.
//!
//! Operations that wait for the arithmetic are given in GFLOP/s, the others in GB/s: the bytes that must be
//! read and written if every input and output passes through memory once. What fits into the caches is faster
//! than memory. The tape's own work is part of the times: some microseconds, and in the backward a copy of the
//! gradient that the sweep begins with.

use benches::{machine, measure, samples, table};
use criterion::Criterion;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::ops::feed_forward::Activation;
use tensor::{Grads, ParamId, Params, Tape, Var, Workspace};

/// The sizes of a step.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    batch: usize,
    time: usize,
    n_head: usize,
    width: usize,
}

const SIZES: [Size; 2] = [
    Size { name: "nano-cpu", batch: 12, time: 64, n_head: 4, width: 128 },
    Size { name: "baby", batch: 8, time: 256, n_head: 6, width: 384 },
];

/// What an operation costs at least, forward and backward.
#[derive(Clone, Copy)]
enum Cost {
    /// Floating point operations.
    Flops(f64, f64),
    /// Floats read and written.
    Floats(usize, usize),
}

type Apply = dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>;

/// An operation on inputs of these shapes.
struct Case {
    name: &'static str,
    inputs: Vec<Vec<usize>>,
    cost: Cost,
    apply: Box<Apply>,
}

fn case(
    name: &'static str,
    inputs: &[&[usize]],
    cost: Cost,
    apply: impl for<'t> Fn(&[Var<'t>]) -> Var<'t> + 'static,
) -> Case {
    Case { name, inputs: inputs.iter().map(|shape| shape.to_vec()).collect(), cost, apply: Box::new(apply) }
}

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let mut criterion = measure::criterion();
        let mut rows = Vec::new();
        for size in SIZES {
            for case in element_wise(size).into_iter().chain(by_rows(size)).chain(products(size)) {
                rows.extend(measure_case(&mut criterion, size, &case));
            }
        }
        let header = ["operation", "forward", "rate", "backward", "rate"];
        table::print("Fused operations and the residual addition.", &header, &rows);
        criterion.final_summary();
    });
}

/// Reading and writing is most of their work.
fn element_wise(size: Size) -> Vec<Case> {
    let Size { batch, time, width, .. } = size;
    let x: &[usize] = &[batch, time, width];
    let n = batch * time * width;
    let ids = samples::text(batch * time);
    vec![
        case("embedding", &[&[samples::VOCABULARY, width], &[time, width]], Cost::Floats(n, n), move |x| {
            x[0].embedding_with_positions(x[1], &ids, &[batch, time])
        }),
        case("add", &[x, x], Cost::Floats(3 * n, 3 * n), |x| x[0] + x[1]),
        case("gelu", &[&[batch, time, 4 * width]], Cost::Floats(8 * n, 12 * n), |x| x[0].gelu()),
        case("dropout", &[x], Cost::Floats(2 * n, 2 * n), |x| x[0].dropout(0.2, 1)),
    ]
}

/// One reduction for each row.
fn by_rows(size: Size) -> Vec<Case> {
    let Size { batch, time, width, .. } = size;
    let x: &[usize] = &[batch, time, width];
    let rows = batch * time;
    let (n, logits) = (rows * width, rows * samples::VOCABULARY);
    let (labels, weights) = (samples::text(rows), vec![1.0; rows]);
    vec![
        case("layer_norm", &[x, &[width]], Cost::Floats(2 * n, 3 * n), |x| x[0].layer_norm(x[1], None, 1e-5)),
        case("rms_norm", &[x, &[width]], Cost::Floats(2 * n, 3 * n), |x| x[0].rms_norm(x[1], 1e-5)),
        case("cross_entropy", &[&[rows, samples::VOCABULARY]], Cost::Floats(logits, 2 * logits), move |x| {
            x[0].cross_entropy(&labels, &weights, weights.len() as f32)
        }),
    ]
}

/// Arithmetic is most of their work.
fn products(size: Size) -> Vec<Case> {
    let Size { batch, time, n_head, width: c, .. } = size;
    let x: &[usize] = &[batch, time, c];
    let rows = (batch * time) as f64;
    let flops = |forward: f64, backward: f64| Cost::Flops(forward, backward * forward);
    let linear = 2.0 * rows * (3 * c * c) as f64;
    let mlp = 4.0 * rows * (4 * c * c) as f64;
    let attention = 2.0 * rows * (time * c) as f64; // causal: half of T^2
    let intervals = Arc::new(Intervals::causal(time));
    vec![
        case("linear (c_attn)", &[x, &[3 * c, c]], flops(linear, 2.0), |x| x[0].linear(x[1], None)),
        case("feed_forward", &[x, &[4 * c, c], &[c, 4 * c]], flops(mlp, 2.0), |x| {
            x[0].feed_forward(x[1], None, x[2], None, Activation::Gelu)
        }),
        case("attention", &[&[batch, time, 3 * c]], flops(attention, 2.5), move |x| {
            x[0].attention(n_head, &intervals, None)
        }),
    ]
}

/// Times one operation in both directions; answers its row of the table.
fn measure_case(criterion: &mut Criterion, size: Size, case: &Case) -> Option<Vec<String>> {
    let mut params = Params::new();
    let inputs: Vec<ParamId> =
        (0..).zip(&case.inputs).map(|(i, shape)| input(&mut params, i, shape)).collect();
    let (workspace, mut grads) = (Workspace::new(), Grads::new(&params));

    let mut group = measure::group(criterion, &format!("ops {}", size.name));
    let forward = measure::series(&mut group, &format!("{}/forward", case.name), || {
        let tape = Tape::new(&params, &workspace);
        record(case, &tape, &inputs);
    });
    let tape = Tape::new(&params, &workspace);
    let y = record(case, &tape, &inputs);
    let dy = samples::floats(y.shape().elements(), 99);
    let backward = measure::series(&mut group, &format!("{}/backward", case.name), || {
        grads.clear();
        y.backward_from(&dy, &mut grads, |_, _| {});
    });
    group.finish();
    forward.or(backward)?;
    let (forward_cost, backward_cost) = case.cost.each();
    let name = format!("{} {}", size.name, case.name);
    let cells = [rate(forward, forward_cost), rate(backward, backward_cost)];
    Some([name].into_iter().chain(cells.into_iter().flatten()).collect())
}

/// Runs the forward.
fn record<'t>(case: &Case, tape: &'t Tape<'_>, inputs: &[ParamId]) -> Var<'t> {
    (case.apply)(&inputs.iter().map(|&id| tape.param(id)).collect::<Vec<_>>())
}

fn input(params: &mut Params, i: u64, shape: &[usize]) -> ParamId {
    let values = samples::floats(shape.iter().product(), i);
    params.add(&format!("x{i}"), shape, |x| x.copy_from_slice(&values))
}

impl Cost {
    /// Operations or bytes, forward and backward, with their unit.
    fn each(self) -> ((f64, &'static str), (f64, &'static str)) {
        match self {
            Self::Flops(forward, backward) => ((forward, "GFLOP/s"), (backward, "GFLOP/s")),
            Self::Floats(forward, backward) => {
                ((4.0 * forward as f64, "GB/s"), (4.0 * backward as f64, "GB/s"))
            }
        }
    }
}

fn rate(seconds: Option<f64>, (amount, unit): (f64, &str)) -> [String; 2] {
    match seconds {
        Some(seconds) => [table::time(seconds), format!("{} {unit}", table::giga(amount, seconds))],
        None => ["-".to_string(), "-".to_string()],
    }
}
