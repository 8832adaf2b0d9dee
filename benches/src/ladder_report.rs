//! What the ladder's benchmark prints and saves: tables, factors, JSON.

use crate::alternate::{median, quantile, ratios};
use crate::attention::Shape;
use crate::ladder::{Pass, Row};
use crate::{machine, table};
use gpt::machine::{Machine, now_utc};
use serde_json::{Value, json};
use tensor::kernels::attention::{LADDER, TRAINING};

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
    use crate::attention::{Keys, Size};

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
}
