//! Plain text: documents that are separated by blank lines or by a mark, or a document a line.

use super::blocks::Blocks;
use super::lines::Lines;
use super::malformed;
use super::source::{Document, Options, Refused, Source};
use crate::DataError;

/// The token that ends a document, where the tokenizer has it: GPT-2's. A line of it stands between documents of
/// public corpora such as TinyStories.
pub const END_OF_DOCUMENT: &str = "<|endoftext|>";

/// Documents are runs of lines between blank lines, or between lines that are the mark.
pub(super) struct Passages {
    lines: Lines,
    mark: Option<String>,
    /// Marks seen so far.
    marks: u64,
}

impl Passages {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        let mark = match &options.mark {
            Some(mark) if mark.trim().is_empty() || mark.contains(['\n', '\r']) => {
                let (found, remedy) =
                    (format!("{mark:?}"), "name the line between documents, such as '* * *'");
                return Err(malformed("--mark", "", "one line with something in it", found, remedy));
            }
            Some(mark) => Some(mark.trim_end().to_string()),
            None => blocks.begins_with_line(END_OF_DOCUMENT).then(|| END_OF_DOCUMENT.into()),
        };
        let lines = Lines::new(blocks, options.longest);
        Ok(Box::new(Self { lines, mark, marks: 0 }))
    }
}

impl Source for Passages {
    fn next(&mut self) -> Result<Option<Document>, Refused> {
        let Some(mark) = &self.mark else {
            let passage = self.lines.next_run(|line| line.trim().is_empty())?;
            return Ok(passage.map(|(line, text)| Document::plain(text, line)));
        };
        let marks = &mut self.marks;
        let passage = self.lines.next_run(|line| {
            let ended = line.trim_end() == mark;
            *marks += u64::from(ended);
            ended
        })?;
        if passage.is_none() && self.marks == 0 {
            let (expected, found) =
                ("documents with a mark between them", format!("no line that is {mark:?}"));
            let remedy =
                "name what stands between the documents with --mark, or leave it out: blank lines do";
            return Err(Refused::File(malformed(self.lines.blocks.name(), "", expected, found, remedy)));
        }
        Ok(passage.map(|(line, text)| Document::plain(text, line)))
    }

    fn blocks(&self) -> &Blocks {
        &self.lines.blocks
    }

    fn between(&self) -> Option<&str> {
        Some(self.mark.as_deref().unwrap_or(""))
    }
}

/// A document is a line; blank lines are none.
pub(super) struct LineDocuments(Lines);

impl LineDocuments {
    pub(super) fn open(blocks: Blocks, options: &Options) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(Self(Lines::new(blocks, options.longest))))
    }
}

impl Source for LineDocuments {
    fn next(&mut self) -> Result<Option<Document>, Refused> {
        let line = self.0.next_filled()?.map(str::to_string);
        Ok(line.map(|text| Document::plain(text, self.0.number())))
    }

    fn blocks(&self) -> &Blocks {
        &self.0.blocks
    }
}
