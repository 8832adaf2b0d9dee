//! The lines of a file, in constant memory: a line ends with `\n`, `\r\n` or `\r`.

use super::blocks::Blocks;
use super::malformed;
use crate::DataError;

/// A reader of lines.
pub(super) struct Lines {
    pub(super) blocks: Blocks,
    /// What is decoded; the current line begins at `start`, and there is no line end before `searched`.
    text: String,
    start: usize,
    searched: usize,
    /// Number of the line last handed out, from 1; 0 before the first.
    number: u64,
    longest: usize,
}

impl Lines {
    /// Lines of at most `longest` bytes.
    pub(super) fn new(blocks: Blocks, longest: usize) -> Self {
        Self { blocks, text: String::new(), start: 0, searched: 0, number: 0, longest }
    }

    /// Number of the line last handed out, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end.
    pub(super) fn next(&mut self) -> Result<Option<&str>, DataError> {
        let Some((end, next)) = self.find_end()? else { return Ok(None) };
        if end - self.start > self.longest {
            return Err(too_long(&self.blocks, self.number + 1, "line", self.longest));
        }
        let line = self.start..end;
        (self.start, self.searched) = (next, next);
        self.number += 1;
        Ok(Some(&self.text[line]))
    }

    /// Where the current line ends and the next begins; none at the end of the file.
    fn find_end(&mut self) -> Result<Option<(usize, usize)>, DataError> {
        loop {
            if let Some(i) = memchr::memchr2(b'\n', b'\r', &self.text.as_bytes()[self.searched..]) {
                let end = self.searched + i;
                return Ok(Some((end, end + 1)));
            }
            if self.text.len() - self.start > self.longest {
                return Err(too_long(&self.blocks, self.number + 1, "line", self.longest));
            }
            self.text.drain(..self.start); // what is left is the beginning of one line
            self.start = 0;
            self.searched = self.text.len();
            if !self.blocks.read_into(&mut self.text)? {
                let end = self.text.len();
                return Ok((end > 0).then_some((end, end)));
            }
        }
    }
}

/// A document or line that is longer than allowed.
pub(super) fn too_long(blocks: &Blocks, line: u64, what: &str, longest: usize) -> DataError {
    malformed(
        blocks.name(),
        format!("line {line}"),
        format!("a {what} of at most {longest} bytes"),
        "a longer one",
        "break it up, or allow more with --longest BYTES; a text without blank lines can be read with --format lines",
    )
}
