//! The lines of a file and runs of them, in constant memory: a line ends with `\n`, `\r\n` or `\r`. Every format
//! whose documents are made of whole lines is cut here, for [`Documents`](super::Documents).

use super::blocks::Blocks;
use super::malformed;
use crate::DataError;
use std::ops::Range;

/// A reader of lines.
pub(super) struct Lines {
    pub(super) blocks: Blocks,
    /// What is decoded; the current line begins at `start`, and there is no line end before `searched`.
    text: String,
    start: usize,
    searched: usize,
    /// Number of the line last handed out, from 1; 0 before the first.
    number: u64,
    /// The longest line, and document of lines, in bytes of UTF-8. This is what bounds the memory.
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

    /// The next line that is not blank, without its end.
    pub(super) fn next_filled(&mut self) -> Result<Option<&str>, DataError> {
        while let Some(line) = self.next_range()? {
            if !self.text[line.clone()].trim().is_empty() {
                return Ok(Some(&self.text[line]));
            }
        }
        Ok(None)
    }

    /// The next run of lines: what stands before a line that `ends` it, and the number of its first line.
    /// Blank lines before and empty lines after it are no part of it, and neither is the end of its last line.
    /// A run without lines is none.
    pub(super) fn next_run(
        &mut self,
        mut ends: impl FnMut(&str) -> bool,
    ) -> Result<Option<(u64, String)>, DataError> {
        let (mut text, mut first) = (String::new(), 0);
        while let Some(line) = self.next_range()? {
            let line = &self.text[line];
            let ended = ends(line);
            if ended && !text.is_empty() {
                break;
            }
            if ended || (text.is_empty() && line.trim().is_empty()) {
                continue;
            }
            if text.is_empty() {
                first = self.number;
            } else {
                text.push('\n');
            }
            text.push_str(line);
            self.check(&text, first, "document")?;
        }
        text.truncate(text.trim_end_matches('\n').len());
        Ok((!text.is_empty()).then_some((first, text)))
    }

    /// Refuses what is longer than the limit; it begins on line `first`.
    pub(super) fn check(&self, text: &str, first: u64, what: &str) -> Result<(), DataError> {
        if text.len() <= self.longest {
            return Ok(());
        }
        Err(too_long(&self.blocks, first, what, self.longest))
    }

    /// Where in `text` the next line is.
    fn next_range(&mut self) -> Result<Option<Range<usize>>, DataError> {
        let Some((end, next)) = self.find_end()? else { return Ok(None) };
        let line = self.start..end;
        self.check(&self.text[line.clone()], self.number + 1, "line")?;
        (self.start, self.searched) = (next, next);
        self.number += 1;
        Ok(Some(line))
    }

    /// Where the current line ends and the next begins; none at the end of the file.
    fn find_end(&mut self) -> Result<Option<(usize, usize)>, DataError> {
        loop {
            if let Some(i) = memchr::memchr2(b'\n', b'\r', &self.text.as_bytes()[self.searched..]) {
                let end = self.searched + i;
                return Ok(Some((end, end + 1)));
            }
            self.check(&self.text[self.start..], self.number + 1, "line")?;
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

/// A document or line that is longer than `--longest` allows.
pub(super) fn too_long(blocks: &Blocks, line: u64, what: &str, longest: usize) -> DataError {
    malformed(
        blocks.name(),
        format!("line {line}"),
        format!("a {what} of at most {longest} bytes"),
        "a longer one",
        "break it up, or allow more with --longest BYTES; a text without blank lines can be read with --format lines",
    )
}
