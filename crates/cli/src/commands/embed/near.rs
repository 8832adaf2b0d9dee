//! `newleaf embed near`: the words nearest to a word.

use super::{VectorsArgs, print};
use crate::screen::failure::Failure;
use serde_json::json;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "The words nearest to a word, and the cosines of their angles

  newleaf embed near --vectors vectors.txt --word king
  newleaf embed near --vectors vectors.txt --word 月 -n 20 --json";

/// What `newleaf embed near` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    vectors: VectorsArgs,
    /// The word
    #[arg(long, value_name = "WORD")]
    word: String,
    /// How many words to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let space = args.vectors.read()?;
    let row = space.index(&args.word)?;
    let near = space.neighbours.nearest(space.neighbours.unit(row), args.count, &[row]);
    if args.json {
        let list: Vec<_> =
            near.iter().map(|&(row, cosine)| json!({ "word": space.word(row), "cosine": cosine })).collect();
        return print(&json!({ "word": args.word, "neighbours": list }).to_string());
    }
    let line = |&(row, cosine): &(u32, f32)| format!("{cosine:.4}\t{}\n", space.word(row));
    print(&near.iter().map(line).collect::<String>())
}
