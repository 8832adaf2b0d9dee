//! The ladder of attention kernels, timed in turn: rungs and, beside them, this machine's matrix product.

use crate::alternate::{in_turn, ratios};
use crate::attention::{Attention, Keys, Shape, Size, errors};
use crate::machine;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder_report::{full_table, short_table, to_json};

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
