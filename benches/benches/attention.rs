//! The ladder of attention kernels, forward and backward, over the sizes of training and of long contexts: every rung on
//! one thread, and on all.

use benches::attention::{Attention, RUNGS, Rung, SHAPES, Shape, check};
use benches::{machine, measure, table};
use criterion::Criterion;

fn main() {
    let all = machine::in_pool(rayon::current_num_threads);
    let counts = if all == 1 { vec![1] } else { vec![1, all] };
    for threads in counts {
        machine::pool(threads).install(|| ladder(threads));
    }
}

/// Times all rungs on the threads of the current pool, and prints their table.
fn ladder(threads: usize) {
    machine::describe();
    let mut criterion = measure::criterion();
    let rate = machine::sgemm_rate(measure::budget(1.0));
    println!("Matrix products of 1024 by 1024: {:.1} GFLOP/s", rate / 1e9);
    let mut rows = Vec::new();
    for shape in SHAPES {
        for rung in RUNGS.into_iter().filter(|rung| rung.is_fast || shape.time <= 256) {
            check(rung, shape);
            rows.extend(climb(&mut criterion, rung, shape, rate, threads));
        }
    }
    let header = ["(B, NH, T, hs) rung", "forward", "GFLOP/s", "of sgemm", "backward", "GFLOP/s", "of sgemm"];
    let title = format!(
        "Causal attention on {threads} threads. FLOPs: 2 B NH T^2 hs forward, 5 B NH T^2 hs backward; sgemm on as many."
    );
    table::print(&title, &header, &rows);
    criterion.final_summary();
}

/// Times one rung; returns its row of the table.
fn climb(
    criterion: &mut Criterion,
    rung: Rung,
    shape: Shape,
    rate: f64,
    threads: usize,
) -> Option<Vec<String>> {
    let mut attention = Attention::new(shape);
    let mut group = measure::group(criterion, &format!("attention {shape}, {threads} threads"));
    let forward = measure::series(&mut group, &format!("{}/forward", rung.name), || attention.forward(rung));
    attention.forward(rung); // the backward reads its results, whatever was selected
    let backward =
        measure::series(&mut group, &format!("{}/backward", rung.name), || attention.backward(rung));
    group.finish();
    forward.or(backward)?;
    let mut row = vec![format!("{shape} {}", rung.name)];
    for (seconds, flops) in [(forward, shape.forward_flops()), (backward, shape.backward_flops())] {
        row.extend(match seconds {
            Some(s) => [table::time(s), table::giga(flops, s), table::percent(flops / s / rate)],
            None => std::array::from_fn(|_| "-".to_string()),
        });
    }
    Some(row)
}
