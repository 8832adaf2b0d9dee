//! How much memory there is for this process: what the machine has, or less where its container (cgroup v2) or its shell
//! (`ulimit -v`) allows less. Linux tells it in files; elsewhere nobody knows.

use std::path::{Component, Path, PathBuf};

/// Bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The most that the process can have.
    pub(crate) total: Option<u64>,
    /// What it could take now, beside what it has.
    pub(crate) available: Option<u64>,
}

impl Memory {
    /// Of this machine.
    pub(crate) fn now() -> Self {
        Self::below(Path::new("/"))
    }

    /// Of a machine whose root directory is somewhere.
    fn below(root: &Path) -> Self {
        let groups = control_groups(root);
        let limit = address_space(root);
        let taken = kilobytes(root, "proc/self/status", "VmSize:").unwrap_or(0);
        let least = |amounts: [Option<u64>; 3]| amounts.into_iter().flatten().min();
        Self {
            total: least([
                kilobytes(root, "proc/meminfo", "MemTotal:"),
                groups.iter().map(|(limit, _)| *limit).min(),
                limit,
            ]),
            available: least([
                kilobytes(root, "proc/meminfo", "MemAvailable:"),
                groups.iter().map(|(limit, used)| limit.saturating_sub(*used)).min(),
                limit.map(|limit| limit.saturating_sub(taken)),
            ]),
        }
    }
}

/// The most memory in bytes that this process has had at once.
pub(crate) fn peak() -> Option<u64> {
    kilobytes(Path::new("/"), "proc/self/status", "VmHWM:")
}

/// The memory in bytes that this process has now.
pub(crate) fn resident() -> Option<u64> {
    kilobytes(Path::new("/"), "proc/self/status", "VmRSS:")
}

/// Limit and use of the control groups that the process is in and that have a limit, from its own upwards: each holds.
fn control_groups(root: &Path) -> Vec<(u64, u64)> {
    let Ok(text) = std::fs::read_to_string(root.join("proc/self/cgroup")) else { return Vec::new() };
    let Some(own) = text.lines().find_map(|line| line.strip_prefix("0::")) else { return Vec::new() };
    // Seen from within a container the path begins at the container's group, and may leave it by "..".
    let own: PathBuf =
        Path::new(own).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let limited = |group: &Path| {
        let group = root.join("sys/fs/cgroup").join(group);
        let number = |name: &str| std::fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
        let limit = number("memory.max")?; // "max" is no limit
        // Of what is in use, pages of files that nobody looked at lately are given back on demand.
        let statistics = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let files =
            statistics.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
        Some((limit, number("memory.current").unwrap_or(0).saturating_sub(files.unwrap_or(0))))
    };
    own.ancestors().filter_map(limited).collect()
}

/// The limit on the addresses of the process (`ulimit -v`), if there is one.
fn address_space(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let limits = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    limits.split_whitespace().next()?.parse().ok() // the soft one; "unlimited" is none
}

/// A number of kilobytes in one of the system's tables, in bytes.
fn kilobytes(root: &Path, table: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(root.join(table)).ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix(name))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A root directory with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            fs::write(dir.path().join(name), contents).unwrap();
        }
        dir
    }

    fn found(files: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
        let Memory { total, available } = Memory::below(root(files).path());
        (total, available)
    }

    const MACHINE: (&str, &str) =
        ("proc/meminfo", "MemTotal:       8000 kB\nMemFree:  1 kB\nMemAvailable:   5000 kB\n");
    const STATUS: (&str, &str) = ("proc/self/status", "VmPeak: 900 kB\nVmSize:     100 kB\n");
    const K: u64 = 1024;

    #[test]
    fn a_machine_without_limits() {
        assert_eq!(found(&[]), (None, None));
        let limits = (
            "proc/self/limits",
            "Max address space         unlimited            unlimited            bytes\n",
        );
        let group = ("proc/self/cgroup", "0::/\n");
        let max = ("sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(found(&[MACHINE, STATUS, limits, group, max]), (Some(8000 * K), Some(5000 * K)));
    }

    #[test]
    fn the_least_of_all_control_groups_counts() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "3:cpu:/other\n0::/app/one\n"),
            ("sys/fs/cgroup/app/one/memory.max", "max\n"),
            ("sys/fs/cgroup/app/memory.max", "4096000\n"),
            ("sys/fs/cgroup/app/memory.current", "1024000\n"),
            ("sys/fs/cgroup/app/memory.stat", "anon 1\nfile 900000\ninactive_file 24000\n"),
        ];
        assert_eq!(found(&files), (Some(4_096_000), Some(4_096_000 - 1_000_000)));
        // As seen from within a container: the limit is at the root.
        for own in ["0::/\n", "0::/../../x\n"] {
            let files = [
                MACHINE,
                ("proc/self/cgroup", own),
                ("sys/fs/cgroup/memory.max", "2048000\n"),
                ("sys/fs/cgroup/memory.current", "3048000\n"),
            ];
            assert_eq!(found(&files), (Some(2_048_000), Some(0)), "{own}");
        }
    }

    #[test]
    fn a_limit_on_addresses_counts() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax address space         1024000              2048000              bytes\n";
        let files = [MACHINE, STATUS, ("proc/self/limits", limits)];
        assert_eq!(found(&files), (Some(1_024_000), Some(1_024_000 - 100 * K)));
    }

    #[test]
    fn nonsense_is_no_limit() {
        for nonsense in ["", "-1\n", "1e9\n", "99999999999999999999999\n", "\u{0}"] {
            let limits = format!("Max address space {nonsense}");
            let files = [
                MACHINE,
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", nonsense),
                ("proc/self/limits", &limits),
            ];
            assert_eq!(found(&files), (Some(8000 * K), Some(5000 * K)), "{nonsense:?}");
        }
    }
}
