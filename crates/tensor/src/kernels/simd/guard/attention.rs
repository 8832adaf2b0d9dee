//! The cases of attention: every rung of the ladder, and one query against a cache.

use super::memory::{ACCUMS, Bench};
use crate::grad::Grad;
use crate::kernels::attention::{self, Dropout, Heads, Intervals, LADDER, Problem, Rung};

/// T and hs around a second panel of keys, and beyond one block of 256 keys.
const LARGE: &[(usize, usize)] = &[(63, 4), (64, 5), (65, 6), (96, 7), (97, 33), (257, 3)];

pub(super) fn rungs(bench: &mut Bench) {
    for rung in LADDER {
        eprintln!("  {}", rung.name); // what a process that a signal ends said last
        bench.kernel = rung.name;
        attentions(bench, rung);
    }
}

fn attentions(bench: &mut Bench, rung: &Rung) {
    let Rung { forward, backward, .. } = *rung;
    let by_time = (1..=50).map(|time| (time, 1 + time * 5 % 17));
    let by_head = (1..=49).map(|head_size| (1 + head_size * 7 % 26, head_size));
    for (n, (time, head_size)) in by_time.chain(by_head).chain(LARGE.iter().copied()).enumerate() {
        let (batch, n_head) = (1 + n % 2, 1 + n / 2 % 3);
        let intervals = match n % 3 {
            0 => Intervals::causal(time),
            1 => Intervals::bidirectional(time, time),
            _ => {
                // Any ends, empty intervals too, for each row of each sequence.
                let end = |step: usize| (0..batch * time).map(|i| (i * step % (time + 1)) as u32).collect();
                Intervals::new(end(5), end(7), time)
            }
        };
        let dropout = (n % 4 == 3).then_some(Dropout { p: 0.3, seed: n as u64 });
        let n_kv_head = if n % 5 < 3 { n_head } else { 1 };
        let sizes =
            Problem { qkv: &[], batch, time, n_head, n_kv_head, head_size, intervals: &intervals, dropout };
        let row = sizes.row_width();
        let rows = batch * time;
        let c = n_head * head_size;
        let qkv = bench.normals(rows * row);
        let (y, lse) = (bench.normals(rows * c), bench.normals(rows * n_head));
        let (mut true_y, mut true_lse) = (y.clone(), lse.clone());
        forward(&Problem { qkv: &qkv, ..sizes }, &mut true_y, &mut true_lse);
        bench.check([qkv.clone()], &[], [y, lse], |[qkv], _, [y, lse]| {
            forward(&Problem { qkv, ..sizes }, y, lse);
        });
        for accum in ACCUMS {
            let (dy, dqkv) = (bench.normals(rows * c), bench.normals(rows * row));
            let inputs = [qkv.clone(), true_y.clone(), true_lse.clone(), dy];
            bench.check(inputs, &[], [dqkv], |[qkv, y, lse, dy], _, [to]| {
                backward(&Problem { qkv, ..sizes }, y, lse, dy, &mut Grad { to, accum });
            });
        }
    }
}

pub(super) fn decodes(bench: &mut Bench) {
    for len in 1..=49 {
        // Beyond 64 columns too, which may be taken at once.
        for (n, head_size) in (1..=49).chain([63, 64, 65, 81, 128, 129]).enumerate() {
            let n_head = 1 + (n + len) % 3;
            let c = n_head * head_size;
            let heads = Heads { n_head, n_kv_head: if n % 3 == 0 { 1 } else { n_head } };
            let row = heads.n_kv_head * head_size;
            let inputs = [c, len * row, len * row].map(|len| bench.normals(len));
            let y = bench.normals(c);
            bench.check(inputs, &[], [y], |[q, k, v], _, [y]| attention::decode(q, k, v, heads, y));
        }
    }
}
