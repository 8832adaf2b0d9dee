//! Ctrl-C, SIGTERM and SIGHUP (the terminal was closed): the first asks for a clean end, a second ends at once. A file that
//! grows beyond `ulimit -f` is a disk that is full.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A number that stays 0 until a signal arrives, and is then the signal's.
#[cfg(unix)]
pub(crate) fn watch() -> std::io::Result<Arc<AtomicUsize>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use std::sync::atomic::AtomicBool;
    let received = Arc::new(AtomicUsize::new(0));
    let hangup = (!ignores_hangup()).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
        // Registered first, so it acts from the second signal on: the flag is set by the one behind it.
        let again = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        signal_hook::flag::register(signal, again)?;
        signal_hook::flag::register_usize(signal, Arc::clone(&received), signal as usize)?;
    }
    Ok(received)
}

/// Whether the program was started with `nohup`, to go on when the terminal is closed: Linux tells which signals are
/// ignored; elsewhere nohup can be known by an output that is no terminal.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    use std::io::IsTerminal;
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return !std::io::stderr().is_terminal();
    };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & 1 << (signal_hook::consts::SIGHUP - 1) != 0
}

/// What is written beyond `ulimit -f` is an error of that write, "File too large", and no end without a word.
#[cfg(unix)]
pub(crate) fn refuse_large_files() -> std::io::Result<()> {
    let unread = Arc::new(std::sync::atomic::AtomicBool::new(false)); // the write itself says it
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unread).map(drop)
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub(crate) fn refuse_large_files() -> std::io::Result<()> {
    Ok(())
}

/// Elsewhere Ctrl-C ends the program at once; the last checkpoint is there to resume from.
#[cfg(not(unix))]
pub(crate) fn watch() -> std::io::Result<Arc<AtomicUsize>> {
    Ok(Arc::new(AtomicUsize::new(0)))
}
