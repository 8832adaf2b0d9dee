//! `newleaf data pack`: a text of any size as a file of token ids.

use super::split::{By, DocumentArgs};
use crate::screen::byte_progress::{ByteProgress, megabytes};
use crate::screen::failure::Failure;
use crate::work::model::load_tokenizer;
use data::Tokenizer;
use data::dataset::{PackReport, TokenFile, char_tokenizer_of, pack_documents, pack_plain_ids, pack_text};
use data::read::TextReader;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) const ABOUT: &str = "Encodes a text as a token file, from which training reads windows

  newleaf data pack --in big.txt --out big.bin                    one token a character of the text
  newleaf data pack --in val.txt --tokenizer my --out val.bin     the tokens of a model or tokenizer directory
  newleaf data pack --in a.jsonl --by doc --field text --tokenizer my --out a.bin
  newleaf data pack --in train.bin --raw u16 --tokenizer my --out t.bin     ids without a header, as nanoGPT's

Neither packing nor training needs memory for the whole text.";

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
    /// The text
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// A directory with a tokenizer, a model or a run, or a tokenizer.json [default: the characters of the text]
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// The token file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep documents apart, each followed by its end [default: the text is one document]
    #[arg(long, value_name = "WHAT", conflicts_with = "raw")]
    by: Option<By>,
    #[command(flatten)]
    documents: DocumentArgs,
    /// The documents are JSON objects, and this field of theirs is the text
    #[arg(long, value_name = "NAME", requires = "by")]
    field: Option<String>,
    /// The file holds ids and no text
    #[arg(long, value_name = "WIDTH", requires = "tokenizer", conflicts_with = "encoding")]
    raw: Option<Raw>,
    /// One JSON object: {"tokens": .., "documents": .., "vocab_size": .., "bytes": .., "bytes_in": ..}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let same_file =
        |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same_file(&args.input, &args.out) {
        return Err(Failure::input(format!("--out {}: would overwrite the text itself", args.out.display())));
    }
    let tokenizer = tokenizer(args)?;
    let bytes = std::fs::metadata(&args.input).ok().map(|m| m.len());
    let bar = ByteProgress::new("packing", 0, bytes);
    let report = pack(args, &tokenizer, &bar).map_err(|failure| failure.about(args.input.display()))?;
    eprintln!("{}", bar.finish(report.bytes));
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

fn pack(args: &Args, tokenizer: &Tokenizer, bar: &ByteProgress) -> Result<PackReport, Failure> {
    let progress = &mut |done, _| bar.set(done);
    let (input, out) = (&args.input, &args.out);
    Ok(match (args.raw, args.by) {
        (Some(raw), _) => {
            pack_plain_ids(input, if raw == Raw::U16 { 2 } else { 4 }, tokenizer, out, progress)?
        }
        (None, Some(by)) => {
            let documents = args.documents.open(by, input)?;
            pack_documents(documents, args.field.as_deref(), tokenizer, out, progress)?
        }
        (None, None) => {
            let reader = TextReader::open(input, args.documents.encoding.as_deref())?;
            eprintln!("{}: {}", input.display(), reader.encoding());
            pack_text(reader, tokenizer, out, progress)?
        }
    })
}

fn tokenizer(args: &Args) -> Result<Tokenizer, Failure> {
    let Some(path) = &args.tokenizer else {
        let reader = TextReader::open(&args.input, args.documents.encoding.as_deref())?;
        let bar = ByteProgress::new("characters", 0, std::fs::metadata(&args.input).ok().map(|m| m.len()));
        let tokenizer = char_tokenizer_of(reader, &mut |done, _| bar.set(done))
            .map_err(|e| Failure::from(e).about(args.input.display()))?;
        bar.finish(0);
        return Ok(Tokenizer::Char(tokenizer));
    };
    load_tokenizer(path)
}
