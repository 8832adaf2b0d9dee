//! Reading vectors: strict, and within memory that the file's size bounds.

use super::{Format, WordVectors, wrong_word};
use crate::DataError;
use crate::read::io_error;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// The most numbers in a vector.
const MAX_DIM: usize = 65_536;
/// The longest line of a text format: a word and [`MAX_DIM`] numbers of up to 31 characters.
const MAX_LINE: usize = 2 << 20;
/// The longest word, in bytes.
const MAX_WORD: usize = 4096;

/// What to do about a file that ends too early.
const INCOMPLETE: &str = "the file is not complete: copy it again";

impl WordVectors {
    /// Reads a file; without a format, the one it looks like: a first line of two whole numbers is word2vec's, and
    /// binary if what follows is not a line of text.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what its format says: the message has the line, or the byte.
    pub fn read(path: impl AsRef<Path>, format: Option<Format>) -> Result<Self, DataError> {
        Self::read_watched(path, format, |_, _| ())
    }

    /// [`WordVectors::read`] of a file that takes a while: every thousand words `watch` gets the bytes read and the
    /// bytes in all.
    ///
    /// # Errors
    /// Those of [`WordVectors::read`].
    pub fn read_watched(
        path: impl AsRef<Path>,
        format: Option<Format>,
        mut watch: impl FnMut(u64, u64),
    ) -> Result<Self, DataError> {
        let path = path.as_ref();
        let size = regular_size(path)?;
        let file = File::open(path).map_err(|source| DataError::Unreadable { path: path.into(), source })?;
        let from = BufReader::with_capacity(1 << 16, file);
        Reader { path, from, size, offset: 0, line: 0, watch: &mut watch }.read(format)
    }
}

/// Size of a file, which must be one: opening a pipe would wait for ever.
fn regular_size(path: &Path) -> Result<u64, DataError> {
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "directory" } else { "pipe or device" };
        return Err(DataError::NotAFile {
            path: path.into(),
            found,
            remedy: "name the file with the vectors",
        });
    }
    if metadata.len() == 0 {
        return Err(DataError::EmptyFile { path: path.into() });
    }
    Ok(metadata.len())
}

/// The words read so far.
#[derive(Default)]
struct Rows {
    words: Vec<String>,
    values: Vec<f32>,
    by_word: HashMap<String, u32>,
}

struct Reader<'a> {
    path: &'a Path,
    from: BufReader<File>,
    size: u64,
    /// Bytes read.
    offset: u64,
    /// Lines read.
    line: u64,
    watch: &'a mut dyn FnMut(u64, u64),
}

impl Reader<'_> {
    fn read(&mut self, format: Option<Format>) -> Result<WordVectors, DataError> {
        let first = self.next_line()?.unwrap_or_default();
        let format = match format {
            Some(format) => format,
            None if !looks_like_header(&first) => Format::Glove,
            None if self.text_follows(&first)? => Format::Text,
            None => Format::Binary,
        };
        let mut rows = Rows::default();
        let dim = match format {
            Format::Glove => self.rows_to_the_end(&first, &mut rows)?,
            Format::Text | Format::Binary => self.counted_rows(&first, format, &mut rows)?,
        };
        Ok(WordVectors { words: rows.words, dim, values: rows.values, by_word: rows.by_word })
    }

    /// The rows of a file without a header, whose first line says how many dimensions there are.
    fn rows_to_the_end(&mut self, first: &str, rows: &mut Rows) -> Result<usize, DataError> {
        let dim = without_last_space(first).split(' ').count() - 1;
        let expected = "a word and its numbers, with one space between";
        self.check(dim > 0, first, expected, "is this a file of vectors?")?;
        self.check_dim(dim, first)?;
        self.add_line(first, dim, true, rows)?;
        while let Some(line) = self.next_line()? {
            self.add_line(&line, dim, true, rows)?;
        }
        Ok(dim)
    }

    /// The rows that the header promises, and not a byte more.
    fn counted_rows(&mut self, header: &str, format: Format, rows: &mut Rows) -> Result<usize, DataError> {
        let (count, dim) = self.header(header, format)?;
        for _ in 0..count {
            match format {
                Format::Binary => self.binary_row(dim, count, rows)?,
                _ => self.text_row(dim, count, rows)?,
            }
        }
        if self.peek()?.is_empty() {
            return Ok(dim);
        }
        let place = format!("byte {}", self.offset);
        let remedy = "correct the number of words in the first line, or remove what is behind them";
        Err(self.malformed(place, "more bytes", &format!("the end of the file after {count} words"), remedy))
    }

    /// `N d`
    fn header(&self, line: &str, format: Format) -> Result<(usize, usize), DataError> {
        let fields: Vec<Option<usize>> = line.split(' ').map(|x| x.parse().ok()).collect();
        let expected = "the number of words and of dimensions, as in \"71290 100\"";
        let [Some(count), Some(dim)] = fields[..] else {
            return Err(self.wrong(line, expected, "GloVe's files have no such line: read it as glove"));
        };
        let wrong_file = "is this a file of vectors?";
        self.check(count > 0, line, "at least one word", "train the vectors again")?;
        self.check(u32::try_from(count).is_ok(), line, "at most 4294967295 words", wrong_file)?;
        self.check_dim(dim, line)?;
        // A word, and a space and a digit (or four bytes) a number: a promise that the file cannot keep.
        let least = if format == Format::Text { 2 * dim as u64 + 2 } else { 4 * dim as u64 + 2 };
        let fits = least.checked_mul(count as u64).is_some_and(|least| least - 1 <= self.size);
        let expected = format!("no more than the {} bytes of the file can hold", self.size);
        self.check(fits, line, &expected, INCOMPLETE)?;
        Ok((count, dim))
    }

    fn check_dim(&self, dim: usize, line: &str) -> Result<(), DataError> {
        self.check((1..=MAX_DIM).contains(&dim), line, "1 to 65536 dimensions", "is this a file of vectors?")
    }

    fn text_row(&mut self, dim: usize, count: usize, rows: &mut Rows) -> Result<(), DataError> {
        if let Some(line) = self.next_line()? {
            return self.add_line(&line, dim, false, rows);
        }
        self.line += 1; // the one that is missing
        let expected = format!("word {} of {count}", rows.words.len() + 1);
        Err(self.wrong_at_line("the end of the file", &expected, INCOMPLETE))
    }

    /// `word x1 ... xd`; word2vec.c puts one more space at the end.
    /// A word of GloVe's files may have `spaces` in it (". . ."): the numbers are the last fields.
    fn add_line(&mut self, line: &str, dim: usize, spaces: bool, rows: &mut Rows) -> Result<(), DataError> {
        let line = without_last_space(line);
        let start = line.rmatch_indices(' ').nth(dim - 1).map(|(at, _)| at);
        let is_word = |word: &str| match word.rsplit_once(' ') {
            None => !word.is_empty(),
            Some((_, last)) => spaces && !last.is_empty() && last.parse::<f32>().is_err(),
        };
        let cut = start.map(|at| line.split_at(at)).filter(|(word, _)| is_word(word));
        let Some((word, numbers)) = cut else {
            let (word, found) = (line.split(' ').next().unwrap_or_default(), line.split(' ').count() - 1);
            let expected = format!("a word and {dim} numbers, with one space between");
            let found = format!("{found} after {}", shown(word));
            return Err(self.wrong_at_line(&found, &expected, "remove or repair the line"));
        };
        for field in numbers[1..].split(' ') {
            let number: Option<f32> = field.parse().ok().filter(|x: &f32| x.is_finite());
            let Some(number) = number else {
                return Err(self.wrong(field, "a finite number", "remove or repair the line"));
            };
            rows.values.push(number);
        }
        let parts = if spaces { word.replace(' ', "") } else { word.into() };
        let checked = wrong_word(&parts).map_or(Ok(()), |expected| Err((shown(word), expected)));
        checked
            .and_then(|()| self.add_word(word, rows))
            .map_err(|(found, expected)| self.wrong_at_line(&found, expected, "remove or repair the line"))
    }

    /// The word, a space, the numbers, and a line end that may be missing (word2vec.c writes it, gensim does not).
    fn binary_row(&mut self, dim: usize, count: usize, rows: &mut Rows) -> Result<(), DataError> {
        let place = format!("byte {}", self.offset);
        let word = self.binary_word(&place, &format!("word {} of {count}", rows.words.len() + 1))?;
        let checked = wrong_word(&word).map_or(Ok(()), |expected| Err((shown(&word), expected)));
        checked.and_then(|()| self.add_word(&word, rows)).map_err(|(found, expected)| {
            let remedy = "is the number of dimensions in the first line right?";
            self.malformed(place.clone(), &found, expected, remedy)
        })?;
        let mut bytes = vec![0; 4 * dim];
        io::Read::read_exact(&mut self.from, &mut bytes).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                let expected = format!("{dim} numbers after {}", shown(&word));
                self.malformed(place.clone(), "the end of the file", &expected, INCOMPLETE)
            }
            _ => DataError::Unreadable { path: self.path.into(), source },
        })?;
        self.offset += bytes.len() as u64;
        let numbers = bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x));
        if let Some(number) = numbers.clone().find(|x| !x.is_finite()) {
            let found = format!("{number} in the vector of {}", shown(&word));
            return Err(self.malformed(place, &found, "finite numbers", "train the vectors again"));
        }
        rows.values.extend(numbers);
        if self.peek()?.first() == Some(&b'\n') {
            self.from.consume(1);
            self.offset += 1;
        }
        Ok(())
    }

    /// The bytes up to a space, as a word.
    fn binary_word(&mut self, place: &str, expected: &str) -> Result<String, DataError> {
        let mut bytes = Vec::new();
        self.read_until(b' ', MAX_WORD + 1, &mut bytes)?;
        let whole = bytes.pop_if(|last| *last == b' ').is_some();
        if !whole && bytes.len() > MAX_WORD {
            let remedy = "is the number of dimensions in the first line right?";
            return Err(self.malformed(place.to_string(), "4096 bytes without a space", expected, remedy));
        }
        if !whole {
            return Err(self.malformed(place.to_string(), "the end of the file", expected, INCOMPLETE));
        }
        String::from_utf8(bytes).map_err(|error| {
            let found = shown(&String::from_utf8_lossy(error.as_bytes()));
            let remedy = "is the number of dimensions in the first line right, and the file in UTF-8?";
            self.malformed(place.to_string(), &found, "a word in UTF-8", remedy)
        })
    }

    /// Adds a word whose numbers are added apart; or what was found, and what was expected.
    fn add_word(&mut self, word: &str, rows: &mut Rows) -> Result<(), (String, &'static str)> {
        let row = rows.words.len() as u32;
        if rows.by_word.insert(word.to_string(), row).is_some() {
            return Err((format!("{} for the second time", shown(word)), "every word once"));
        }
        rows.words.push(word.to_string());
        if row.is_multiple_of(1024) {
            (self.watch)(self.offset, self.size);
        }
        Ok(())
    }

    /// The next line without its end, which may be `\r\n`.
    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let start = self.offset;
        let mut bytes = Vec::new();
        self.read_until(b'\n', MAX_LINE, &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if bytes.len() >= MAX_LINE {
            return Err(self.wrong_at_line(
                "a line of more than 2 MiB",
                "lines of vectors",
                "is this a file of vectors?",
            ));
        }
        if self.line == 1 && bytes.starts_with("\u{feff}".as_bytes()) {
            bytes.drain(..3); // a byte order mark
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let at = start + error.utf8_error().valid_up_to() as u64;
            let place = format!("byte {at}, line {}", self.line);
            let remedy = "convert it to UTF-8 with iconv; a binary file of word2vec is read as binary";
            self.malformed(place, "bytes that are not UTF-8", "text in UTF-8", remedy)
        })
    }

    /// Reads up to and with `end`, but at most `limit` bytes.
    fn read_until(&mut self, end: u8, limit: usize, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        let mut limited = io::Read::take(&mut self.from, limit as u64);
        let read = limited.read_until(end, bytes);
        self.offset +=
            read.map_err(|source| DataError::Unreadable { path: self.path.into(), source })? as u64;
        Ok(())
    }

    /// What comes next, as much as is in the buffer; nothing is consumed.
    fn peek(&mut self) -> Result<&[u8], DataError> {
        let path = self.path;
        self.from.fill_buf().map_err(|source| DataError::Unreadable { path: path.into(), source })
    }

    /// Whether what comes after the header is text: a line of a word and d numbers, or at least bytes (as many as are
    /// in the buffer) that numbers in binary hardly ever are. A damaged text is still a text, and the message about
    /// it should be.
    fn text_follows(&mut self, header: &str) -> Result<bool, DataError> {
        let next = self.peek()?;
        let line = String::from_utf8_lossy(next.split(|&b| b == b'\n').next().unwrap_or_default());
        let numbers: Option<Vec<f32>> = without_last_space(line.trim_end_matches('\r'))
            .split(' ')
            .skip(1)
            .map(|x| x.parse().ok())
            .collect();
        let is_row = numbers.is_some_and(|numbers| header.ends_with(&format!(" {}", numbers.len())));
        let control = next.iter().any(|&b| b < b' ' && !b.is_ascii_whitespace());
        let utf8 = match std::str::from_utf8(next) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(), // cut in the middle of a character
        };
        Ok(is_row || (utf8 && !control))
    }

    fn check(&self, ok: bool, found: &str, expected: &str, remedy: &str) -> Result<(), DataError> {
        if ok { Ok(()) } else { Err(self.wrong(found, expected, remedy)) }
    }

    /// Something in the line just read.
    fn wrong(&self, found: &str, expected: &str, remedy: &str) -> DataError {
        self.wrong_at_line(&shown(found), expected, remedy)
    }

    fn wrong_at_line(&self, found: &str, expected: &str, remedy: &str) -> DataError {
        self.malformed(format!("line {}", self.line), found, expected, remedy)
    }

    fn malformed(&self, place: String, found: &str, expected: &str, remedy: &str) -> DataError {
        DataError::Malformed {
            what: self.path.display().to_string(),
            place,
            found: found.to_string(),
            expected: expected.to_string(),
            remedy: remedy.to_string(),
        }
    }
}

/// `N d`, and nothing else.
fn looks_like_header(line: &str) -> bool {
    let fields: Vec<&str> = line.split(' ').collect();
    fields.len() == 2 && fields.iter().all(|x| !x.is_empty() && x.bytes().all(|b| b.is_ascii_digit()))
}

fn without_last_space(line: &str) -> &str {
    line.strip_suffix(' ').unwrap_or(line)
}

/// The beginning of a text, escaped, for a message.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    if start.len() < text.len() { format!("{start:?}...") } else { format!("{text:?}") }
}
