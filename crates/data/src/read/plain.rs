//! Plain text: documents that are separated by blank lines, or a document a line.

use super::blocks::Blocks;
use super::document::{Document, Options, Source};
use super::lines::{Lines, too_long};
use crate::DataError;

/// Documents are runs of lines that are not blank.
pub(super) struct Paragraphs {
    lines: Lines,
    longest: usize,
}

impl Paragraphs {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self { lines: Lines::new(blocks, options.longest), longest: options.longest }))
    }
}

impl Source for Paragraphs {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        let mut text = String::new();
        let mut first = 0;
        while let Some(line) = self.lines.next()? {
            if line.trim().is_empty() {
                if text.is_empty() {
                    continue;
                }
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            if first == 0 {
                first = self.lines.number();
            }
            if text.len() > self.longest {
                return Err(too_long(&self.lines.blocks, first, "document", self.longest));
            }
        }
        Ok((!text.is_empty()).then(|| Document::plain(text, first)))
    }

    fn blocks(&self) -> &Blocks {
        &self.lines.blocks
    }
}

/// A document is a line; blank lines are none.
pub(super) struct LineDocuments {
    lines: Lines,
}

impl LineDocuments {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self { lines: Lines::new(blocks, options.longest) }))
    }
}

impl Source for LineDocuments {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        while let Some(line) = self.lines.next()? {
            if !line.trim().is_empty() {
                let text = line.to_string();
                return Ok(Some(Document::plain(text, self.lines.number())));
            }
        }
        Ok(None)
    }

    fn blocks(&self) -> &Blocks {
        &self.lines.blocks
    }
}
