//! `newleaf tokenizer decode`: token ids in, text out.

use crate::screen::failure::Failure;
use crate::work::model;
use data::DataError;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Token ids on standard input to text on standard output

  newleaf tokenizer decode --tokenizer tok < ids
  echo 72 101 | newleaf tokenizer decode --tokenizer tok

Ids are decimal numbers with white space between them. Bytes that are no text become U+FFFD.";

/// What `newleaf tokenizer decode` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A directory with a tokenizer, a model or a run
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
}

/// No id has more digits; what is longer is not read to its end.
const MOST_DIGITS: usize = 20;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let tokenizer = model::load_tokenizer(&args.tokenizer)?;
    let mut decoder = tokenizer.decoder();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut words = Words { from: io::stdin().lock(), byte: 0, line: 1 };
    let mut word = Vec::new();
    while words.next(&mut word)? {
        let id = number(&word).ok_or_else(|| words.invalid(&word, tokenizer.vocab_size()))?;
        let text = decoder.push(id)?;
        out.write_all(text.as_bytes()).map_err(|e| Failure::output(&e))?;
    }
    out.write_all(decoder.finish().as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))?;
    Ok(ExitCode::SUCCESS)
}

fn number(word: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(word).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?.parse().ok()
}

/// Words with white space between them, one at a time.
struct Words<R> {
    from: R,
    /// Bytes and lines read.
    byte: usize,
    line: usize,
}

impl<R: BufRead> Words<R> {
    /// Reads the next word, of a long one only the beginning; false at the end.
    fn next(&mut self, word: &mut Vec<u8>) -> Result<bool, Failure> {
        word.clear();
        loop {
            let bytes = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|e| Failure::other(format!("cannot read standard input: {e}")))?,
            };
            let Some(&byte) = bytes.first() else { return Ok(!word.is_empty()) };
            if byte.is_ascii_whitespace() && !word.is_empty() || word.len() > MOST_DIGITS {
                return Ok(true); // the white space is read with the next word
            }
            if !byte.is_ascii_whitespace() {
                word.push(byte);
            }
            self.byte += 1;
            self.line += usize::from(byte == b'\n');
            self.from.consume(1);
        }
    }

    fn invalid(&self, word: &[u8], vocab_size: usize) -> DataError {
        let shown: String = String::from_utf8_lossy(word).chars().take(MOST_DIGITS).collect();
        DataError::Malformed {
            what: "standard input".into(),
            place: format!("byte {}, line {}", self.byte - word.len(), self.line),
            found: format!("{shown:?}"),
            expected: format!("a token id, 0 to {}", vocab_size - 1),
            remedy: "give ids as newleaf tokenizer encode writes them".into(),
        }
    }
}
