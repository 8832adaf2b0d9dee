//! The flags of commands that read documents, and the bar that they show meanwhile.

use crate::screen::failure::Failure;
use data::dataset::{TokenFile, TokenSource};
use data::read::{Document, Documents, Layout, Notes, Options, Quotes, TextReader, format_of};
use data::{DataError, Tokenizer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How to read files of documents.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// text (documents between blank lines), lines, csv, tsv, jsonl or html [default: by the extension]
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// The encoding, if it cannot be found: UTF-8, UTF-16LE, GB18030, Big5, Shift_JIS, windows-1252, ...
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// What separates the fields of a row [default: a comma; in .tsv a tab]
    #[arg(long, hide_short_help = true, value_name = "CHAR")]
    delimiter: Option<String>,
    /// Quotation marks around fields of a row: double (as RFC 4180 says), none (ordinary characters), or auto: double, but
    /// with tabs a mark that opens nothing is an ordinary character
    #[arg(long, hide_short_help = true, value_name = "HOW", default_value = "auto")]
    quotes: QuotesName,
    /// The line between two documents of a text [default: <|endoftext|> where there is one, else blank lines]
    #[arg(long, hide_short_help = true, value_name = "TEXT")]
    mark: Option<String>,
    /// Leave out rows that are not as the format wants them, and count them
    #[arg(long, hide_short_help = true)]
    skip_bad: bool,
    /// The longest line, row or document allowed, in bytes
    #[arg(long, hide_short_help = true, value_name = "BYTES", default_value_t = 16 << 20)]
    longest: usize,
}

/// How to read files of documents, and which field of theirs is the text.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// The column or field with the text [default: text]
    #[arg(long, alias = "text_column", alias = "field", value_name = "NAME")]
    pub(crate) text_column: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum QuotesName {
    Auto,
    None,
    Double,
}

impl FileArgs {
    /// The options to read with; the text is in `text_column`, if there is one.
    pub(crate) fn options(&self, text_column: Option<&str>) -> Result<Options, Failure> {
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
            text_column: text_column.map(String::from),
            delimiter,
            quotes: match self.quotes {
                QuotesName::Auto => Quotes::Auto,
                QuotesName::None => Quotes::None,
                QuotesName::Double => Quotes::Double,
            },
            mark: self.mark.clone(),
            skip_bad: self.skip_bad,
            longest: self.longest,
            ..Options::default()
        })
    }
}

impl ReadArgs {
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        self.file.options(self.text_column.as_deref())
    }
}

/// Tokens of a token file that are decoded at a time.
const DECODED: usize = 1 << 20;

impl ReadArgs {
    /// A whole text: of a plain text all of it, of rows their texts with blank lines between them, of a token file what it
    /// was packed from.
    pub(crate) fn text(&self, path: &Path) -> Result<String, Failure> {
        let options = self.options()?;
        if !is_stdin(path) && TokenFile::is_one(path) {
            return decoded(path);
        }
        let asked = options.format.is_some() || options.mark.is_some() || options.text_column.is_some();
        if asked || format_of(path).name != "text" {
            let mut text = String::new();
            for document in Reading::open(&[path.to_path_buf()], &options)? {
                text += document?.text.trim_end();
                text += "\n\n";
            }
            text.truncate(text.trim_end_matches('\n').len());
            return if text.is_empty() { Err(nothing_in(&[path.to_path_buf()])) } else { Ok(text + "\n") };
        }
        let encoding = options.encoding.as_deref();
        let mut reader = match is_stdin(path) {
            true => TextReader::from_reader("standard input", std::io::stdin(), encoding)?,
            false => TextReader::open(path, encoding)?,
        };
        if reader.encoding().name() != "UTF-8" {
            eprintln!("{}: {}", path.display(), reader.encoding());
        }
        let mut text = String::with_capacity(reader.progress().1 as usize);
        while let Some(piece) = reader.next_piece()? {
            text += &piece;
        }
        Ok(text)
    }
}

/// The text of a token file, by the tokenizer that it was packed with.
fn decoded(path: &Path) -> Result<String, Failure> {
    let about = |error: DataError| Failure::from(error).about(path.display());
    let file = TokenFile::open(path)?;
    file.check(&mut |_, _| ())?;
    let tokenizer = Tokenizer::from_json(file.tokenizer()).map_err(about)?;
    let mut ids = vec![0; file.len()];
    for (i, part) in ids.chunks_mut(DECODED).enumerate() {
        file.read(i * DECODED, part).map_err(about)?;
    }
    tokenizer.decode(&ids).map_err(about)
}

/// Returns true if this stands for the standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Checks that a file is there before anything is computed, and returns its length; that of the standard input is not
/// known.
fn length(path: &Path) -> Result<Option<u64>, Failure> {
    if is_stdin(path) { Ok(None) } else { Ok(Some(data::read::file_length(path)?)) }
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
    /// Rows that were left out of the files that are done, and files.
    skipped: u64,
    /// Bytes that the bar shows.
    shown: u64,
    bar: ProgressBar,
    stop: Arc<AtomicUsize>,
    /// There is more than one file.
    several: bool,
}

/// Bytes after which the bar moves.
const STEP: u64 = 1 << 20;

impl Reading {
    /// Sees that the files are there, and opens the first.
    pub(crate) fn open(paths: &[PathBuf], options: &Options) -> Result<Self, Failure> {
        let stop = crate::work::signals::watch();
        let stop = stop.map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
        let lengths: Vec<Option<u64>> = paths.iter().map(|path| length(path)).collect::<Result<_, _>>()?;
        let bytes: Option<u64> = lengths.into_iter().sum();
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(8));
        let style = match bytes {
            Some(_) => "{bar:24} {bytes}/{total_bytes} | {elapsed} elapsed, {eta} left",
            None => "{spinner} {bytes} | {elapsed} elapsed",
        };
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        let several = paths.len() > 1;
        let (options, files) = (options.clone(), Vec::from(paths).into_iter());
        let mut reading =
            Self { options, files, current: None, done: 0, skipped: 0, shown: 0, bar, stop, several };
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

    /// What the file that is being read has beside its documents.
    pub(crate) fn layout(&self) -> Layout {
        let layout = self.current.as_ref().map(|(_, documents)| documents.layout());
        layout.unwrap_or(Layout { format: "text", header: String::new(), between: None, delimiter: None })
    }

    /// Rows and files that `--skip-bad` left out so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped + self.current.as_ref().map_or(0, |(_, documents)| documents.notes().skipped)
    }

    /// Opens the next file, finds its encoding and says on stderr which it is, after what is to be said of the file
    /// before. With `--skip-bad` a file that cannot be read is left out, if it is one of several.
    fn open_next(&mut self) -> Result<(), Failure> {
        self.done = self.bytes_read();
        if let Some((path, documents)) = self.current.take() {
            let notes = documents.notes();
            self.skipped += notes.skipped;
            self.bar.suspend(|| tell(&path, &notes));
        }
        for path in self.files.by_ref() {
            let documents = match is_stdin(&path) {
                true => Documents::from_reader("standard input", std::io::stdin(), &self.options),
                false => Documents::open(&path, &self.options),
            };
            let documents = match documents {
                Err(error) if self.options.skip_bad && self.several => {
                    self.skipped += 1;
                    self.bar.suspend(|| eprintln!("note: left out (--skip-bad): {error}"));
                    continue;
                }
                documents => documents?,
            };
            let (layout, encoding) = (documents.layout(), documents.encoding());
            let between = match layout.between.as_deref() {
                None | Some("") => String::new(),
                Some(mark) => format!(" (documents between lines {mark})"),
            };
            self.bar.suspend(|| eprintln!("{}: {}{between}, {encoding}", path.display(), layout.format));
            self.current = Some((path, documents));
            break;
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
            match documents.next() {
                Some(Ok(document)) => return Ok(Some(document)),
                Some(Err(error)) if self.options.skip_bad && self.several => {
                    self.skipped += 1;
                    self.bar.suspend(|| eprintln!("note: left out from there on (--skip-bad): {error}"));
                }
                Some(Err(error)) => return Err(error.into()),
                None => {}
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

/// Says on stderr what was left out of a file or not taken as it stands.
fn tell(path: &Path, notes: &Notes) {
    notes.sentences().iter().for_each(|sentence| eprintln!("note: {}: {sentence}", path.display()));
}
