//! `newleaf data pack`: a text of any size as a file of token ids.

use super::split::By;
use crate::flags::reading::{ReadArgs, Reading, is_stdin};
use crate::screen::byte_progress::{ByteProgress, megabytes};
use crate::screen::failure::Failure;
use crate::work::model::load_tokenizer;
use data::Tokenizer;
use data::dataset::{
    PackReport, TokenFile, char_tokenizer_of, char_tokenizer_of_documents, pack_documents, pack_plain_ids,
    pack_text,
};
use data::read::{Options, TextReader, format_of};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Encodes a text as a token file, from which training reads windows

  newleaf data pack --in big.txt --out big.bin                    one token a character of the text
  newleaf data pack --in val.txt --tokenizer my --out val.bin     the tokens of a model or tokenizer directory
  newleaf data pack --in a.jsonl --tokenizer my --out a.bin       the text of each row, each followed by its end
  newleaf data pack --in stories.txt --mark '* * *' --out s.bin   documents, each followed by its end
  newleaf data pack --in train.bin --raw u16 --tokenizer my --out t.bin     ids without a header, as nanoGPT's

A .txt file is one document, unless --format or --mark says how it is divided. Neither packing nor training needs
memory for the whole text.";

/// The width of plain ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Raw {
    /// 16 bits, little-endian
    U16,
    /// 32 bits, little-endian
    U32,
}

/// What `newleaf data pack` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text, or the rows or pages with texts
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// A directory with a tokenizer, a model or a run, or a tokenizer.json [default: the characters of the text]
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// The token file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Another way to say --format
    #[arg(long, value_name = "WHAT", hide = true, conflicts_with_all = ["raw", "format"])]
    by: Option<By>,
    #[command(flatten)]
    read: ReadArgs,
    /// The file holds ids and no text
    #[arg(long, value_name = "WIDTH", requires = "tokenizer", conflicts_with = "encoding")]
    raw: Option<Raw>,
    /// One JSON object: {"tokens": .., "documents": .., "vocab_size": .., "bytes": .., "bytes_in": ..}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    Failure::if_same(&args.out, &args.input)?;
    if is_stdin(&args.input) && (args.raw.is_some() || args.tokenizer.is_none()) {
        return Err(Failure::input(
            "--in -: the standard input can be read once, and this reads it twice or from its end: give --tokenizer and a \
             text, or a file",
        ));
    }
    let documents = args.documents()?;
    let tokenizer = args.tokenizer(documents.as_ref())?;
    let report = args.pack(documents.as_ref(), &tokenizer)?;
    let file = TokenFile::open(&args.out)?;
    let text = if args.json {
        json!({
            "tokens": report.tokens, "documents": report.documents, "vocab_size": file.vocab_size(),
            "bytes": file.bytes(), "bytes_in": report.bytes,
        })
        .to_string()
    } else {
        let (PackReport { tokens, documents, .. }, path) = (report, args.out.display());
        let (size, vocab_size) = (megabytes(file.bytes()), file.vocab_size());
        format!("{path}: {tokens} tokens of {vocab_size} different, documents: {documents}, {size}")
    };
    super::print(&text)
}

impl Args {
    /// How to read documents; none if the whole text is one.
    fn documents(&self) -> Result<Option<Options>, Failure> {
        let mut options = self.read.options()?;
        let asked = self.by.is_some() || options.format.is_some() || options.mark.is_some();
        options.format = self.by.and_then(By::format).or(options.format);
        let is_text = format_of(&self.input).name == "text" && options.text_column.is_none();
        Ok((asked || !is_text || is_stdin(&self.input)).then_some(options))
    }

    fn open(&self, options: &Options) -> Result<Reading, Failure> {
        Reading::open(std::slice::from_ref(&self.input), options)
    }

    fn pack(&self, documents: Option<&Options>, tokenizer: &Tokenizer) -> Result<PackReport, Failure> {
        let about = |failure: Failure| failure.about(self.input.display());
        if let (Some(options), None) = (documents, self.raw) {
            return pack_documents(self.open(options)?, tokenizer, &self.out).map_err(about);
        }
        let bar = self.bar("packing");
        let progress = &mut |done, _| bar.set(done);
        let report = match self.raw {
            Some(raw) => {
                let width = if raw == Raw::U16 { 2 } else { 4 };
                pack_plain_ids(&self.input, width, tokenizer, &self.out, progress)
            }
            None => pack_text(self.text()?, tokenizer, &self.out, progress),
        };
        let report = report.map_err(|error| about(error.into()))?;
        eprintln!("{}", bar.finish(report.bytes));
        Ok(report)
    }

    /// The tokenizer that is given, or that of the characters of what is packed.
    fn tokenizer(&self, documents: Option<&Options>) -> Result<Tokenizer, Failure> {
        if let Some(path) = &self.tokenizer {
            return load_tokenizer(path);
        }
        let bar = self.bar("characters");
        let tokenizer = match documents {
            Some(options) => char_tokenizer_of_documents(self.open(options)?),
            None => char_tokenizer_of(self.text()?, &mut |done, _| bar.set(done)).map_err(Failure::from),
        };
        bar.finish(0);
        Ok(Tokenizer::Char(tokenizer.map_err(|failure| failure.about(self.input.display()))?))
    }

    fn text(&self) -> Result<TextReader, Failure> {
        let reader = TextReader::open(&self.input, self.read.file.encoding.as_deref())?;
        eprintln!("{}: {}", self.input.display(), reader.encoding());
        Ok(reader)
    }

    fn bar(&self, what: &str) -> ByteProgress {
        ByteProgress::new(what, 0, std::fs::metadata(&self.input).ok().map(|m| m.len()))
    }
}
