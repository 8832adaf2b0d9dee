//! `newleaf synth`: texts whose best possible loss is known.

use super::print;
use crate::screen::failure::Failure;
use data::NewFile;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use synth::{Document, Entry, Format, Generator, Params, Report, RunError, Spec, find};

mod describe;

/// What the command was called before.
pub(crate) const OLD_NAME: &str = "generate";

pub(crate) const ABOUT: &str = "Generate a text whose best possible loss is known

  newleaf synth --list
  newleaf synth markov-k --tokens 1000000 --seed 1 --out markov.txt
  newleaf synth sentiment --set eta=0.1 --set language=zh --tokens 200000 --format records --out reviews.jsonl
  newleaf synth slots --format records --out dialogues.jsonl --json
  newleaf synth storygen | head -20";

/// Text for language models, or records for fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// Everything as it stands, for a language model
    Text,
    /// A line for each document: JSON, for fine-tuning
    Records,
}

/// What `newleaf synth` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The generator; --list shows them all
    #[arg(value_name = "NAME", required_unless_present = "list")]
    name: Option<String>,
    /// Symbols to write; a document begun is finished
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    tokens: u64,
    /// Where the randomness starts; the same seed writes the same bytes on every machine
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// A parameter of the generator; may be repeated
    #[arg(long, value_name = "PARAMETER=VALUE")]
    set: Vec<String>,
    /// The file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How documents are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: As,
    /// Also a file with the cost of every symbol: document, symbol, nats, whether it counts, part (TSV)
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
    /// Only describe the text, in this file: sha256, floor in parts, beginning
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "costs", "format"])]
    spec: Option<PathBuf>,
    /// Show the generators and their parameters
    #[arg(long)]
    list: bool,
    /// One JSON object: {"floor_nats": .., "mean_nats": .., "standard_error": .., ..}; without --out no text
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.list {
        return print(&if args.json { describe::list_json() } else { describe::list() });
    }
    let entry = find(args.name.as_deref().unwrap_or_default())?;
    let params = params(entry, &args.set)?;
    match &args.spec {
        Some(path) => write_spec(args, entry, &params, path)?,
        None => write_text(args, entry, &params)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn params(entry: &Entry, set: &[String]) -> Result<Params, Failure> {
    let pair = |text: &String| -> Result<(String, String), Failure> {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::input(format!("--set {text}: expected PARAMETER=VALUE, such as --set eta=0.1"))
        })?;
        Ok((name.into(), value.into()))
    };
    let pairs = set.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    Ok(entry.params(&pairs)?)
}

fn write_text(args: &Args, entry: &Entry, params: &Params) -> Result<(), Failure> {
    let generator = (entry.build)(params)?; // before any file is touched
    if let (Some(out), Some(costs)) = (&args.out, &args.costs) {
        Failure::if_one_file(out, costs)?;
    }
    let mut out = match &args.out {
        Some(path) => Out::File(NewFile::create(path)?),
        None if args.json => Out::Nothing,
        None => Out::Standard,
    };
    let mut costs = args.costs.as_deref().map(|path| Costs::create(path, &*generator)).transpose()?;
    let report = generate(args, entry, params, &mut out, &mut costs)?;
    if let Out::File(file) = out {
        file.finish()?;
    }
    if let Some(costs) = costs {
        costs.file.finish()?;
    }
    if args.json {
        print(&describe::to_json(entry, params, args.seed, &report).to_string())?;
        return Ok(());
    }
    eprintln!("{}", describe::summary(&report));
    Ok(())
}

fn generate(
    args: &Args,
    entry: &Entry,
    params: &Params,
    out: &mut Out,
    costs: &mut Option<Costs<'_>>,
) -> Result<Report, Failure> {
    let format = match args.format {
        As::Text => Format::Text,
        As::Records => Format::Records,
    };
    let waiting = Waiting::begin(args.tokens, matches!(out, Out::File(_)) || costs.is_some())?;
    let mut unwritten = None; // what went wrong with the costs, not with the text
    let result = synth::run(entry, params, args.seed, args.tokens, format, out, |document, done| {
        waiting.go_on(done)?;
        let Some(costs) = costs else { return Ok(()) };
        costs.add(document).map_err(|e| {
            unwritten = Some(costs.file.unwritable(e).into());
            io::Error::other("the costs cannot be written") // what is kept says why
        })
    });
    result.map_err(|error| match (waiting.stopped(), error) {
        (Some(stopped), _) => stopped,
        (None, RunError::Data(error)) => error.into(),
        (None, RunError::Output(error)) => unwritten.unwrap_or_else(|| out.failure(error)),
    })
}

fn write_spec(args: &Args, entry: &Entry, params: &Params, path: &Path) -> Result<(), Failure> {
    (entry.build)(params)?; // before the file is touched
    let mut file = NewFile::create(path)?;
    let waiting = Waiting::begin(args.tokens, true)?;
    let spec = Spec::new(entry, params, args.seed, args.tokens, |done| waiting.go_on(done));
    let spec = spec.map_err(|error| match (waiting.stopped(), error) {
        (Some(stopped), _) => stopped,
        (None, RunError::Data(error)) => error.into(),
        (None, RunError::Output(error)) => Failure::output(&error),
    })?;
    let text = serde_json::to_string_pretty(&spec).expect("a specification is JSON");
    writeln!(file, "{text}").map_err(|e| file.unwritable(e))?;
    file.finish()?;
    if args.json {
        print(&serde_json::to_string(&spec).expect("a specification is JSON"))?;
    }
    Ok(())
}

/// A bar for those who wait, hidden where nobody looks; and an ear for the signal to end.
struct Waiting {
    bar: ProgressBar,
    tokens: u64,
    /// None where a signal may end the program at once: no file has been begun.
    signal: Option<Arc<AtomicUsize>>,
}

impl Waiting {
    fn begin(tokens: u64, has_files: bool) -> Result<Waiting, Failure> {
        let signal = has_files.then(crate::work::signals::watch).transpose();
        let signal = signal.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
        let terminal = io::stderr().is_terminal();
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(tokens), target);
        let style = "{bar:24} {human_pos}/{human_len} symbols | {elapsed} elapsed, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        Ok(Waiting { bar, tokens, signal })
    }

    /// Moves the bar; an error once a signal has come.
    fn go_on(&self, done: u64) -> io::Result<()> {
        self.bar.set_position(done.min(self.tokens));
        match self.signal() {
            0 => Ok(()),
            _ => Err(io::Error::other("stopped by a signal")),
        }
    }

    /// The failure if a signal has come.
    fn stopped(&self) -> Option<Failure> {
        let signal = self.signal();
        (signal > 0).then(|| Failure::stopped(signal as u8))
    }

    fn signal(&self) -> usize {
        self.signal.as_ref().map_or(0, |signal| signal.load(Ordering::Relaxed))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Where the text goes.
enum Out {
    File(NewFile),
    Standard,
    Nothing,
}

impl Out {
    fn failure(&self, error: io::Error) -> Failure {
        match self {
            Out::File(file) => file.unwritable(error).into(),
            Out::Standard | Out::Nothing => Failure::output(&error),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::File(file) => file.write(bytes),
            Out::Standard => io::stdout().write(bytes),
            Out::Nothing => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::File(file) => file.flush(),
            Out::Standard => io::stdout().flush(),
            Out::Nothing => Ok(()),
        }
    }
}

/// The file with the cost of every symbol.
struct Costs<'a> {
    file: NewFile,
    generator: &'a dyn Generator,
    documents: u64,
}

impl<'a> Costs<'a> {
    fn create(path: &Path, generator: &'a dyn Generator) -> Result<Costs<'a>, Failure> {
        let mut file = NewFile::create(path)?;
        file.write_all(b"document\tsymbol\tnats\tcounted\tpart\n").map_err(|e| file.unwritable(e))?;
        Ok(Costs { file, generator, documents: 0 })
    }

    /// A line a symbol.
    fn add(&mut self, document: &Document) -> io::Result<()> {
        let (alphabet, parts) = (self.generator.alphabet(), &self.generator.floor().parts);
        let mut lines = String::new();
        for ((&symbol, nats), &part) in document.symbols.iter().zip(&document.nats).zip(&document.parts) {
            let (c, part) = (alphabet[symbol as usize].escape_debug(), &parts[usize::from(part)]);
            let counted = u8::from(part.counted);
            let _ = writeln!(lines, "{}\t{c}\t{nats}\t{counted}\t{}", self.documents, part.name);
        }
        self.documents += 1;
        self.file.write_all(lines.as_bytes())
    }
}
