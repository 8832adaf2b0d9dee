//! `newleaf generate`: texts whose best possible loss is known.

use crate::failure::Failure;
use data::generate::{
    Document, Entry, Format, GENERATORS, Layout, Method, Params, Report, RunError, Spec, find,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Write a text whose best possible loss is known

  newleaf generate --list
  newleaf generate markov-k --tokens 1000000 --seed 1 --out markov.txt
  newleaf generate sentiment --set eta=0.1 --set language=zh --tokens 200000 --out reviews.tsv
  newleaf generate slots --format records --out dialogues.jsonl --json
  newleaf generate storygen | head -20";

/// Text for language models, or records for fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// Everything as it stands, for a language model
    Text,
    /// A line for each document: TSV (labels, translations) or JSON (prompts, dialogues, episodes)
    Records,
}

/// What `newleaf generate` takes.
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
        print(&if args.json { list_json() } else { list() })?;
        return Ok(ExitCode::SUCCESS);
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
    let mut params = entry.defaults();
    for text in set {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::input(format!(
                "--set {text}: expected PARAMETER=VALUE, such as --set eta=0.1"
            )));
        };
        params.set(name, value)?;
    }
    Ok(params)
}

// ---- the text

fn write_text(args: &Args, entry: &Entry, params: &Params) -> Result<(), Failure> {
    let out = match &args.out {
        Some(path) => Out::Text(Sibling::create(path)?),
        None if args.json => Out::Nothing,
        None => Out::Standard,
    };
    let costs = args.costs.as_deref().map(Sibling::create).transpose()?;
    let (report, out, costs) = generate(args, entry, params, out, costs)?;
    if let Out::Text(file) = out {
        file.finish()?;
    }
    if let Some(file) = costs {
        file.finish()?;
    }
    if args.json {
        print(&format!("{}\n", to_json(args, entry, params, &report)))?;
    } else {
        eprintln!("{}", summary(&report));
    }
    Ok(())
}

fn generate(
    args: &Args,
    entry: &Entry,
    params: &Params,
    mut out: Out,
    mut costs: Option<Sibling>,
) -> Result<(Report, Out, Option<Sibling>), Failure> {
    let format = match args.format {
        As::Text => Format::Text,
        As::Records => Format::Records,
    };
    let generator = (entry.build)(params)?;
    let (alphabet, parts) = (generator.alphabet(), &generator.floor().parts);
    if let Some(file) = &mut costs {
        file.write_all(b"document\tsymbol\tnats\tcounted\tpart\n").map_err(|e| file.failure(&e))?;
    }
    let bar = progress(args.tokens);
    let (mut number, mut text) = (0, String::new());
    let mut observe = |document: &Document, tokens: u64| -> io::Result<()> {
        bar.set_position(tokens.min(args.tokens));
        let Some(file) = &mut costs else { return Ok(()) };
        text.clear();
        for ((&symbol, nats), &part) in document.symbols.iter().zip(&document.nats).zip(&document.parts) {
            let (c, part) = (alphabet[symbol as usize].escape_debug(), &parts[usize::from(part)]);
            let _ = writeln!(text, "{number}\t{c}\t{nats}\t{}\t{}", u8::from(part.counted), part.name);
        }
        number += 1;
        file.write_all(text.as_bytes())
    };
    let result = data::generate::run(entry, params, args.seed, args.tokens, format, &mut out, &mut observe);
    bar.finish_and_clear();
    match result {
        Ok(report) => Ok((report, out, costs)),
        Err(RunError::Data(error)) => Err(error.into()),
        Err(RunError::Output(error)) => Err(out.failure(&error)),
    }
}

/// A bar for those who wait; hidden where nobody looks.
fn progress(tokens: u64) -> ProgressBar {
    let terminal = io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(tokens), target);
    let style = "{bar:24} {human_pos}/{human_len} symbols | {elapsed} elapsed, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    bar
}

/// Where the text goes.
enum Out {
    Text(Sibling),
    Standard,
    Nothing,
}

impl Out {
    fn failure(&self, error: &io::Error) -> Failure {
        match self {
            Out::Text(file) => file.failure(error),
            Out::Standard | Out::Nothing => Failure::output(error),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Text(file) => file.write(bytes),
            Out::Standard => io::stdout().write(bytes),
            Out::Nothing => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Text(file) => file.flush(),
            Out::Standard => io::stdout().flush(),
            Out::Nothing => Ok(()),
        }
    }
}

/// A file that appears under its name when it is complete; until then it stands beside it.
struct Sibling {
    file: BufWriter<File>,
    path: PathBuf,
    temporary: PathBuf,
}

impl Sibling {
    fn create(path: &Path) -> Result<Sibling, Failure> {
        let name = path.file_name().ok_or_else(|| {
            Failure::input(format!("{}: expected the name of a file to write", path.display()))
        })?;
        if path.is_dir() {
            return Err(Failure::input(format!("{}: is a directory: name a file in it", path.display())));
        }
        let temporary =
            path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = File::create(&temporary).map_err(|e| {
            Failure::input(format!(
                "{}: cannot be written: {e}: check the directory and its permissions",
                path.display()
            ))
        })?;
        Ok(Sibling { file: BufWriter::new(file), path: path.into(), temporary })
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::other(format!("{}: cannot be written: {error}", self.path.display()))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        done.and_then(|()| fs::rename(&self.temporary, &self.path)).map_err(|e| self.failure(&e))
    }
}

impl Write for Sibling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Sibling {
    /// After `finish` there is nothing to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

// ---- what is said about it

fn to_json(args: &Args, entry: &Entry, params: &Params, report: &Report) -> Value {
    let part = |part: &data::generate::PartReport| {
        json!({
            "name": part.name,
            "counted": part.counted,
            "floor_nats": part.floor_nats,
            "mean_nats": part.mean_nats,
            "standard_error": part.standard_error,
            "tokens": part.tokens,
        })
    };
    json!({
        "generator": entry.name,
        "parameters": params.to_json(),
        "seed": args.seed,
        "floor_nats": report.floor_nats,
        "mean_nats": report.mean_nats,
        "standard_error": report.standard_error,
        "agrees": report.agrees,
        "method": method(report),
        "floor_sd": report.floor.sd(),
        "tokens": report.tokens,
        "documents": if entry.layout == Layout::Stream { Value::Null } else { report.documents.into() },
        "bytes": report.bytes,
        "sha256": report.sha256,
        "parts": report.parts.iter().map(part).collect::<Vec<_>>(),
        "facts": report.facts.iter().map(|&(name, x)| (name.to_string(), x.into())).collect::<serde_json::Map<_, _>>(),
    })
}

fn method(report: &Report) -> &'static str {
    match report.floor.method {
        Method::Closed => "closed",
        Method::MonteCarlo { .. } => "monte carlo",
    }
}

fn summary(report: &Report) -> String {
    let error = report.standard_error.map_or("unknown".into(), |se| format!("{se:.6}"));
    let mut text = format!(
        "floor {:.6} nats a symbol ({}), mean here {:.6}, standard error {error}; {} symbols, {} bytes, sha256 {}",
        report.floor_nats,
        method(report),
        report.mean_nats,
        report.tokens,
        report.bytes,
        report.sha256
    );
    for part in report.parts.iter().filter(|part| part.tokens > 0 && report.parts.len() > 1) {
        let counted = if part.counted { "" } else { " (not counted)" };
        let (name, floor, mean) = (part.name, part.floor_nats, part.mean_nats);
        let _ =
            write!(text, "\n  {name:<16} floor {floor:.6}, mean {mean:.6}, {} symbols{counted}", part.tokens);
    }
    text
}

fn write_spec(args: &Args, entry: &Entry, params: &Params, path: &Path) -> Result<(), Failure> {
    let mut file = Sibling::create(path)?;
    let bar = progress(args.tokens);
    let spec =
        Spec::new(entry, params, args.seed, args.tokens, |done| bar.set_position(done.min(args.tokens)));
    bar.finish_and_clear();
    let spec = spec.map_err(|error| match error {
        RunError::Data(error) => Failure::from(error),
        RunError::Output(error) => Failure::output(&error),
    })?;
    let text = serde_json::to_string_pretty(&spec).map_err(|e| Failure::other(e.to_string()))?;
    writeln!(file, "{text}").map_err(|e| file.failure(&e))?;
    file.finish()?;
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&spec).map_err(|e| Failure::other(e.to_string()))?))?;
    }
    Ok(())
}

fn list() -> String {
    let mut text = String::new();
    for entry in GENERATORS {
        let aliases = entry.aliases.iter().map(|alias| format!(", {alias}")).collect::<String>();
        let _ = writeln!(text, "{}{aliases} ({})\n    {}", entry.name, entry.layout.name(), entry.about);
        for param in entry.params {
            let (name, about, default) = (param.name, param.about, param.show(param.default));
            let _ = writeln!(text, "    --set {name}={default}  {about}: {}", param.expected());
        }
    }
    text
}

fn list_json() -> String {
    let entry = |entry: &Entry| {
        json!({
            "name": entry.name,
            "aliases": entry.aliases,
            "layout": entry.layout.name(),
            "about": entry.about,
            "parameters": entry.defaults().to_json(),
        })
    };
    format!("{}\n", Value::from(GENERATORS.iter().map(entry).collect::<Vec<_>>()))
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(|e| Failure::output(&e))
}
