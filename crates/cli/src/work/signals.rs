//! Ctrl-C and SIGTERM: the first asks for a clean end, a second ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A number that stays 0 until a signal arrives, and is then the signal's.
#[cfg(unix)]
pub(crate) fn watch() -> std::io::Result<Arc<AtomicUsize>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use std::sync::atomic::AtomicBool;
    let received = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so it acts from the second signal on: the flag is set by the one behind it.
        let again = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        signal_hook::flag::register(signal, again)?;
        signal_hook::flag::register_usize(signal, Arc::clone(&received), signal as usize)?;
    }
    Ok(received)
}

/// Elsewhere Ctrl-C ends the program at once; the last checkpoint is there to resume from.
#[cfg(not(unix))]
pub(crate) fn watch() -> std::io::Result<Arc<AtomicUsize>> {
    Ok(Arc::new(AtomicUsize::new(0)))
}
