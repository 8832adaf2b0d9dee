//! What a run was run on, and when.

use crate::files::memory::{self, Memory};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};
use tensor::kernels::simd;

/// The machine, as far as it explains a run's speed and bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's name, where the system tells it.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Threads that it does use.
    pub threads: usize,
    /// Memory in bytes, where the system tells it.
    pub memory: Option<u64>,
    /// Which vector instructions the kernels use.
    pub simd: String,
    /// Operating system and instruction set, such as `linux x86_64`.
    pub os: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn current() -> Self {
        Self {
            cpu: cpu_name().unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            memory: Self::memory_bytes(),
            simd: simd::Path::current().name().into(),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }

    /// The most memory in bytes that this process may have: the machine's, or less where its container (cgroup v2) or
    /// `ulimit -v` says so. Where the system tells it (Linux).
    #[must_use]
    pub fn memory_bytes() -> Option<u64> {
        Memory::now().total
    }

    /// The memory in bytes that this process could take now, beside what it has, where the system tells it (Linux).
    #[must_use]
    pub fn available_bytes() -> Option<u64> {
        Memory::now().available
    }

    /// The memory in bytes that this process has now, where the system tells it (Linux).
    #[must_use]
    pub fn resident_bytes() -> Option<u64> {
        memory::resident()
    }

    /// The most memory in bytes that this process has had at once, where the system tells it (Linux).
    #[must_use]
    pub fn peak_memory_bytes() -> Option<u64> {
        memory::peak()
    }

    /// Begins [`Machine::peak_memory_bytes`] anew from what is taken now, where the system can (Linux).
    pub fn forget_peak_memory() {
        let _ = std::fs::write("/proc/self/clear_refs", "5"); // elsewhere the peak stays that of the whole process
    }
}

fn cpu_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// The time now in UTC, such as `2026-11-24T04:03:00Z`.
#[must_use]
pub fn now_utc() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format_utc(seconds)
}

/// Seconds since 1970 as a date (Howard Hinnant's `civil_from_days`: years begin in March, so that the
/// leap day is the last of a year).
fn format_utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400); // days since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097); // 400 years
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // date -u -d @SECONDS +%FT%TZ
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format_utc(seconds), expected);
        }
    }

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::current();
        assert!(machine.cores >= 1 && machine.threads >= 1 && !machine.cpu.is_empty());
        assert!(simd::Path::ALL.iter().any(|path| path.name() == machine.simd));
        if cfg!(target_os = "linux") {
            assert!(machine.memory.unwrap() > 1 << 20);
        }
    }
}
