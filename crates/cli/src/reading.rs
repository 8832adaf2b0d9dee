//! The flags of commands that read documents, and the bar that they show meanwhile.

use crate::failure::Failure;
use data::DataError;
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
    #[arg(long, value_name = "NAME")]
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

/// The documents of several files, one after the other, with a bar on stderr while they are read.
pub(crate) struct Reading {
    files: std::vec::IntoIter<(PathBuf, Documents)>,
    current: Option<(PathBuf, Documents)>,
    /// Bytes of the files that are done.
    done: u64,
    bar: ProgressBar,
    stop: Arc<AtomicUsize>,
    documents: u64,
}

impl Reading {
    /// Opens the files, finds their encodings and says on stderr which they are.
    pub(crate) fn open(paths: &[PathBuf], options: &Options) -> Result<Self, Failure> {
        let stop = crate::signals::watch();
        let stop = stop.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
        let mut files = Vec::new();
        let mut bytes = 0;
        for path in paths {
            let documents = Documents::open(path, options)?;
            bytes += std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            eprintln!("{}: {}, {}", path.display(), documents.format().name, documents.encoding());
            files.push((path.clone(), documents));
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(8));
        let style = "{bar:24} {bytes}/{total_bytes} {msg} | {elapsed} elapsed, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        Ok(Self { files: files.into_iter(), current: None, done: 0, bar, stop, documents: 0 })
    }

    /// The file that is being read, for messages.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.current.as_ref().map(|(path, _)| path.as_path())
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.done + self.current.as_ref().map_or(0, |(_, documents)| documents.bytes_read())
    }

    /// The number of the signal that asks for the end, if one came.
    pub(crate) fn stopped(&self) -> Option<u8> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number as u8),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Iterator for Reading {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.documents += 1;
        if self.documents % 256 == 0 {
            self.bar.set_position(self.bytes_read());
        }
        loop {
            if let Some((_, documents)) = &mut self.current {
                if let Some(next) = documents.next() {
                    return Some(next);
                }
                self.done += documents.bytes_read();
            }
            self.current = self.files.next();
            self.current.as_ref()?;
        }
    }
}
