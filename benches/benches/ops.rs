//! Where the time of a training step goes, and how near the machine's limits: every operation of a step of
//! `nano-cpu` and `baby`, forward and backward, as the tape runs it (a roofline: Williams et al. 2009).
//!
//! An operation cannot be faster than its arithmetic at the rate of the machine's best product of matrices, nor than
//! its memory traffic at the rate at which memory is read; both rates are measured first. The traffic is what must be
//! read and written if every input and output passes through memory once; what stays in the caches is faster, so
//! small operations can be above this limit. The tape's own work is part of the times: some microseconds, and in the
//! backward a copy of the gradient that the sweep begins with.

use benches::{machine, measure, samples, table};
use criterion::Criterion;
use gpt::Gpt;
use nn::optim::{AdamW, AdamWConfig, Optimizer};
use random::{Rng, Stream};
use std::sync::Arc;
use tensor::kernels::attention::Intervals;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::ops::feed_forward::Activation;
use tensor::{Grads, ParamId, Params, Tape, Var, Workspace};

/// The sizes of a step.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    layers: usize,
    batch: usize,
    time: usize,
    n_head: usize,
    width: usize,
}

const SIZES: [Size; 2] = [
    Size { name: "nano-cpu", layers: 4, batch: 12, time: 64, n_head: 4, width: 128 },
    Size { name: "baby", layers: 6, batch: 8, time: 256, n_head: 6, width: 384 },
];

/// What an operation costs at least, forward and backward.
#[derive(Clone, Copy)]
struct Cost {
    /// Floating point operations of its products.
    flops: [f64; 2],
    /// Floats read and written.
    floats: [usize; 2],
}

type Apply = dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>;

/// An operation on inputs of these shapes.
struct Case {
    name: &'static str,
    /// How often there is one in a step.
    count: usize,
    inputs: Vec<Vec<usize>>,
    cost: Cost,
    apply: Box<Apply>,
}

fn case(
    name: &'static str,
    count: usize,
    inputs: &[&[usize]],
    cost: Cost,
    apply: impl for<'t> Fn(&[Var<'t>]) -> Var<'t> + 'static,
) -> Case {
    Case {
        name,
        count,
        inputs: inputs.iter().map(|shape| shape.to_vec()).collect(),
        cost,
        apply: Box::new(apply),
    }
}

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let limits = Limits { flops: machine::sgemm_rate(budget()), bytes: machine::memory_rate(budget()) };
        println!("sgemm {:.0} GFLOP/s, memory {:.1} GB/s", limits.flops / 1e9, limits.bytes / 1e9);
        let mut criterion = measure::criterion();
        for size in SIZES {
            let cases = element_wise(size).into_iter().chain(by_rows(size)).chain(products(size));
            let mut lines: Vec<Line> =
                cases.filter_map(|case| measure_case(&mut criterion, size, &case)).collect();
            lines.extend(update(&mut criterion, size));
            print(size, &lines, limits);
        }
        criterion.final_summary();
    });
}

fn budget() -> f64 {
    measure::budget(2.0)
}

/// What this machine can do in a second.
#[derive(Clone, Copy)]
struct Limits {
    flops: f64,
    bytes: f64,
}

/// What was measured of an operation: seconds forward and backward.
struct Line {
    name: &'static str,
    count: usize,
    cost: Cost,
    seconds: [f64; 2],
}

impl Line {
    /// Floating point operations, bytes and seconds of all of them in a step, and the least seconds there could be.
    fn in_a_step(&self, limits: Limits) -> [f64; 4] {
        let count = self.count as f64;
        let (flops, bytes) = (self.cost.flops, self.cost.floats.map(|floats| 4.0 * floats as f64));
        let least = |i: usize| (flops[i] / limits.flops).max(bytes[i] / limits.bytes);
        let sum = |x: [f64; 2]| count * (x[0] + x[1]);
        [sum(flops), sum(bytes), sum(self.seconds), sum([least(0), least(1)])]
    }
}

fn print(size: Size, lines: &[Line], limits: Limits) {
    let step: f64 = lines.iter().map(|line| line.in_a_step(limits)[2]).sum();
    let row = |name: String, forward: String, backward: String, [flops, bytes, seconds, least]: [f64; 4]| {
        let share = table::percent(seconds / step);
        let (flops, bytes) = (format!("{:.2}", flops / 1e9), format!("{:.1}", bytes / 1e6));
        vec![
            name,
            forward,
            backward,
            flops,
            bytes,
            table::time(seconds),
            share,
            table::percent(least / seconds),
        ]
    };
    let mut rows: Vec<_> = lines
        .iter()
        .map(|line| {
            let name = format!("{} x {}", line.count, line.name);
            let [forward, backward] =
                line.seconds.map(|s| if s > 0.0 { table::time(s) } else { String::new() });
            row(name, forward, backward, line.in_a_step(limits))
        })
        .collect();
    let add = |a: [f64; 4], b: [f64; 4]| std::array::from_fn(|i| a[i] + b[i]);
    let sum = lines.iter().map(|line| line.in_a_step(limits)).fold([0.0; 4], add);
    rows.push(row("sum".to_string(), String::new(), String::new(), sum));
    let title = format!("{} with batch {}: the operations of a step.", size.name, size.batch);
    let header = ["operation", "forward", "backward", "GFLOP", "MB", "in a step", "share", "of the limit"];
    table::print(&title, &header, &rows);
}

/// What is done to every element: reading and writing is most of it.
fn element_wise(size: Size) -> Vec<Case> {
    let Size { layers, batch, time, width, .. } = size;
    let x: &[usize] = &[batch, time, width];
    let n = batch * time * width;
    let ids = samples::text(batch * time);
    vec![
        case("embedding", 1, &[&[samples::VOCABULARY, width], &[time, width]], floats(n, n), move |x| {
            x[0].embedding_with_positions(x[1], &ids, &[batch, time])
        }),
        case("add", 2 * layers, &[x, x], floats(3 * n, 3 * n), |x| x[0] + x[1]),
    ]
}

/// One reduction for each row.
fn by_rows(size: Size) -> Vec<Case> {
    let Size { layers, batch, time, width, .. } = size;
    let x: &[usize] = &[batch, time, width];
    let n = batch * time * width;
    vec![case("layer_norm", 2 * layers + 1, &[x, &[width]], floats(2 * n, 3 * n), |x| {
        x[0].layer_norm(x[1], None, 1e-5)
    })]
}

/// Arithmetic is most of their work. A product's backward is two products.
fn products(size: Size) -> Vec<Case> {
    let Size { layers, batch, time, n_head, width: c, .. } = size;
    let x: &[usize] = &[batch, time, c];
    let rows = batch * time;
    // y (rows, n) = x (rows, k) W^T: reads x and W and writes y, then reads all three and dy, writes dx and dW
    let linear = |n: usize, k: usize| {
        let flops = 2.0 * (rows * n * k) as f64;
        let (x, y, w) = (rows * k, rows * n, n * k);
        Cost { flops: [flops, 2.0 * flops], floats: [x + w + y, 2 * x + 2 * w + y] }
    };
    let (up, down) = (linear(4 * c, c), linear(c, 4 * c));
    let mlp = Cost {
        flops: [up.flops[0] + down.flops[0], up.flops[1] + down.flops[1]],
        floats: [up.floats[0] + down.floats[0], up.floats[1] + down.floats[1]],
    };
    // Causal: half of T^2, two products forward and five backward.
    let products = (rows * time * c) as f64;
    let attention = Cost { flops: [2.0 * products, 5.0 * products], floats: [4 * rows * c, 8 * rows * c] };
    let intervals = Arc::new(Intervals::causal(time));
    let v = samples::VOCABULARY;
    let (labels, weights) = (samples::text(rows), vec![1.0; rows]);
    vec![
        case("linear (c_attn)", layers, &[x, &[3 * c, c]], linear(3 * c, c), |x| x[0].linear(x[1], None)),
        case("attention", layers, &[&[batch, time, 3 * c]], attention, move |x| {
            x[0].attention(n_head, &intervals, None)
        }),
        case("linear (c_proj)", layers, &[x, &[c, c]], linear(c, c), |x| x[0].linear(x[1], None)),
        case("feed_forward", layers, &[x, &[4 * c, c], &[c, 4 * c]], mlp, |x| {
            x[0].feed_forward(x[1], None, x[2], None, Activation::Gelu)
        }),
        case("linear_cross_entropy", 1, &[x, &[v, c]], linear(v, c), move |x| {
            x[0].linear_cross_entropy(x[1], None, None, &labels, &weights, rows as f32, Regularizer::NONE)
        }),
    ]
}

fn floats(forward: usize, backward: usize) -> Cost {
    Cost { flops: [0.0; 2], floats: [forward, backward] }
}

/// The norm of all gradients, and AdamW: reads parameters, gradients and two averages, writes all but the gradients.
fn update(criterion: &mut Criterion, size: Size) -> Option<Line> {
    let mut config = samples::config(size.name).expect("one of ours").model;
    config.n_layer = size.layers;
    let mut params = Params::new();
    let model = Gpt::new(&config, &mut params, &mut Rng::new(0, Stream::Init));
    let (workspace, mut grads) = (Workspace::new(), Grads::new(&params));
    let ids = samples::text(config.block_size);
    let tape = Tape::new(&params, &workspace);
    let batch = data::Batch {
        labels: ids.clone(),
        weights: vec![1.0; ids.len()],
        batch_size: 1,
        block_size: ids.len(),
        ids,
        intervals: None,
    };
    model.loss(&tape, &batch).backward(&mut grads);
    drop(tape);
    let mut optimizer = AdamW::new(&params, AdamWConfig::default());
    let mut group = measure::group(criterion, &format!("ops {}", size.name));
    let seconds = measure::series(&mut group, "clip and AdamW", || {
        nn::optim::clip_grad_norm(&mut grads, 1.0);
        optimizer.step(&mut params, &grads, 1e-3).expect("every parameter has a gradient");
    });
    group.finish();
    let count = config.count_parameters() as usize;
    Some(Line { name: "clip and AdamW", count: 1, cost: floats(8 * count, 0), seconds: [seconds?, 0.0] })
}

/// Times one operation in both directions.
fn measure_case(criterion: &mut Criterion, size: Size, case: &Case) -> Option<Line> {
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
    Some(Line { name: case.name, count: case.count, cost: case.cost, seconds: [forward?, backward?] })
}

/// Runs the forward.
fn record<'t>(case: &Case, tape: &'t Tape<'_>, inputs: &[ParamId]) -> Var<'t> {
    (case.apply)(&inputs.iter().map(|&id| tape.param(id)).collect::<Vec<_>>())
}

fn input(params: &mut Params, i: u64, shape: &[usize]) -> ParamId {
    let values = samples::floats(shape.iter().product(), i);
    params.add(&format!("x{i}"), shape, |x| x.copy_from_slice(&values))
}
