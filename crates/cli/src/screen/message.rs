//! Messages on standard error.

use super::wrap::Wrap;
use std::fmt::Arguments;
use std::io::Write;

/// In this crate, in place of the standard library's, which panics where standard error cannot be written (a log on a
/// full disk, a reader that went away) and would take the work down that the message only tells of.
macro_rules! eprintln {
    ($($message:tt)*) => { $crate::screen::message::write_line(format_args!($($message)*)) };
}

/// Writes a message as one line, or loses it. On a terminal lines end between words.
pub(crate) fn write_line(message: Arguments<'_>) {
    let mut wrap = Wrap::stderr();
    let text = wrap.push(&message.to_string()) + &wrap.finish() + "\n";
    let _ = std::io::stderr().write_all(text.as_bytes());
}
