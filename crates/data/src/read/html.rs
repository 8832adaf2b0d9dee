//! A page of HTML: the file is one document, and its text is what [`html_to_text`] makes of it.

use super::blocks::Blocks;
use super::lines::too_long;
use super::source::{Document, Options, Refused, Source};
use crate::DataError;
use crate::html::html_to_text;

/// A reader of one page.
pub(super) struct Page {
    blocks: Blocks,
    longest: usize,
}

impl Page {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self { blocks, longest: options.longest }))
    }
}

impl Source for Page {
    fn next(&mut self) -> Result<Option<Document>, Refused> {
        let mut page = String::new();
        while self.blocks.read_into(&mut page)? {
            if page.len() > self.longest {
                return Err(too_long(&self.blocks, 1, "page", self.longest).into());
            }
        }
        Ok((!page.is_empty()).then(|| Document::plain(html_to_text(&page), 1)))
    }

    fn blocks(&self) -> &Blocks {
        &self.blocks
    }
}
