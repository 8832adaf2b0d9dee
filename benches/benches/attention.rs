//! The ladder of attention kernels, forward and backward, over the sizes of training and of long contexts.

use benches::attention::{Attention, RUNGS, Rung, SHAPES, Shape, check};
use benches::{machine, measure, table};
use criterion::Criterion;

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let mut criterion = measure::criterion();
        let rate = machine::sgemm_rate(measure::budget(1.0));
        println!("Matrix products of 1024 by 1024: {:.1} GFLOP/s", rate / 1e9);
        let mut rows = Vec::new();
        for shape in SHAPES {
            for rung in RUNGS.into_iter().filter(|rung| rung.is_fast || shape.time <= 256) {
                check(rung, shape);
                rows.extend(climb(&mut criterion, rung, shape, rate));
            }
        }
        let header =
            ["(B, NH, T, hs) rung", "forward", "GFLOP/s", "of sgemm", "backward", "GFLOP/s", "of sgemm"];
        table::print(
            "Causal attention. FLOPs: 2 B NH T^2 hs forward, 5 B NH T^2 hs backward.",
            &header,
            &rows,
        );
        criterion.final_summary();
    });
}

/// Times one rung; answers its row of the table.
fn climb(criterion: &mut Criterion, rung: Rung, shape: Shape, rate: f64) -> Option<Vec<String>> {
    let mut attention = Attention::new(shape);
    let mut group = measure::group(criterion, &format!("attention {shape}"));
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
