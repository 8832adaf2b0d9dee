//! `newleaf tokenizer encode`: text in, token ids out.

use crate::screen::failure::Failure;
use crate::work::model;
use data::DataError;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Text on standard input to token ids on standard output

  newleaf tokenizer encode --tokenizer tok < some.txt > ids
  echo 'hello world' | newleaf tokenizer encode --tokenizer tok

The text is taken as it is, byte for byte; special tokens are never found in it.";

/// What `newleaf tokenizer encode` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A directory with a tokenizer, a model or a run
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
}

/// Bytes that are read at a time.
const PART: usize = 1 << 16;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let tokenizer = model::load_tokenizer(&args.tokenizer)?;
    let mut encoder = tokenizer.encoder();
    let mut text = Utf8Parts::new(io::stdin().lock());
    let mut out = Ids { out: BufWriter::with_capacity(PART, io::stdout().lock()), written: 0 };
    let (mut ids, mut unknown) = (Vec::new(), 0);
    loop {
        let part = text.next()?;
        let is_end = part.is_empty();
        if is_end { encoder.finish(&mut ids) } else { encoder.push(part, &mut ids) }?;
        unknown += ids.iter().filter(|&&id| Some(id) == tokenizer.unknown_id()).count();
        out.write(&ids).map_err(|e| Failure::output(&e))?;
        ids.clear();
        if is_end {
            break;
        }
    }
    out.finish().map_err(|e| Failure::output(&e))?;
    if unknown > 0 {
        let share = 100.0 * unknown as f64 / out.written as f64;
        eprintln!("{unknown} of {} words are not in the vocabulary ({share:.2} %)", out.written);
    }
    Ok(ExitCode::SUCCESS)
}

/// Numbers with a space between them and a new line at the end.
struct Ids<W> {
    out: W,
    written: u64,
}

impl<W: Write> Ids<W> {
    fn write(&mut self, ids: &[u32]) -> io::Result<()> {
        for id in ids {
            let space = if self.written > 0 { " " } else { "" };
            write!(self.out, "{space}{id}")?;
            self.written += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.written > 0 {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }
}

/// UTF-8 text that comes in parts, which are cut between characters.
struct Utf8Parts<R> {
    from: R,
    /// What was read: first the text given out last, then the bytes of a character that is not complete.
    bytes: Vec<u8>,
    given: usize,
    /// Place of `bytes[0]` in the whole.
    offset: usize,
    line: usize,
}

impl<R: Read> Utf8Parts<R> {
    fn new(from: R) -> Self {
        Utf8Parts { from, bytes: Vec::new(), given: 0, offset: 0, line: 1 }
    }

    /// The next part; empty at the end.
    fn next(&mut self) -> Result<&str, Failure> {
        self.line += self.bytes[..self.given].iter().filter(|&&byte| byte == b'\n').count();
        self.offset += self.given;
        self.bytes.drain(..self.given);
        let mut at_end = false;
        loop {
            let valid = match std::str::from_utf8(&self.bytes) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() && !at_end => error.valid_up_to(),
                Err(error) => return Err(self.invalid(error.valid_up_to()).into()),
            };
            if valid > 0 || at_end {
                self.given = valid;
                return Ok(std::str::from_utf8(&self.bytes[..valid]).expect("it was just checked"));
            }
            at_end = self.read()? == 0;
        }
    }

    fn read(&mut self) -> Result<usize, Failure> {
        let old = self.bytes.len();
        self.bytes.resize(old + PART, 0);
        let read = loop {
            match self.from.read(&mut self.bytes[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let n = read.map_err(|e| Failure::other(format!("cannot read standard input: {e}")))?;
        self.bytes.truncate(old + n);
        Ok(n)
    }

    fn invalid(&self, at: usize) -> DataError {
        let line = self.line + self.bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
        let hex: Vec<String> = self.bytes[at..].iter().take(4).map(|byte| format!("{byte:02X}")).collect();
        DataError::Malformed {
            what: "standard input".into(),
            place: format!("byte {}, line {line}", self.offset + at),
            found: format!("the bytes {}", hex.join(" ")),
            expected: "UTF-8".into(),
            remedy: "convert it first, for instance a Chinese text with iconv -f GB18030 -t UTF-8".into(),
        }
    }
}
