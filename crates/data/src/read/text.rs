//! Reading a text file: UTF-8 in, clean `String` out, or an error that helps.

use super::blocks::changed_while_read;
use super::encoding::MARKS;
use super::{file_length, io_error};
use crate::DataError;
use std::fs;
use std::path::Path;

/// Reads a UTF-8 text file.
///
/// A UTF-8 byte order mark at the start is dropped, and Windows (`\r\n`) and old Macintosh (`\r`)
/// line ends become `\n`: otherwise a model would learn an invisible character at every line end.
/// Beyond the text itself no memory is used.
///
/// # Errors
/// If the path is missing, not a regular file, unreadable or empty, and if its content is not UTF-8
/// text (the message gives the place and the command that converts it).
///
/// ```no_run
/// let text = data::read_text("data/shakespeare.txt")?;
/// println!("{} characters", text.chars().count());
/// # Ok::<(), data::DataError>(())
/// ```
pub fn read_text(path: impl AsRef<Path>) -> Result<String, DataError> {
    let path = path.as_ref();
    let size = file_length(path)?;
    let bytes = fs::read(path).map_err(|source| io_error(path, source))?;
    if bytes.len() as u64 != size {
        return Err(changed_while_read(&path.display().to_string(), size, bytes.len() as u64));
    }
    decode(path, bytes)
}

/// Bytes in which a binary file shows itself.
const BEGINNING: usize = 1024;

/// Checks the bytes of a file and makes them a text; the path is for the messages.
fn decode(path: &Path, mut bytes: Vec<u8>) -> Result<String, DataError> {
    const UTF_8_BOM: &[u8] = b"\xEF\xBB\xBF";
    if bytes.is_empty() || bytes == UTF_8_BOM {
        return Err(DataError::EmptyFile { path: path.into() });
    }
    refuse_wide_encodings(path, &bytes)?;
    let valid = std::str::from_utf8(&bytes);
    // A picture is no text in another encoding.
    let looked_at = if valid.is_ok() { bytes.len() } else { bytes.len().min(BEGINNING) };
    if let Some(offset) = bytes[..looked_at].iter().position(|&b| b == 0) {
        return Err(DataError::ZeroByte { path: path.into(), offset, line: line_of(&bytes, offset) });
    }
    if let Err(error) = valid {
        return Err(invalid_utf8(path, &bytes, error));
    }
    // Only now, so that the offsets above are those in the file.
    if bytes.starts_with(UTF_8_BOM) {
        bytes.drain(..UTF_8_BOM.len());
    }
    normalise_line_ends(&mut bytes);
    // Cannot fail, being checked above, but there is nothing unsafe here to rely on it.
    String::from_utf8(bytes).map_err(|error| invalid_utf8(path, error.as_bytes(), error.utf8_error()))
}

fn refuse_wide_encodings(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    match MARKS.iter().find(|(mark, ..)| bytes.starts_with(mark)) {
        Some((_, "UTF-8", _)) | None => Ok(()),
        Some(&(_, encoding, bytes)) => Err(DataError::WideEncoding { path: path.into(), encoding, bytes }),
    }
}

fn invalid_utf8(path: &Path, bytes: &[u8], error: std::str::Utf8Error) -> DataError {
    let offset = error.valid_up_to();
    let (len, detail) = match error.error_len() {
        Some(len) => (len, ""),
        None => (bytes.len() - offset, " (the file ends in the middle of a character: is it complete?)"),
    };
    let hex: Vec<String> = bytes[offset..offset + len].iter().map(|b| format!("{b:02X}")).collect();
    let line = line_of(bytes, offset);
    DataError::InvalidUtf8 { path: path.into(), offset, line, bytes: hex.join(" "), detail }
}

/// The line of a byte, from 1. Lines end with `\n`, `\r\n` or `\r`.
fn line_of(bytes: &[u8], offset: usize) -> usize {
    let ends_line = |i: usize| bytes[i] == b'\n' || (bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n'));
    1 + (0..offset).filter(|&i| ends_line(i)).count()
}

/// `\r\n` and `\r` to `\n`, in place: a copy of the text would double the memory.
fn normalise_line_ends(bytes: &mut Vec<u8>) {
    let Some(first) = bytes.iter().position(|&b| b == b'\r') else { return };
    let mut kept = first; // bytes[..kept] is the result so far
    for i in first..bytes.len() {
        if bytes[i] == b'\r' && bytes.get(i + 1) == Some(&b'\n') {
            continue;
        }
        bytes[kept] = if bytes[i] == b'\r' { b'\n' } else { bytes[i] };
        kept += 1;
    }
    bytes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(bytes: &[u8]) -> String {
        decode(Path::new("a.txt"), bytes.to_vec()).unwrap()
    }

    fn message_of(bytes: &[u8]) -> String {
        decode(Path::new("a.txt"), bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn line_ends_and_byte_order_mark() {
        assert_eq!(text_of(b"a\r\nb\rc\nd\r\r\n\n\r"), "a\nb\nc\nd\n\n\n\n");
        assert_eq!(text_of(b"\r"), "\n");
        assert_eq!(text_of(b"\xEF\xBB\xBFa\r\n"), "a\n");
        assert_eq!(text_of("a\u{FEFF}b".as_bytes()), "a\u{FEFF}b"); // no mark in the middle
    }

    #[test]
    fn invalid_utf8_is_located() {
        assert_eq!(
            message_of(b"one\r\ntwo\rthree \xC4\xE3\xBA\xC3"),
            "a.txt: expected UTF-8, found the bytes C4 at byte offset 15, line 3: convert it with newleaf \
             clean, which detects the encoding, or for instance a Chinese text with: iconv -f GB18030 -t \
             UTF-8 INPUT > OUTPUT"
        );
        let truncated = message_of("\u{FEFF}中".as_bytes().split_last().unwrap().1);
        assert!(truncated.contains("bytes E4 B8 at byte offset 3, line 1 (the file ends in"), "{truncated}");
    }

    #[test]
    fn other_encodings_are_named() {
        assert!(
            message_of(b"\xFF\xFEa\0").contains("UTF-16LE (bytes FF FE): convert it with: iconv -f UTF-16LE")
        );
        assert!(message_of(b"\xFE\xFF\0a").contains("UTF-16BE"));
        assert!(message_of(b"\xFF\xFE\0\0a\0\0\0").contains("UTF-32LE"));
        assert!(message_of(b"\0\0\xFE\xFF\0\0\0a").contains("UTF-32BE"));
        assert!(message_of(b"a\nb\0").contains("zero byte at byte offset 3, line 2"));
    }

    #[test]
    fn empty_texts() {
        assert_eq!(
            message_of(b""),
            "a.txt: expected a text, found an empty file: check how it was made, or name another"
        );
        assert_eq!(message_of(b"\xEF\xBB\xBF"), message_of(b""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_text_or_an_error(bytes: Vec<u8>) {
            if let Ok(text) = decode(Path::new("a.txt"), bytes) {
                prop_assert!(!text.contains('\r'));
            }
        }

        #[test]
        fn normalising_is_replacing(text in "[ab\r\n中]{0,40}") {
            let mut bytes = text.clone().into_bytes();
            normalise_line_ends(&mut bytes);
            let expected = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }
}
