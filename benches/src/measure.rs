//! Series: one thing timed many times, by criterion.

use crate::alternate::median;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Whether this is `cargo bench`. Otherwise (`cargo test --benches`) everything runs once, to see that it does.
#[must_use]
pub fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Seconds for a comparison: the budget of [`alternate`](crate::alternate::alternate). 0, which is one round,
/// where nothing is to be measured.
#[must_use]
pub fn budget(seconds: f64) -> f64 {
    if is_bench() { seconds } else { 0.0 }
}

/// Whether the command line's filter, if there is one, lets this name pass. Criterion asks for its own series;
/// this is for comparisons. The filter comes first: `cargo bench --bench gemm -- FILTER --other-options`.
#[must_use]
pub fn is_wanted(name: &str) -> bool {
    std::env::args().nth(1).is_none_or(|first| first.starts_with('-') || name.contains(&first[..]))
}

/// Criterion with short series: what is measured takes microseconds to seconds and scatters little, and the
/// comparisons do not come from here. A filter that is no regular expression ends the program.
#[must_use]
pub fn criterion() -> Criterion {
    let configured = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .without_plots();
    // Criterion panics at such a filter, with a message that says what is wrong with it.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let configured = catch_unwind(AssertUnwindSafe(|| configured.configure_from_args()));
    std::panic::set_hook(hook);
    configured.unwrap_or_else(|message| {
        eprintln!("error: {}", message.downcast_ref::<String>().map_or("a wrong filter", |message| message));
        std::process::exit(2)
    })
}

/// A group of series.
pub fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat); // as many runs in each sample: one run, where it is long
    group
}

/// Times `work` as a series of `group`. Answers the median of a run in seconds, or `None` if the command line
/// selected others.
pub fn series(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut work: impl FnMut()) -> Option<f64> {
    let mut seconds = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|repeats| {
            let start = Instant::now();
            for _ in 0..repeats {
                work();
            }
            let elapsed = start.elapsed();
            seconds.push(elapsed.as_secs_f64() / repeats as f64);
            elapsed
        });
    });
    (!seconds.is_empty()).then(|| median(&seconds))
}
