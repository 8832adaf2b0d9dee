//! Reading a text of any size, a piece at a time, in any encoding.

use super::blocks::Blocks;
use super::{Detected, open_file};
use crate::DataError;
use std::io::Read;
use std::path::Path;

/// A text, piece after piece, in constant memory: of a UTF-8 file together exactly what
/// [`read_text`](super::read_text) gives.
pub struct TextReader {
    blocks: Blocks,
    /// Bytes in the file, when it was opened; of a pipe, those read so far.
    bytes: Option<u64>,
}

impl TextReader {
    /// Opens a text. The encoding is found if none is named.
    ///
    /// # Errors
    /// If the path is missing, not a regular file, unreadable or empty, or if its encoding is doubtful.
    pub fn open(path: impl AsRef<Path>, encoding: Option<&str>) -> Result<TextReader, DataError> {
        let path = path.as_ref();
        let (file, bytes) = open_file(path)?;
        let blocks = Blocks::new(path.display().to_string(), Box::new(file), Some(bytes), encoding)?;
        Ok(TextReader { blocks, bytes: Some(bytes) })
    }

    /// The text of anything that can be read, such as the standard input; `name` is for messages.
    ///
    /// # Errors
    /// As [`TextReader::open`].
    pub fn from_reader(
        name: &str,
        input: impl Read + Send + 'static,
        encoding: Option<&str>,
    ) -> Result<TextReader, DataError> {
        Ok(TextReader { blocks: Blocks::new(name.into(), Box::new(input), None, encoding)?, bytes: None })
    }

    /// The encoding that is read, and how it is known.
    pub fn encoding(&self) -> &Detected {
        self.blocks.detected()
    }

    /// Bytes of the file that were read so far, and in all: for a progress bar.
    pub fn progress(&self) -> (u64, u64) {
        (self.blocks.offset(), self.bytes.unwrap_or(self.blocks.offset()))
    }

    /// The next piece, never empty; `None` at the end. Every line end in it is `\n`.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a text in its encoding, with the place.
    pub fn next_piece(&mut self) -> Result<Option<String>, DataError> {
        let mut piece = String::new();
        while self.blocks.read_into(&mut piece)? {
            if !piece.is_empty() {
                return Ok(Some(if piece.contains('\r') { piece.replace('\r', "\n") } else { piece }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_text;
    use proptest::prelude::*;
    use std::fs;

    /// A place where blocks meet.
    const PIECE: usize = 1 << 20;

    fn read_in_pieces(path: &Path, encoding: Option<&str>) -> Result<String, DataError> {
        let mut reader = TextReader::open(path, encoding)?;
        let mut text = String::new();
        while let Some(piece) = reader.next_piece()? {
            assert!(!piece.is_empty());
            text += &piece;
        }
        assert_eq!(reader.progress().0, reader.progress().1);
        Ok(text)
    }

    /// The same text as `read_text`; or, as UTF-8, an error where that has one. Answers both errors.
    fn agrees(bytes: &[u8]) -> Option<(DataError, DataError)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        fs::write(&path, bytes).unwrap();
        match read_text(&path) {
            Ok(text) => {
                assert!(read_in_pieces(&path, None).unwrap() == text);
                assert!(read_in_pieces(&path, Some("UTF-8")).unwrap() == text);
                None
            }
            Err(error) => Some((error, read_in_pieces(&path, Some("UTF-8")).unwrap_err())),
        }
    }

    #[test]
    fn pieces_are_cut_between_characters_and_line_ends() {
        for mark in ["\r\n", "中", "🙂", "\r\r\n\n", "é\n"] {
            for before in PIECE - 5..PIECE + 2 {
                let text = "a\n".repeat(before / 2) + &"a".repeat(before % 2) + mark + "end" + mark;
                assert!(agrees(text.as_bytes()).is_none());
            }
        }
    }

    #[test]
    fn errors_have_the_same_place_in_a_later_piece() {
        for wrong in ["\u{0}".as_bytes(), b"\xFF", b"\xE4\xB8", b"\xE4\xB8x"] {
            for before in [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7] {
                let bytes = [b"line\r\n".repeat(before / 6), b"\rx".repeat(before % 6), wrong.to_vec()];
                let (expected, found) = agrees(&bytes.concat()).unwrap();
                let (DataError::InvalidUtf8 { offset, line, .. } | DataError::ZeroByte { offset, line, .. }) =
                    expected
                else {
                    panic!("{expected}")
                };
                let place = format!("a.txt, byte offset {offset}, line {line}: ");
                assert!(found.to_string().contains(&place), "{place}: {found}");
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
    fn other_encodings() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let text = "春眠不觉晓，处处闻啼鸟。\r\n夜来风雨声，花落知多少。\r\n".repeat(3000);
        let (bytes, ..) = encoding_rs::GB18030.encode(&text);
        fs::write(&path, bytes).unwrap();
        assert!(read_in_pieces(&path, None).unwrap() == text.replace('\r', ""));
        assert_eq!(TextReader::open(&path, None).unwrap().encoding().name(), "gb18030");
        assert!(read_in_pieces(&path, Some("UTF-8")).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(TextReader::open(dir.path(), None), Err(DataError::NotAFile { .. })));
        assert!(matches!(TextReader::open(dir.path().join("no.txt"), None), Err(DataError::NotFound { .. })));
    }
}
