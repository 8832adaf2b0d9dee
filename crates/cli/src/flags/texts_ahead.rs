//! The texts that a model will be fine-tuned on: what they say about the model to pretrain.

use crate::flags::labelled::open;
use crate::screen::failure::Failure;
use crate::work::model::encode_known;
use data::Tokenizer;
use data::read::Options;
use gpt::plan::window_for;
use std::path::PathBuf;

/// Where they are.
#[derive(Debug, clap::Args)]
pub(crate) struct TextsAheadArgs {
    /// Labelled texts that the model will be fine-tuned on, .csv, .tsv or .jsonl: its context is as long as they are
    #[arg(long, value_name = "FILE")]
    labelled: Option<PathBuf>,
    /// Their column or field [default: text]
    #[arg(long, alias = "text_column", value_name = "NAME", requires = "labelled")]
    text_column: Option<String>,
}

impl TextsAheadArgs {
    /// The context that holds nearly all of them; `None` if none are given.
    pub(crate) fn block_size(&self, tokenizer: &Tokenizer) -> Result<Option<usize>, Failure> {
        let Some(path) = &self.labelled else { return Ok(None) };
        let options = Options { text_column: self.text_column.clone(), ..Options::default() };
        let (mut lengths, mut spaces) = (Vec::new(), 0);
        for document in open(path, &options)? {
            let text = document?.text;
            lengths.push(encode_known(tokenizer, &text).0.len());
            spaces += text.matches(' ').count();
        }
        // In a text with spaces between words there is one for every five or six characters.
        if matches!(tokenizer, Tokenizer::Char(_)) && 12 * spaces > lengths.iter().sum() {
            eprintln!(
                "note: in byte pairs these texts are a quarter as long, and fine-tuning is as much faster: newleaf tokenizer train --kind bpe \
                 --data TEXT --out bpe, then --tokenizer bpe"
            );
        }
        let count = lengths.len();
        let (block_size, held) = window_for(lengths);
        eprintln!(
            "{}: {held} of {count} texts are no longer than a context of {block_size} tokens",
            path.display()
        );
        Ok(Some(block_size))
    }

    /// Refuses texts that would change nothing, because the model is chosen otherwise.
    pub(crate) fn check(&self, is_chosen_by_time: bool) -> Result<(), Failure> {
        if self.labelled.is_some() && !is_chosen_by_time {
            return Err(Failure::input(
                "--labelled: the context is chosen with the model: give --time, without --from and settings of the model; or give \
                 --block-size instead",
            ));
        }
        Ok(())
    }

    /// The flags again, for a command that is to be tried.
    pub(crate) fn again(&self) -> String {
        let flag = |name, value: &str| format!(" --{name} {value}");
        let file = self.labelled.as_ref().map(|path| flag("labelled", &path.display().to_string()));
        let column = self.text_column.as_ref().map(|name| flag("text-column", name));
        file.into_iter().chain(column).collect()
    }
}
