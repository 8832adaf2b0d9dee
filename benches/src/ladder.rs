//! The ladder of attention kernels, timed in turn: rungs and, beside them, this machine's matrix product.

use crate::alternate::{in_turn, median, quantile, ratios};
use crate::attention::{Attention, Keys, Shape, Size, errors};
use crate::{machine, table};
use gpt::machine::{Machine, now_utc};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::Instant;
use tensor::kernels::attention::{LADDER, Rung, TRAINING};

/// Up to this T a rung is checked against the first at the size that is timed...
const CHECKED_TIME: usize = 1024;
/// ...if the first takes no longer than this.
const CHECKED_SECONDS: f64 = 10.0;
/// T of the problem that is computed once, to see what the whole will take.
const TRIAL_TIME: usize = 256;
/// Positions in a batch of [`family`].
const POSITIONS: usize = 4096;

/// What to time.
pub struct Plan {
    /// In this order.
    pub sizes: Vec<Size>,
    /// Each size on so many threads, one after the other.
    pub threads: Vec<usize>,
    /// In the order of the ladder. That of training should be there: the others are compared with it.
    pub rungs: Vec<Rung>,
    /// Seconds for all rungs of a size together; 0 for one round.
    pub seconds: f64,
    /// A rung whose forward and backward together are expected to take more seconds than this is left out. Expected is what a
    /// stand-in of two sequences of T = 256 takes, times B T^2.
    pub limit: f64,
}

/// The ladder over T: as many positions in each batch, six heads of 64.
#[must_use]
pub fn family() -> Vec<Size> {
    let times = (6..=12).map(|log2| 1 << log2);
    times.map(|time| Size { shape: Shape::new(POSITIONS / time, 6, time, 64), keys: Keys::Causal }).collect()
}

/// The sizes that are timed if no others are asked for: that of `nano-cpu`, [`family`], and one of each other kind.
#[must_use]
pub fn sizes() -> Vec<Size> {
    let long = Shape::new(1, 6, 4096, 64);
    let mut sizes = vec![Size { shape: Shape::new(12, 4, 64, 32), keys: Keys::Causal }];
    sizes.extend(family());
    sizes.extend([
        Size { shape: Shape { n_kv_head: 2, ..long }, keys: Keys::Causal },
        Size { shape: Shape { n_kv_head: 1, ..long }, keys: Keys::Causal },
        Size { shape: long, keys: Keys::Window(256) },
        Size { shape: long, keys: Keys::Documents(512) },
        Size { shape: Shape::new(4, 6, 1024, 64), keys: Keys::Bidirectional },
        Size { shape: Shape::new(4, 6, 1024, 128), keys: Keys::Causal },
    ]);
    sizes
}

/// One rung at one size.
pub struct Row {
    /// What was computed.
    pub size: Size,
    /// On how many threads.
    pub threads: usize,
    /// The rung's name.
    pub rung: &'static str,
    /// The largest error of output and gradients, against the first rung...
    pub error: f64,
    /// ...at this T.
    pub error_time: usize,
    /// Forward and backward; or, where that is above the limit, about how many seconds both would take.
    pub passes: Result<[Pass; 2], f64>,
}

/// One pass of one rung.
pub struct Pass {
    /// Seconds, round by round.
    pub seconds: Vec<f64>,
    /// Floating point operations that the formula needs.
    pub flops: f64,
    /// Its floating point operations a second over those of the matrix product in the same round.
    pub of_sgemm: Vec<f64>,
    /// Its seconds over those of [`TRAINING`] in the same round, if that was timed.
    pub over_training: Option<Vec<f64>>,
}

/// Times all that is planned, each size once. `progress` is told of each size before it begins.
///
/// # Errors
/// If the result of a rung is wrong.
pub fn measure(plan: &Plan, mut progress: impl FnMut(Size, usize)) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (n, &size) in plan.sizes.iter().enumerate() {
        if plan.sizes[..n].contains(&size) {
            continue; // `notes` says so
        }
        // The result does not depend on the number of threads.
        let checked = machine::in_pool(|| check(&plan.rungs, size))?;
        for &threads in &plan.threads {
            progress(size, threads);
            rows.extend(machine::pool(threads).install(|| climb(plan, size, threads, &checked)));
        }
    }
    Ok(rows)
}

/// The largest error of each rung, and the T at which it was found.
fn check(rungs: &[Rung], size: Size) -> Result<Vec<(f64, usize)>, String> {
    let (small, times) = size.small(TRIAL_TIME);
    let whole = size.shape.time <= CHECKED_TIME && trial(LADDER[0], small) * times <= CHECKED_SECONDS;
    let checked = if whole { size } else { small };
    // `errors` fails for a NaN, so the larger one is the larger one.
    Ok(errors(rungs, checked)?.iter().map(|[y, dqkv]| (y.max(*dqkv), checked.shape.time)).collect())
}

/// Seconds of one forward and backward: of two, the shorter one, because the first touches new memory.
fn trial(rung: Rung, size: Size) -> f64 {
    let mut attention = Attention::new(size);
    let mut once = || {
        let start = Instant::now();
        attention.forward(rung);
        attention.backward(rung);
        start.elapsed().as_secs_f64()
    };
    once().min(once())
}

/// Times the rungs at one size in turn, on the threads of the current pool.
fn climb(plan: &Plan, size: Size, threads: usize, checked: &[(f64, usize)]) -> Vec<Row> {
    let (small, times) = size.small(TRIAL_TIME);
    let expected: Vec<f64> = plan.rungs.iter().map(|&rung| trial(rung, small) * times).collect();
    let is_timed = |n: usize| expected[n] <= plan.limit;
    let timed: Vec<Rung> = (0..plan.rungs.len()).filter(|&n| is_timed(n)).map(|n| plan.rungs[n]).collect();
    let attentions: Vec<_> = timed.iter().map(|_| RefCell::new(Attention::new(size))).collect();
    let (mut sgemm, sgemm_flops) = machine::sgemm();
    let mut works: Vec<Box<dyn FnMut() + '_>> = vec![Box::new(&mut sgemm)];
    for (&rung, attention) in timed.iter().zip(&attentions) {
        works.push(Box::new(move || attention.borrow_mut().forward(rung)));
        works.push(Box::new(move || attention.borrow_mut().backward(rung)));
    }
    let mut in_order: Vec<&mut dyn FnMut()> = Vec::new();
    works.iter_mut().for_each(|work| in_order.push(work));
    let seconds = in_turn(plan.seconds, &mut in_order);

    // Forward and backward of the n-th rung that was timed are 2n + 1 and 2n + 2.
    let training = timed.iter().position(|rung| rung.name == TRAINING.name);
    let pass = |n: usize, backward: usize| {
        let flops = [size.forward_flops(), size.backward_flops()][backward];
        let own = &seconds[2 * n + 1 + backward];
        let part = |ratio: f64| ratio * flops / sgemm_flops;
        Pass {
            seconds: own.clone(),
            flops,
            of_sgemm: ratios(&seconds[0], own).into_iter().map(part).collect(),
            over_training: training.map(|training| ratios(own, &seconds[2 * training + 1 + backward])),
        }
    };
    let mut n = 0;
    let rows = plan.rungs.iter().enumerate().map(|(at, rung)| {
        let passes = if is_timed(at) {
            n += 1;
            Ok([pass(n - 1, 0), pass(n - 1, 1)])
        } else {
            Err(expected[at])
        };
        let (error, error_time) = checked[at];
        Row { size, threads, rung: rung.name, error, error_time, passes }
    });
    rows.collect()
}

/// Where and when: the line above a table.
#[must_use]
pub fn provenance(load: Option<f64>) -> String {
    let Machine { cpu, simd, .. } = Machine::current();
    let load = match load {
        Some(load) if load > machine::QUIET => {
            format!(", BESIDE OTHER WORK on {load} processors: the times are noise")
        }
        Some(_) => ", nothing else running".to_string(),
        None => String::new(),
    };
    format!("{cpu}, {simd} kernels, commit {}, {}{load}", machine::commit(), &now_utc()[..10])
}

/// What the columns are.
pub const LEGEND: &str = "Medians of rounds in which the rungs and a matrix product (sgemm: newleaf's own, 1024 by 1024, on as \
    many threads) run in turn, every second round in the reverse order, with their middle half. A difference below 3 % is none. GFLOP/s count 4 hs operations forward and 10 hs backward for each query and key that it sees; of \
    sgemm: over the matrix product of the same round. The error is the largest against v0_naive, of output and gradients, in \
    parts of their largest element.";

/// Every pass of every rung, a line each.
#[must_use]
pub fn full_table(rows: &[Row]) -> String {
    let over = format!("time over {}", TRAINING.name);
    let header = [
        "(B, NH, T, hs) keys",
        "threads",
        "rung",
        "pass",
        "median",
        "middle half",
        "GFLOP/s",
        "of sgemm",
        &over,
        "error",
    ];
    let mut lines = Vec::new();
    for row in rows {
        let begin = |pass: &str| {
            vec![row.size.to_string(), row.threads.to_string(), row.rung.to_string(), pass.to_string()]
        };
        match &row.passes {
            Err(seconds) => {
                let mut line = begin("both");
                line.push(format!("about {}", table::time(*seconds)));
                line.extend(["not timed", "-", "-", "-"].map(String::from));
                line.push(error(row));
                lines.push(line);
            }
            Ok(passes) => {
                lines.extend(["forward", "backward"].into_iter().zip(passes).map(|(name, pass)| {
                    let mut line = begin(name);
                    let Pass { seconds, flops, of_sgemm, over_training } = pass;
                    line.push(table::time(median(seconds)));
                    line.push(range(seconds, table::time));
                    line.push(table::giga(*flops, median(seconds)));
                    line.push(table::percent(median(of_sgemm)));
                    let two = |x: f64| format!("{x:.2}");
                    let ratio = |over: &Vec<f64>| format!("{} ({})", two(median(over)), range(over, two));
                    line.push(over_training.as_ref().map_or("-".to_string(), ratio));
                    line.push(error(row));
                    line
                }))
            }
        }
    }
    table::markdown(&header, &lines)
}

fn error(row: &Row) -> String {
    if row.rung == LADDER[0].name {
        return "-".to_string(); // it is what the others are compared with
    }
    let whole = row.error_time == row.size.shape.time;
    let place = if whole { String::new() } else { format!(" at T {}", row.error_time) };
    format!("{:.1e}{place}", row.error)
}

fn range(x: &[f64], show: impl Fn(f64) -> String) -> String {
    format!("{}–{}", show(quantile(x, 0.25)), show(quantile(x, 0.75)))
}

/// The table of `docs/attention.md`: a line a rung, with a pair of columns for each number of threads.
#[must_use]
pub fn short_table(rows: &[Row], threads: &[usize]) -> String {
    let mut header = vec!["(B, NH, T, hs) keys".to_string(), "rung".to_string()];
    for n in threads {
        header.push(format!("{n} thread{}: forward", if *n == 1 { "" } else { "s" }));
        header.push("backward".to_string());
    }
    header.push("error".to_string());
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    // The rows of a size are together, first on so many threads, then on so many.
    for first in rows.iter().filter(|row| row.threads == threads[0]) {
        let same = |row: &&Row| row.size == first.size && row.rung == first.rung;
        let timed: Vec<_> = rows.iter().filter(same).map(|row| row.passes.as_ref().ok()).collect();
        if timed.iter().all(Option::is_none) {
            continue;
        }
        let size =
            if last.replace(first.size) == Some(first.size) { String::new() } else { first.size.to_string() };
        let mut line = vec![size, first.rung.to_string()];
        let cell = |pass: &Pass| {
            format!("{} ({:.0} %)", table::time(median(&pass.seconds)), 100.0 * median(&pass.of_sgemm))
        };
        for passes in timed {
            line.extend((0..2).map(|pass| passes.map_or("-".to_string(), |passes| cell(&passes[pass]))));
        }
        line.push(error(first));
        lines.push(line);
    }
    table::markdown(&header.iter().map(String::as_str).collect::<Vec<_>>(), &lines)
}

/// How many times as fast each rung is as the one before it, forward and backward apart: the smallest and the largest of the
/// sizes and numbers of threads. Only sizes where both are timed on every number of threads.
#[must_use]
pub fn factors(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let beside_first = rows.iter().filter(|row| (row.size, row.threads) == (first.size, first.threads));
    let rungs: Vec<&'static str> = beside_first.map(|row| row.rung).collect();
    let of = |rung: &'static str| rows.iter().filter(move |row| row.rung == rung);
    let everywhere =
        |row: &Row| of(row.rung).filter(|other| other.size == row.size).all(|other| other.passes.is_ok());
    let range = |slower, faster, pass: usize| {
        // The rows of each rung are in one order, that of sizes and threads.
        let both = of(slower).zip(of(faster)).filter(|(a, b)| everywhere(a) && everywhere(b));
        let factor = |(slower, faster): (&Row, &Row)| {
            let [slower, faster] = [slower, faster].map(|row| Some(&row.passes.as_ref().ok()?[pass].seconds));
            Some(median(&ratios(slower?, faster?)))
        };
        let factors: Vec<f64> = both.filter_map(factor).collect();
        let ends = (!factors.is_empty()).then(|| [0.0, 1.0].map(|end| quantile(&factors, end)));
        ends.map_or("not known".to_string(), |[least, most]| format!("{least:.2} to {most:.2}"))
    };
    let pair = |pair: &[&'static str]| {
        let [forward, backward] = [0, 1].map(|pass| range(pair[0], pair[1], pass));
        format!("{} over {}: {forward} forward, {backward} backward", pair[1], pair[0])
    };
    let pairs: Vec<String> = rungs.windows(2).map(pair).collect();
    format!(
        "How many times as fast, over the sizes where both are timed on every number of threads. {}.",
        pairs.join("; ")
    )
}

/// What else a reader of the numbers should know: what was asked for and is not what it seems, and sizes whose backward has
/// few tasks.
#[must_use]
pub fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let most = plan.threads.iter().copied().max().unwrap_or(1);
    let cores = std::thread::available_parallelism().map_or(most, usize::from);
    if most > cores {
        notes.push(format!("{most} threads take turns on {cores} cores: their times say little"));
    }
    for (n, size) in plan.sizes.iter().enumerate() {
        let Shape { batch, n_kv_head, time, .. } = size.shape;
        if plan.sizes[..n].contains(size) {
            notes.push(format!("{size} was given twice, and is timed once"));
            continue;
        }
        if let Keys::Window(length) | Keys::Documents(length) = size.keys
            && length >= time
        {
            notes.push(format!(
                "{size}: that is all of T, so each query sees all before it: the same as causal"
            ));
        }
        let tasks = batch * n_kv_head;
        if tasks < most {
            notes.push(format!(
                "{size}: a backward whose task is a head of keys and values of a sequence has {tasks} of them for {most} \
                 threads"
            ));
        }
    }
    notes
}

/// All that was measured.
#[must_use]
pub fn to_json(rows: &[Row], load: Option<f64>) -> Value {
    let pass = |pass: &Pass| {
        json!({
            "seconds": pass.seconds,
            "median_seconds": median(&pass.seconds),
            "flops": pass.flops,
            "of_sgemm": median(&pass.of_sgemm),
            "time_over_training": pass.over_training.as_ref().map(|over| median(over)),
        })
    };
    let row = |row: &Row| {
        let Shape { batch, n_head, n_kv_head, time, head_size } = row.size.shape;
        let mut value = json!({
            "b": batch, "nh": n_head, "nkv": n_kv_head, "t": time, "hs": head_size,
            "keys": row.size.keys.to_string(), "threads": row.threads, "rung": row.rung,
            "error": row.error, "error_at_t": row.error_time,
        });
        match &row.passes {
            Ok([forward, backward]) => {
                value["forward"] = pass(forward);
                value["backward"] = pass(backward);
            }
            Err(seconds) => value["not_timed_expected_seconds"] = json!(seconds),
        }
        value
    };
    json!({
        "machine": Machine::current(),
        "commit": machine::commit(),
        "date": now_utc(),
        "load_before": load,
        "training": TRAINING.name,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_rungs_are_left_out_and_said_so() {
        let size = Size { shape: Shape::new(1, 2, 64, 8), keys: Keys::Causal };
        let mut plan = Plan {
            sizes: vec![size],
            threads: vec![1, 2],
            rungs: LADDER.to_vec(),
            seconds: 0.0,
            limit: f64::INFINITY,
        };
        let rows = measure(&plan, |_, _| {}).unwrap();
        assert_eq!(rows.len(), 2 * LADDER.len());
        let names: Vec<_> = rows[..LADDER.len()].iter().map(|row| row.rung).collect();
        assert_eq!(names, LADDER.iter().map(|rung| rung.name).collect::<Vec<_>>());
        for row in &rows {
            let passes = row.passes.as_ref().unwrap();
            assert!(
                passes.iter().all(|pass| pass.seconds.len() == 1 && pass.of_sgemm[0] > 0.0),
                "{}",
                row.rung
            );
            if row.rung == TRAINING.name {
                assert_eq!(passes[1].over_training, Some(vec![1.0]));
            }
            assert!(row.error <= 1e-5 && row.error_time == 64);
        }
        assert_eq!(rows[0].error, 0.0, "the first is compared with itself");
        // A header, a rule, and two passes of each.
        assert_eq!(full_table(&rows).lines().count(), 2 + 4 * LADDER.len());
        assert_eq!(short_table(&rows, &[1, 2]).lines().count(), 2 + LADDER.len());
        assert_eq!(to_json(&rows, None)["rows"].as_array().unwrap().len(), rows.len());

        plan.limit = 0.0;
        plan.rungs[3] = Rung { name: "v3_wrong", forward: |_, y, _| y.fill(0.0), ..LADDER[3] };
        assert!(measure(&plan, |_, _| {}).is_err_and(|message| message.contains("v3_wrong is off by")));
        plan.rungs = LADDER.to_vec();
        let rows = measure(&plan, |_, _| {}).unwrap();
        assert!(rows.iter().all(|row| row.passes.is_err()));
        assert_eq!(full_table(&rows).matches("not timed").count(), rows.len());
        assert_eq!(short_table(&rows, &[1, 2]).lines().count(), 2);
    }

    #[test]
    fn factors_are_those_of_sizes_that_are_timed_on_every_number_of_threads() {
        let row = |time, threads, rung, seconds: Option<f64>| {
            let pass = |seconds| Pass {
                seconds: vec![seconds],
                flops: 1.0,
                of_sgemm: vec![1.0],
                over_training: None,
            };
            let passes = seconds.map(|seconds| [pass(seconds), pass(2.0 * seconds * seconds)]).ok_or(9.0);
            let size = Size { shape: Shape::new(1, 1, time, 4), keys: Keys::Causal };
            Row { size, threads, rung, error: 0.0, error_time: time, passes }
        };
        let mut rows = Vec::new();
        // The rungs by turns on one thread, then on two. At T = 3 the first is left out on one thread.
        for (time, seconds) in
            [(1, [8.0, 4.0, 6.0, 2.0]), (2, [5.0, 1.0, 5.0, 1.0]), (3, [0.0, 1.0, 9.0, 1.0])]
        {
            for (n, seconds) in seconds.into_iter().enumerate() {
                rows.push(row(time, n / 2 + 1, ["v0_a", "v1_b"][n % 2], (seconds > 0.0).then_some(seconds)));
            }
        }
        assert!(factors(&rows).ends_with(" v1_b over v0_a: 2.00 to 5.00 forward, 4.00 to 25.00 backward."));
        assert!(factors(&rows[8..]).contains("v0_a: not known forward"));
        assert!(!factors(&rows[..1]).contains("over v"));
        assert_eq!(factors(&[]), "");
    }

    #[test]
    fn what_is_not_what_it_seems_is_noted() {
        let size = |keys| Size { shape: Shape::new(2, 6, 64, 8), keys };
        let noted = |sizes: &[Size], threads: usize| {
            let (sizes, rungs) = (sizes.to_vec(), LADDER.to_vec());
            notes(&Plan { sizes, threads: vec![1, threads], rungs, seconds: 0.0, limit: 0.0 })
        };
        assert_eq!(noted(&[size(Keys::Causal), size(Keys::Window(63))], 1), [""; 0]);
        assert!(noted(&[size(Keys::Window(64))], 1)[0].contains("the same as causal"));
        assert!(noted(&[size(Keys::Documents(99))], 1)[0].contains("the same as causal"));
        let twice = [size(Keys::Causal); 2];
        assert!(noted(&twice, 1)[0].contains("given twice"));
        assert!(noted(&twice, 1 << 20)[0].contains("take turns on"));
        let plan = Plan {
            sizes: twice.to_vec(),
            threads: vec![1],
            rungs: LADDER.to_vec(),
            seconds: 0.0,
            limit: 0.0,
        };
        assert_eq!(measure(&plan, |_, _| {}).unwrap().len(), LADDER.len());
    }

    #[test]
    fn the_family_has_the_same_work_but_for_t() {
        let family = family();
        assert_eq!((family[0].shape.time, family.last().unwrap().shape.time), (64, 4096));
        assert!(family.iter().all(|size| size.shape.batch * size.shape.time == POSITIONS));
        assert!(sizes().len() > family.len());
    }
}
