//! Writing vectors: all of the file or none of it.

use super::{Format, WordVectors};
use crate::{DataError, NewFile};
use std::io::{self, Write};
use std::path::Path;

impl WordVectors {
    /// Writes a file. In the text formats every number has as many digits as it takes to read the same bits back. The
    /// file is complete or not there: it is written beside its place, and renamed.
    ///
    /// # Errors
    /// As [`NewFile::create`] and [`NewFile::finish`].
    pub fn write(&self, path: &Path, format: Format) -> Result<(), DataError> {
        let mut file = NewFile::create(path)?;
        self.write_to(&mut file, format).map_err(|e| file.unwritable(e))?;
        file.finish()
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
