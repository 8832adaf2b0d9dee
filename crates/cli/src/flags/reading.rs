//! The flags of commands that read documents, and the bar that they show meanwhile.

use crate::screen::failure::Failure;
use data::read::{Document, Documents, Options};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How to read files of documents.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// text (documents separated by blank lines), lines, csv, tsv, jsonl or html [default: by the extension]
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// The encoding, if it cannot be found: UTF-8, UTF-16LE, GB18030, Big5, Shift_JIS, windows-1252, ...
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// The column or field with the text [default: text]
    #[arg(long, alias = "text_column", value_name = "NAME")]
    text_column: Option<String>,
    /// What separates the fields of a row [default: a comma; in .tsv a tab]
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<String>,
    /// The longest line, row or document allowed, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    longest: usize,
}

impl ReadArgs {
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let delimiter = match self.delimiter.as_deref() {
            None => None,
            Some("\\t") => Some(b'\t'),
            Some(text) => match text.as_bytes() {
                [byte] if byte.is_ascii() && !b"\"\r\n\0".contains(byte) => Some(*byte),
                _ => {
                    return Err(Failure::input(format!(
                        "--delimiter {text:?}: expected one ASCII character, such as , or ; or \\t"
                    )));
                }
            },
        };
        Ok(Options {
            format: self.format.clone(),
            encoding: self.encoding.clone(),
            text_column: self.text_column.clone(),
            delimiter,
            longest: self.longest,
        })
    }
}

/// Files without a document are a mistake: another format, or a text that got lost.
pub(crate) fn nothing_in(paths: &[PathBuf]) -> Failure {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let names = names.join(", ");
    Failure::input(format!(
        "{names}: expected at least one document with text in it, found none: check the file, or name its --format"
    ))
}

/// The documents of several files, one after the other, with a bar on stderr while they are read.
pub(crate) struct Reading {
    options: Options,
    /// Files that are not opened yet: of thousands, only one is open at a time.
    files: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Documents)>,
    /// Bytes of the files that are done.
    done: u64,
    /// Bytes that the bar shows.
    shown: u64,
    bar: ProgressBar,
    stop: Arc<AtomicUsize>,
}

/// Bytes after which the bar moves.
const STEP: u64 = 1 << 20;

impl Reading {
    /// Sees that the files are there, and opens the first.
    pub(crate) fn open(paths: &[PathBuf], options: &Options) -> Result<Self, Failure> {
        let stop = crate::work::signals::watch();
        let stop = stop.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
        let mut bytes = 0;
        for path in paths {
            bytes += data::read::file_length(path)?;
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(8));
        let style = "{bar:24} {bytes}/{total_bytes} | {elapsed} elapsed, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        let (options, files) = (options.clone(), Vec::from(paths).into_iter());
        let mut reading = Self { options, files, current: None, done: 0, shown: 0, bar, stop };
        reading.open_next()?;
        Ok(reading)
    }

    /// The file that is being read, for messages.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.current.as_ref().map(|(path, _)| path.as_path())
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.done + self.current.as_ref().map_or(0, |(_, documents)| documents.bytes_read())
    }

    /// Opens the next file, finds its encoding and says on stderr which it is.
    fn open_next(&mut self) -> Result<(), Failure> {
        self.done = self.bytes_read();
        self.current = None;
        if let Some(path) = self.files.next() {
            let documents = Documents::open(&path, &self.options)?;
            let (format, encoding) = (documents.format().name, documents.encoding());
            self.bar.suspend(|| eprintln!("{}: {format}, {encoding}", path.display()));
            self.current = Some((path, documents));
        }
        Ok(())
    }

    /// The next document; an error if a signal asks for the end.
    fn next_document(&mut self) -> Result<Option<Document>, Failure> {
        let signal = self.stop.load(Ordering::Relaxed);
        if signal > 0 {
            return Err(Failure::stopped(signal as u8));
        }
        if self.bytes_read() >= self.shown + STEP {
            self.shown = self.bytes_read();
            self.bar.set_position(self.shown);
        }
        while let Some((_, documents)) = &mut self.current {
            if let Some(document) = documents.next() {
                return Ok(Some(document?));
            }
            self.open_next()?;
        }
        Ok(None)
    }
}

impl Iterator for Reading {
    type Item = Result<Document, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_document().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.bar.finish_and_clear();
        }
        next
    }
}
