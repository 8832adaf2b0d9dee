//! Writing vectors: all of the file or none of it.

use super::{Format, WordVectors};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

impl WordVectors {
    /// Writes a file. In the text formats every number has as many digits as it takes to read the same bits back. The
    /// file is complete or not there: it is written beside its place, and renamed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&self, path: &Path, format: Format) -> io::Result<()> {
        let name = path.file_name().ok_or_else(|| io::Error::other("expected the name of a file"))?;
        let mut beside = name.to_os_string();
        beside.push(format!(".tmp.{}", std::process::id()));
        let beside = path.with_file_name(beside);
        let written = File::create(&beside).and_then(|file| {
            let mut to = BufWriter::with_capacity(1 << 16, file);
            self.write_to(&mut to, format)?;
            to.into_inner()?.sync_all()
        });
        let done = written.and_then(|()| fs::rename(&beside, path));
        if done.is_err() {
            let _ = fs::remove_file(&beside); // what went wrong before is what is reported
        }
        done
    }

    /// Writes the contents of a file.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, to: &mut impl Write, format: Format) -> io::Result<()> {
        if format != Format::Glove {
            writeln!(to, "{} {}", self.len(), self.dim)?;
        }
        for (word, row) in self.words.iter().zip(self.values.chunks(self.dim)) {
            to.write_all(word.as_bytes())?;
            if format == Format::Binary {
                to.write_all(b" ")?;
                for x in row {
                    to.write_all(&x.to_le_bytes())?;
                }
            } else {
                for x in row {
                    write!(to, " {x:?}")?;
                }
            }
            to.write_all(b"\n")?;
        }
        Ok(())
    }
}
