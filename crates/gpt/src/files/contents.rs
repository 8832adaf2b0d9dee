//! What a file is going to hold, written from where it lies.

use std::io::{self, Write};

/// What a file is going to hold.
pub(crate) trait Contents {
    /// Writes all of it.
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Names of files and what they are going to hold, which need not be in memory as a whole.
pub(crate) type Files<'a> = Vec<(&'static str, Box<dyn Contents + 'a>)>;

impl Contents for &[u8] {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

impl Contents for Vec<u8> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}
