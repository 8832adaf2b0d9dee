//! What is measured on: a number without its machine is worth nothing.

use crate::alternate::alone;
use crate::samples;
use std::fs::read_to_string;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tensor::AlignedVec;
use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::matvec::matvec;
use tensor::kernels::simd::Path;

/// Runs `main` inside of a pool of threads, so that the calling thread is one of the workers and takes part in
/// every parallel loop. `RAYON_NUM_THREADS` says how many there are; otherwise as many as there are cores.
///
/// What `NEWLEAF_SIMD` asks for and this processor does not have ends the program with exit code 2: numbers of other
/// instructions would be taken for those.
///
/// # Panics
/// If the threads cannot be started.
pub fn in_pool<R: Send>(main: impl FnOnce() -> R + Send) -> R {
    if let Err(problem) = Path::requested() {
        eprintln!("error: {problem}");
        std::process::exit(2);
    }
    pool(0).install(main)
}

/// A pool of this many threads; 0 for the usual number.
///
/// # Panics
/// If the threads cannot be started.
#[must_use]
pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

/// The processor's name, where Linux tells it.
#[must_use]
pub fn processor() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}

/// Prints the machine, and a warning if it is busy with other things.
pub fn describe() {
    let threads = rayon::current_num_threads();
    println!("{}, {threads} threads, {} kernels", processor(), Path::current());
    if let Some(load) = load().filter(|&load| load > QUIET) {
        println!("Other work takes {load} of the processors: the times below are noise.");
    }
}

/// Where [`load`] is above this, times are noise.
pub const QUIET: f64 = 0.2;

/// What Linux tells programs, whatever it counts by itself.
const TICKS_A_SECOND: f64 = 100.0;

/// How many processors other work takes: measured for half a second in which this process sleeps, where Linux tells it. (The
/// load average would count the compiler that has just made this program.)
#[must_use]
pub fn load() -> Option<f64> {
    let busy = || {
        let stat = read_to_string("/proc/stat").ok()?;
        let ticks = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let ticks: Option<Vec<f64>> = ticks.map(|x| x.parse().ok()).collect();
        let [user, nice, system, _idle, _waiting, irq, softirq, steal] = *ticks?.get(..8)? else {
            return None;
        };
        Some(user + nice + system + irq + softirq + steal)
    };
    let (before, start) = (busy()?, Instant::now());
    sleep(Duration::from_millis(500));
    let load = (busy()? - before) / TICKS_A_SECOND / start.elapsed().as_secs_f64();
    Some((10.0 * load).round() / 10.0)
}

/// Whether numbers that are measured now are worth keeping.
///
/// # Errors
/// If `load`, as [`load`] tells it, is above [`QUIET`]; the message says what to do.
pub fn is_quiet(load: Option<f64>) -> Result<(), String> {
    match load {
        Some(load) if load > QUIET => Err(format!(
            "other work takes {load} of the processors, and at most {QUIET} would leave the times alone: end it, and try again"
        )),
        _ => Ok(()),
    }
}

/// The commit that is checked out, with `+` behind it if files have changed since; `unknown` without git.
#[must_use]
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_string())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".to_string() };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|files| !files.is_empty());
    if changed { commit + "+" } else { commit }
}

/// The largest number of bytes of memory that this process had so far, where Linux tells it.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?)
}

/// Seconds that all threads of this process have computed, where Linux tells it: unlike those of a clock, they do not count
/// the time that other processes took.
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    let stat = read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name, may have spaces; the others are numbers. User and system are 14th and 15th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).map_while(|x| x.parse().ok()).collect();
    (ticks.len() == 2).then(|| ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}

/// Lets [`peak_memory`] begin again at what is in use now, where Linux can; elsewhere nothing happens.
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Our own product of two matrices of 1024 by 1024, on the threads of the current pool: what this machine can do, and
/// what kernels are held against. Returns it, and its floating point operations.
pub fn sgemm() -> (impl FnMut(), f64) {
    const N: usize = 1024;
    let (a, b) = (samples::floats(N * N, 1), samples::floats(N * N, 2));
    let mut c = AlignedVec::zeros(N * N);
    let product = move || gemm(&mut c, Mat::new(&a, N, N), Mat::new(&b, N, N), Init::Zero);
    (product, 2.0 * (N * N * N) as f64)
}

/// Floating point operations a second of [`sgemm`].
#[must_use]
pub fn sgemm_rate(budget: f64) -> f64 {
    let (product, flops) = sgemm();
    flops / alone(budget, product)
}

/// Bytes a second that all threads of the current pool together read from memory: a matrix, far larger than the caches,
/// times a vector.
#[must_use]
pub fn memory_rate(budget: f64) -> f64 {
    const ROWS: usize = 32 * 1024;
    const COLUMNS: usize = 2048;
    let (w, x) = (vec![1.0; ROWS * COLUMNS], vec![1.0; COLUMNS]);
    let mut y = vec![0.0; ROWS];
    (4 * w.len()) as f64 / alone(budget, || matvec(&w, &x, 1, None, &mut y))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_busy_machine_is_not_quiet() {
        assert_eq!(super::is_quiet(Some(super::QUIET)), Ok(()));
        assert_eq!(super::is_quiet(None), Ok(()), "where nobody tells, nothing is known against it");
        assert!(super::is_quiet(Some(1.3)).unwrap_err().contains("takes 1.3 of the processors"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_the_peak_memory() {
        assert!(super::peak_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    /// Computing for some time of the clock takes no more than that of the processor, and something.
    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_the_seconds_of_the_processor() {
        let (before, start) = (super::cpu_seconds().unwrap(), std::time::Instant::now());
        let mut x = 1_u64;
        while super::cpu_seconds().unwrap() < before + 0.05 {
            (0..100_000).for_each(|i| x = std::hint::black_box(x.wrapping_mul(3) + i));
        }
        let threads = std::thread::available_parallelism().unwrap().get() as f64;
        assert!(super::cpu_seconds().unwrap() - before <= threads * (start.elapsed().as_secs_f64() + 0.02));
    }
}
