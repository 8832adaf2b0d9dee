//! Messages on standard error, and the command line that records keep.

use crate::failure::Failure;
use std::fmt::Arguments;
use std::io::Write;

/// In this crate, in place of the standard library's, which panics where standard error cannot be written (a log on a
/// full disk, a reader that went away) and would take the work down that the message only tells of.
macro_rules! eprintln {
    ($($message:tt)*) => { $crate::message::write_line(format_args!($($message)*)) };
}

/// Writes a message as one line, or loses it.
pub(crate) fn write_line(message: Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{message}\n").as_bytes());
}

/// The command line, for the record of what it made. Records are text: an argument that is not UTF-8 is refused, so
/// commands that keep a record call this before any work.
pub(crate) fn command_line() -> Result<Vec<String>, Failure> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
    let text = |argument: std::ffi::OsString| {
        argument.into_string().map_err(|argument| {
            Failure::input(format!(
                "{argument:?} is not UTF-8, expected UTF-8: this command records its command line as text\n  rename the \
                 file or directory"
            ))
        })
    };
    std::iter::once(Ok(program)).chain(arguments.map(text)).collect()
}
