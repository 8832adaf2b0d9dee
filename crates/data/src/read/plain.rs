//! Plain text: documents that are separated by blank lines, or a document a line.

use super::blocks::Blocks;
use super::lines::{Limit, Lines};
use super::source::{Document, Options, Source};
use crate::DataError;

/// Documents are runs of lines that are not blank.
pub(super) struct Paragraphs(Lines);

impl Paragraphs {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self(Lines::new(blocks, Limit::of_option(options.longest)))))
    }
}

impl Source for Paragraphs {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        let paragraph = self.0.next_run(|line| line.trim().is_empty())?;
        Ok(paragraph.map(|(line, text)| Document::plain(text, line)))
    }

    fn blocks(&self) -> &Blocks {
        &self.0.blocks
    }
}

/// A document is a line; blank lines are none.
pub(super) struct LineDocuments(Lines);

impl LineDocuments {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self(Lines::new(blocks, Limit::of_option(options.longest)))))
    }
}

impl Source for LineDocuments {
    fn next(&mut self) -> Result<Option<Document>, DataError> {
        let line = self.0.next_filled()?.map(str::to_string);
        Ok(line.map(|text| Document::plain(text, self.0.number())))
    }

    fn blocks(&self) -> &Blocks {
        &self.0.blocks
    }
}
