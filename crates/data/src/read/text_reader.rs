//! Reading a text of any size, a piece at a time, with the checks and messages of [`read_text`](super::read_text).

use super::{check_regular_file, io_error, refuse_wide_encodings};
use crate::DataError;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// A UTF-8 text, piece after piece: together exactly what [`read_text`](super::read_text) gives, in
/// constant memory.
pub struct TextReader {
    input: File,
    path: PathBuf,
    /// Bytes that were read and not handed out: at most the beginning of one character.
    rest: Vec<u8>,
    /// Offset of `rest` in the file.
    offset: u64,
    /// Line in which `rest` begins, from 1.
    line: u64,
    /// The last piece ended with `\r`: a `\n` that follows belongs to it.
    after_cr: bool,
    /// Bytes in the file, when it was opened.
    bytes: u64,
    started: bool,
}

impl TextReader {
    /// Opens a text.
    ///
    /// # Errors
    /// If the path is missing, not a regular file, or unreadable.
    pub fn open(path: impl AsRef<Path>) -> Result<TextReader, DataError> {
        let path = path.as_ref();
        check_regular_file(path)?;
        let unreadable = |source| io_error(path, source);
        let input = File::open(path).map_err(unreadable)?;
        let bytes = input.metadata().map_err(unreadable)?.len();
        Ok(TextReader {
            input,
            path: path.into(),
            rest: Vec::new(),
            offset: 0,
            line: 1,
            after_cr: false,
            bytes,
            started: false,
        })
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file that were read so far, and in all: for a progress bar.
    pub fn progress(&self) -> (u64, u64) {
        (self.offset + self.rest.len() as u64, self.bytes)
    }

    /// The next piece, about a megabyte, never empty; `None` at the end.
    ///
    /// # Errors
    /// If the file is empty, cannot be read, or is not UTF-8 text, with the place.
    pub fn next_piece(&mut self) -> Result<Option<String>, DataError> {
        loop {
            let at_end = self.fill()?;
            let bytes = std::mem::take(&mut self.rest);
            if bytes.is_empty() && at_end {
                return if self.started { Ok(None) } else { Err(self.empty()) };
            }
            let mut piece = self.checked(bytes, at_end)?;
            if !self.started && !piece.is_empty() {
                self.started = true;
                if piece.starts_with('\u{FEFF}') {
                    piece.drain(..'\u{FEFF}'.len_utf8());
                    if piece.is_empty() && at_end {
                        return Err(self.empty());
                    }
                }
            }
            let piece = self.with_line_ends(piece);
            if !piece.is_empty() {
                self.line += piece.bytes().filter(|&b| b == b'\n').count() as u64;
                return Ok(Some(piece));
            }
        }
    }

    fn empty(&self) -> DataError {
        DataError::EmptyFile { path: self.path.clone() }
    }

    /// Fills `rest` up to a piece; answers whether the file is at its end.
    fn fill(&mut self) -> Result<bool, DataError> {
        let wanted = PIECE - self.rest.len();
        let read = (&mut self.input).take(wanted as u64).read_to_end(&mut self.rest);
        let read = read.map_err(|source| io_error(&self.path, source))?;
        if self.offset == 0 {
            refuse_wide_encodings(&self.path, &self.rest)?;
        }
        Ok(read < wanted)
    }

    /// The bytes as text; the beginning of a character at their end goes back to `rest`.
    fn checked(&mut self, mut bytes: Vec<u8>, at_end: bool) -> Result<String, DataError> {
        let valid = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && !at_end => error.valid_up_to(),
            Err(error) => return Err(self.invalid_utf8(&bytes, error)),
        };
        if let Some(at) = bytes[..valid].iter().position(|&b| b == 0) {
            let (offset, line) = self.place(&bytes[..at]);
            return Err(DataError::ZeroByte { path: self.path.clone(), offset, line });
        }
        self.rest = bytes.split_off(valid);
        self.offset += valid as u64;
        // Checked above, so this cannot fail; and if it could, it would be an error and no panic.
        String::from_utf8(bytes).map_err(|error| self.invalid_utf8(error.as_bytes(), error.utf8_error()))
    }

    fn invalid_utf8(&self, bytes: &[u8], error: std::str::Utf8Error) -> DataError {
        let at = error.valid_up_to();
        let (len, detail) = match error.error_len() {
            Some(len) => (len, ""),
            None => (bytes.len() - at, " (the file ends in the middle of a character: is it complete?)"),
        };
        let hex: Vec<String> = bytes[at..at + len].iter().map(|b| format!("{b:02X}")).collect();
        let (offset, line) = self.place(&bytes[..at]);
        DataError::InvalidUtf8 { path: self.path.clone(), offset, line, bytes: hex.join(" "), detail }
    }

    /// Offset in the file and line of what comes after `before`, which begins where `rest` did.
    fn place(&self, before: &[u8]) -> (usize, usize) {
        let ends = |i: usize| match before[i] {
            b'\r' => before.get(i + 1) != Some(&b'\n'),
            b'\n' => i > 0 || !self.after_cr,
            _ => false,
        };
        let lines = (0..before.len()).filter(|&i| ends(i)).count();
        (self.offset as usize + before.len(), self.line as usize + lines)
    }

    /// `\r\n` and `\r` to `\n`, also where the two are in different pieces.
    fn with_line_ends(&mut self, mut piece: String) -> String {
        if piece.is_empty() {
            return piece;
        }
        let after_cr = std::mem::replace(&mut self.after_cr, piece.ends_with('\r'));
        if after_cr && piece.starts_with('\n') {
            piece.remove(0);
        }
        if !piece.contains('\r') {
            return piece;
        }
        piece.replace("\r\n", "\n").replace('\r', "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_text;
    use proptest::prelude::*;
    use std::fs;

    fn read_in_pieces(path: &Path) -> Result<String, DataError> {
        let mut reader = TextReader::open(path)?;
        let mut text = String::new();
        while let Some(piece) = reader.next_piece()? {
            assert!(!piece.is_empty());
            text += &piece;
        }
        assert_eq!(reader.progress().0, reader.progress().1);
        Ok(text)
    }

    /// The same text or the same message as `read_text`.
    fn agrees(bytes: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        fs::write(&path, bytes).unwrap();
        let as_message = |result: Result<String, DataError>| result.map_err(|e| e.to_string());
        assert!(as_message(read_in_pieces(&path)) == as_message(read_text(&path)));
    }

    #[test]
    fn pieces_are_cut_between_characters_and_line_ends() {
        for mark in ["\r\n", "中", "🙂", "\r\r\n\n", "é\n"] {
            for before in PIECE - 5..PIECE + 2 {
                let text = "a\n".repeat(before / 2) + &"a".repeat(before % 2) + mark + "end" + mark;
                agrees(text.as_bytes());
            }
        }
    }

    #[test]
    fn errors_have_the_same_place_in_a_later_piece() {
        for wrong in ["\u{0}".as_bytes(), b"\xFF", b"\xE4\xB8", b"\xE4\xB8x"] {
            for before in [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7] {
                agrees(&[b"line\r\n".repeat(before / 6), b"\rx".repeat(before % 6), wrong.to_vec()].concat());
            }
        }
    }

    proptest! {
        #[test]
        fn short_files_agree(bytes in prop::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'a'), Just(0xE4), Just(0xB8), Just(0xAD), Just(0xEF), Just(0xBB),
            Just(0xBF), Just(0xFE), Just(0xFF), Just(0), any::<u8>()], 0..12)) {
            agrees(&bytes);
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(TextReader::open(dir.path()), Err(DataError::NotAFile { .. })));
        assert!(matches!(TextReader::open(dir.path().join("no.txt")), Err(DataError::NotFound { .. })));
    }
}
