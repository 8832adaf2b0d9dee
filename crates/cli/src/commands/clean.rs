//! `newleaf clean`: from a messy file to clean documents.

use super::print;
use crate::flags::reading::{ReadArgs, Reading, nothing_in};
use crate::screen::failure::Failure;
use data::clean::{Cleaner, RULES, Report, When};
use data::read::{Document, DocumentWriter, Options, OutFormat, Quotes};
use data::{DataError, NewFile};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Clean a text: encodings, HTML, duplicates, personal data

  newleaf clean --in raw.txt --out clean.txt
  newleaf clean --in reviews.csv --text-column review --out clean.csv --dedup exact,minhash:0.7
  newleaf clean --in page1.html page2.html --out pages.jsonl --filter all --mask-pii
  newleaf clean --in old.txt --encoding GB18030 --out new.txt --json

Always: UTF-8, \\n line ends, no control and zero-width characters, no superfluous white space, no empty
documents. The output is text, .csv, .tsv or .jsonl, by its extension; fields beside the text are kept in
the last three. Memory does not grow with the file: of --dedup, what --dedup-memory allows is remembered, by
default the last 3.6 million different documents for exact and the last 80,000 for minhash.";

/// What `newleaf clean` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files to clean
    #[arg(long = "in", value_name = "FILE", required = true, num_args = 1..)]
    inputs: Vec<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// HTML in the texts to text (pages in .html files always are)
    #[arg(long)]
    html: bool,
    /// Normal form NFKC: ＡＢＣ to ABC, but also ，！？ to ,!? so not for a model that writes Chinese
    #[arg(long)]
    nfkc: bool,
    /// E-mail addresses, telephone numbers and long numbers become their kind in brackets
    #[arg(long)]
    mask_pii: bool,
    /// Quality filters, with commas, or all: word-length, symbols, alphabetic, repeated-lines, replacement-characters
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    filter: Vec<String>,
    /// Drop documents of fewer words (a Han character is a word)
    #[arg(long, value_name = "N")]
    min_words: Option<u32>,
    /// Drop duplicates: exact, minhash:0.7 (similar by so much or more), or both with a comma
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    dedup: Vec<String>,
    /// Memory for each kind of --dedup; the documents seen longest ago are forgotten for those that are new
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    dedup_memory: u32,
    /// Rules to leave out, with commas: control-characters, whitespace, empty or any asked for above
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    without: Vec<String>,
    /// The report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let mut cleaner = cleaner(args)?;
    let options = args.read.options()?;
    args.inputs.iter().try_for_each(|input| Failure::if_same(&args.out, input))?;
    let mut reading = Reading::open(&args.inputs, &options)?;
    let out_format = out_format(args, &options)?;
    let mut writer = DocumentWriter::new(NewFile::create(&args.out)?, out_format);
    let unwritable = |source| DataError::Unwritable { path: args.out.clone(), source };
    let mut columns: Option<Vec<String>> = None;
    while let Some(document) = reading.next() {
        let mut document = document?;
        if matches!(out_format, OutFormat::Rows(_) | OutFormat::BareRows(_)) {
            check_columns(&mut columns, &document, reading.path())?;
        }
        let Some(text) = cleaner.clean(std::mem::take(&mut document.text)) else { continue };
        document.text = text;
        writer.write(&document).map_err(unwritable)?;
    }
    if cleaner.report().documents_in == 0 {
        return Err(nothing_in(&args.inputs));
    }
    if let (0, Some(columns)) = (cleaner.report().documents_out, &columns) {
        writer.header(columns).map_err(unwritable)?; // a table without rows is still a table
    }
    writer.into_inner().finish()?;
    report(args, &cleaner, &reading, started.elapsed().as_secs_f64())
}

/// The rules that are asked for.
fn cleaner(args: &Args) -> Result<Cleaner, Failure> {
    let mut wanted: Vec<(&str, String)> = Vec::new();
    let mut want = |name, setting: &str| wanted.push((name, setting.to_string()));
    for kind in RULES {
        let asked = match kind.when {
            When::Always => true,
            When::Mask => args.mask_pii,
            When::Filter => args.filter.iter().any(|name| name == "all" || name == kind.name),
            When::Asked => match kind.name {
                "html" => args.html,
                "nfkc" => args.nfkc,
                _ => false,
            },
        };
        if asked {
            want(kind.name, "");
        }
    }
    if let Some(words) = args.min_words {
        want("too-short", &words.to_string());
    }
    for kind in &args.dedup {
        match kind.split_once(':').unwrap_or((kind, "")) {
            ("exact", "") => want("exact-duplicates", &args.dedup_memory.to_string()),
            ("minhash", least) => want("near-duplicates", &format!("{least},{}", args.dedup_memory)),
            _ => return Err(Failure::input(format!("--dedup {kind}: expected exact or minhash:0.7"))),
        }
    }
    check_names(args, &wanted)?;
    wanted.retain(|(name, _)| args.without.iter().all(|without| without != name));
    let wanted: Vec<(&str, &str)> = wanted.iter().map(|(name, setting)| (*name, setting.as_str())).collect();
    Ok(Cleaner::only(&wanted)?)
}

/// A filter that is no filter and a rule to leave out that is not there are mistakes.
fn check_names(args: &Args, wanted: &[(&str, String)]) -> Result<(), Failure> {
    let filters: Vec<&str> = RULES.iter().filter(|k| k.when == When::Filter).map(|k| k.name).collect();
    if let Some(name) = args.filter.iter().find(|name| *name != "all" && !filters.contains(&name.as_str())) {
        return Err(Failure::input(format!(
            "--filter {name}: expected all, or some of {}",
            filters.join(", ")
        )));
    }
    if let Some(name) = args.without.iter().find(|name| wanted.iter().all(|(wanted, _)| wanted != name)) {
        let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
        return Err(Failure::input(format!("--without {name}: expected one of {}", names.join(", "))));
    }
    Ok(())
}

/// The format to write: rows only if all files have rows.
fn out_format(args: &Args, options: &Options) -> Result<OutFormat, Failure> {
    let format = |path: &PathBuf| match &options.format {
        Some(name) => name.clone(),
        None => data::read::format_of(path).name.into(),
    };
    let formats: Vec<String> = args.inputs.iter().map(format).collect();
    let plain = formats.iter().find(|name| !["csv", "tsv"].contains(&name.as_str()));
    let format = OutFormat::of(&args.out, plain.unwrap_or(&formats[0]))?;
    Ok(match (format, options.quotes) {
        (OutFormat::Rows(delimiter), Quotes::None) => OutFormat::BareRows(delimiter),
        (format, _) => format,
    })
}

/// All rows of a table have the same columns, also if they come from several files.
fn check_columns(
    columns: &mut Option<Vec<String>>,
    document: &Document,
    path: Option<&Path>,
) -> Result<(), Failure> {
    let same = |expected: &Vec<String>| expected.iter().eq(document.fields.keys());
    if columns.as_ref().is_some_and(|expected| !same(expected)) {
        return Err(Failure::input(format!(
            "{}, line {}: expected the columns {}, as in the first file, found {}: clean it by itself, or \
             write .jsonl",
            path.unwrap_or(Path::new("")).display(),
            document.line,
            columns.as_ref().expect("compared above").join(", "),
            document.fields.keys().cloned().collect::<Vec<_>>().join(", "),
        )));
    }
    columns.get_or_insert_with(|| document.fields.keys().cloned().collect());
    Ok(())
}

/// The report on stdout.
fn report(args: &Args, cleaner: &Cleaner, reading: &Reading, seconds: f64) -> Result<ExitCode, Failure> {
    let (report, bytes) = (cleaner.report(), reading.bytes_read());
    let rate = bytes as f64 / 1e6 / seconds.max(1e-9);
    let text = if args.json {
        let mut fields = serde_json::to_value(report).expect("a report is JSON");
        fields["out"] = json!(args.out.display().to_string());
        fields["file_bytes"] = json!(bytes);
        fields["skipped"] = json!(reading.skipped());
        fields["dedup_memory_bytes"] = json!(cleaner.memory());
        fields["dedup_forgotten"] = json!(cleaner.forgotten());
        fields["seconds"] = json!(seconds);
        format!("{fields}\n")
    } else {
        let wrote = format!(
            "{}: {:.1} MB read in {seconds:.1} s, {rate:.0} MB/s",
            args.out.display(),
            bytes as f64 / 1e6
        );
        table(report) + &format!("{wrote}\n")
    };
    if cleaner.forgotten() > 0 {
        eprintln!(
            "note: {} documents were forgotten, so duplicates far apart may be left: allow more with --dedup-memory MB",
            cleaner.forgotten()
        );
    }
    if report.documents_out == 0 {
        eprintln!("warning: every document was dropped, {} is empty", args.out.display());
    }
    print(&text)
}

/// Counts a rule, a line each; the drops and what is left add up to what came in.
fn table(report: &Report) -> String {
    let mut lines = vec![("documents in".to_string(), String::new(), report.documents_in.to_string())];
    for rule in &report.rules {
        let changed = if rule.changed > 0 { format!("{} changed", rule.changed) } else { String::new() };
        let dropped = if rule.dropped > 0 { format!("-{}", rule.dropped) } else { String::new() };
        lines.push((format!("  {}", rule.rule), changed, dropped));
    }
    lines.push(("documents out".to_string(), String::new(), report.documents_out.to_string()));
    lines.iter().map(|(what, changed, count)| format!("{what:26} {changed:>18} {count:>12}\n")).collect()
}
