//! Messages on standard error.

use std::fmt::Arguments;
use std::io::Write;

/// In this crate, in place of the standard library's, which panics where standard error cannot be written (a log on a
/// full disk, a reader that went away) and would take the work down that the message only tells of.
macro_rules! eprintln {
    ($($message:tt)*) => { $crate::screen::message::write_line(format_args!($($message)*)) };
}

/// Writes a message as one line, or loses it.
pub(crate) fn write_line(message: Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{message}\n").as_bytes());
}
