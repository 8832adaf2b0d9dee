//! The rungs of the attention ladder against the first, for every way to choose intervals.

use proptest::prelude::*;
use tensor::kernels::attention::{Dropout, Intervals, LADDER, Problem, Rung, TRAINING};
use tensor::{Accum, Grad};

/// Outputs of a forward and a backward.
struct Result3 {
    y: Vec<f32>,
    lse: Vec<f32>,
    dqkv: Vec<f32>,
}

fn run(p: &Problem<'_>, dy: &[f32], rung: Rung) -> Result3 {
    let mut y = vec![f32::NAN; dy.len()];
    let mut lse = vec![f32::NAN; p.batch * p.n_head * p.time];
    (rung.forward)(p, &mut y, &mut lse);
    let mut dqkv = vec![f32::NAN; p.qkv.len()];
    (rung.backward)(p, &y, &lse, dy, &mut Grad { to: &mut dqkv, accum: Accum::Replace });
    Result3 { y, lse, dqkv }
}

fn problem<'a>(
    qkv: &'a [f32],
    [batch, time, head_size]: [usize; 3],
    (n_head, n_kv_head): (usize, usize),
    intervals: &'a Intervals,
    dropout: Option<Dropout>,
) -> Problem<'a> {
    Problem { qkv, batch, time, n_head, n_kv_head, head_size, intervals, dropout }
}

fn normals(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = random::Rng::new(seed, random::Stream::Other(1));
    (0..len).map(|_| rng.normal()).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1e-3_f32, |m, x| m.max(x.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let same = f == e || (f - e).abs() <= 1e-5 * scale; // equal infinities are the same
        assert!(same, "{what}, element {i}: {f}, expected {e}");
    }
}

/// Nine ways of choosing intervals, what training and generating need of them, for B sequences of T.
fn modes(batch: usize, t: usize) -> Vec<(&'static str, Intervals)> {
    let (third, t32) = (t / 3 + 1, t as u32);
    let rows = |row: &dyn Fn(u32, u32) -> (u32, u32)| {
        let all = (0..batch as u32).flat_map(|b| (0..t32).map(move |i| (b, i)));
        let (lo, hi) = all.map(|(b, i)| row(b, i)).unzip();
        Intervals::new(lo, hi, t)
    };
    let document = |i: u32| i / third as u32 * third as u32;
    vec![
        ("causal", Intervals::causal(t)),
        ("bidirectional", Intervals::bidirectional(t, t)),
        ("prefix", Intervals::prefix(t, third)),
        ("blank filling", rows(&|b, i| (0, (i + 1).max((third as u32 + b).min(t32))))),
        ("packed documents", rows(&|_, i| (document(i), i + 1))),
        ("sliding window", Intervals::sliding_window(t, third)),
        ("cache", rows(&|_, i| (0, (i + 3).min(t32)))),
        ("virtual prefix", rows(&|b, i| (0, (i + 1 + b).min(t32)))),
        ("padding", rows(&|b, i| (0, (i + 1).min(t32.saturating_sub(b))))),
    ]
}

#[test]
fn every_rung_stands_in_the_ladder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernels/attention");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    let number = |name: &str| name.strip_prefix('v')?.split_once('_')?.0.parse::<u32>().ok();
    let rungs: Vec<_> = names.filter(|name| number(name).is_some()).collect();
    let missing: Vec<_> = rungs.iter().filter(|file| !LADDER.iter().any(|rung| rung.name == *file)).collect();
    assert!(missing.is_empty(), "add {missing:?} to ladder! in crates/tensor/src/kernels/attention/mod.rs");
    assert_eq!(rungs.len(), LADDER.len(), "a rung is called v<number>_<what it is>: {LADDER:?}");
    assert!(LADDER[0].name == "v0_naive" && LADDER.iter().any(|rung| rung.name == TRAINING.name));
}

#[test]
fn every_rung_agrees_with_the_naive_one_in_every_mode() {
    // hs below, at and above whole panels; T around the sizes of groups, blocks and panels.
    for (time, head_size) in [(1, 1), (7, 5), (13, 16), (48, 32), (64, 33), (97, 64), (257, 32), (300, 10)] {
        let batch = 2;
        // As many heads of keys and values as of queries, one for two of them, one for all.
        for ((mode, intervals), (n_head, n_kv_head)) in
            modes(batch, time).into_iter().zip([(2, 2), (4, 2), (3, 1)].into_iter().cycle())
        {
            let qkv = normals(time as u64, batch * time * (n_head + 2 * n_kv_head) * head_size);
            let dy = normals(1, batch * time * n_head * head_size);
            for dropout in [None, Some(Dropout { p: 0.2, seed: 3 })] {
                let heads = (n_head, n_kv_head);
                let p = problem(&qkv, [batch, time, head_size], heads, &intervals, dropout);
                let expected = run(&p, &dy, LADDER[0]);
                for rung in &LADDER[1..] {
                    let found = run(&p, &dy, *rung);
                    let name = rung.name;
                    let what =
                        format!("{name}, {mode}, T {time}, hs {head_size}, heads {heads:?}, {dropout:?}");
                    assert_close(&format!("y of {what}"), &found.y, &expected.y);
                    assert_close(&format!("lse of {what}"), &found.lse, &expected.lse);
                    assert_close(&format!("dqkv of {what}"), &found.dqkv, &expected.dqkv);
                }
            }
        }
    }
}

/// Every rung, on any number of threads. With few heads of keys and values and many threads, the backward of the one that
/// training uses is divided by queries and by keys: the same sums.
#[test]
fn every_rung_has_the_same_bits_however_it_is_divided() {
    let pools = [1, 3, 16].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for (batch, time, head_size, heads) in [
        (1, 300, 20, (3, 1)),
        (1, 257, 16, (4, 2)),
        (1, 530, 9, (2, 1)),
        (2, 97, 8, (2, 1)),
        (1, 31, 5, (1, 1)),
    ] {
        let qkv = normals(7, batch * time * (heads.0 + 2 * heads.1) * head_size);
        let dy = normals(8, batch * time * heads.0 * head_size);
        for (n, (mode, intervals)) in modes(batch, time).into_iter().enumerate() {
            let dropout = (n % 2 == 1).then_some(Dropout { p: 0.2, seed: 3 });
            let p = problem(&qkv, [batch, time, head_size], heads, &intervals, dropout);
            let accum = if n % 3 == 2 { Accum::Add } else { Accum::Replace };
            for rung in LADDER {
                let what = format!("{}, {mode}, T {time}, {heads:?}, {dropout:?}", rung.name);
                let bits = pools.each_ref().map(|pool| {
                    let (mut y, mut lse) = (vec![f32::NAN; dy.len()], vec![f32::NAN; batch * heads.0 * time]);
                    let before = if accum == Accum::Add { 0.5 } else { f32::NAN };
                    let mut dqkv = vec![before; qkv.len()];
                    pool.install(|| {
                        (rung.forward)(&p, &mut y, &mut lse);
                        (rung.backward)(&p, &y, &lse, &dy, &mut Grad { to: &mut dqkv, accum });
                    });
                    assert!(dqkv.iter().all(|d| d.is_finite()), "{what}");
                    [y, lse, dqkv].map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                });
                assert!(bits.iter().all(|other| *other == bits[0]), "{what}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a query cannot see cannot reach it: changing a key and value outside of all intervals leaves
    /// the output bit-identical, and their gradients are exactly zero.
    #[test]
    fn keys_outside_of_the_interval_do_not_exist(
        seed in 0_u64..1000, time in 2_usize..80, head_size in 1_usize..40, ends in (0_usize..80, 0_usize..80),
    ) {
        let (lo, hi) = (ends.0.min(ends.1) % time, (ends.0.max(ends.1) % time).max(ends.0.min(ends.1) % time));
        let intervals = Intervals::new(vec![lo as u32; time], vec![hi as u32; time], time);
        let qkv = normals(seed, time * 3 * head_size);
        let dy = normals(seed + 1, time * head_size);
        let original = problem(&qkv, [1, time, head_size], (1, 1), &intervals, None);
        for rung in LADDER {
            let (name, before) = (rung.name, run(&original, &dy, *rung));
            let mut changed = qkv.clone();
            for j in (0..time).filter(|j| !(lo..hi).contains(j)) {
                let keys_and_values = j * 3 * head_size + head_size..(j + 1) * 3 * head_size;
                prop_assert!(before.dqkv[keys_and_values.clone()].iter().all(|d| *d == 0.0), "{name}: a gradient");
                changed[keys_and_values].fill(1e3);
            }
            let after = run(&Problem { qkv: &changed, ..original }, &dy, *rung);
            prop_assert_eq!(&before.y, &after.y, "{}", name);
        }
    }
}
