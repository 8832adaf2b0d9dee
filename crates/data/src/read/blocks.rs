//! The text of a file, a block at a time: decoded strictly, in constant memory.
//!
//! Strictly means that a byte sequence which the encoding does not have is an error with its place, and
//! never becomes U+FFFD: a replacement character that is learnt cannot be unlearnt. `\r\n` becomes `\n`;
//! a single `\r` is left to the formats, to some of which it is a line end and to some a mistake.

use super::encoding::{self, Detected, Doubt, SNIFF};
use super::{io_error, malformed};
use crate::DataError;
use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};
use std::io::{self, Read};
use std::path::Path;

/// Bytes that are read and decoded at a time.
const BLOCK: usize = 64 << 10;
/// Bytes that are kept of the block before: more than the longest sequence that can be malformed.
const SHOWN: usize = 16;

/// A file that is being decoded.
pub(super) struct Blocks {
    name: String,
    input: Box<dyn Read + Send>,
    detected: Detected,
    decoder: Decoder,
    /// Bytes that are read; those before `at` are decoded.
    raw: Vec<u8>,
    at: usize,
    /// Bytes decoded since the start of the file.
    offset: u64,
    /// Line ends decoded.
    lines: u64,
    /// The length of the file when it was opened, if known.
    size: Option<u64>,
    input_ended: bool,
    finished: bool,
    /// A `\r` at the end of the last block, of which it is not known yet whether a `\n` follows.
    pending_cr: bool,
}

impl Blocks {
    /// Reads the beginning and finds the encoding. `name` is for messages, `size` the length if it is known.
    pub(super) fn new(
        name: String,
        mut input: Box<dyn Read + Send>,
        size: Option<u64>,
        stated: Option<&str>,
    ) -> Result<Self, DataError> {
        let mut raw = Vec::new();
        let read = input.by_ref().take(SNIFF as u64).read_to_end(&mut raw);
        read.map_err(|source| io_error(Path::new(&name), source))?;
        let complete = raw.len() < SNIFF;
        let detected = match stated {
            Some(stated) => encoding::stated(stated, &raw),
            None => encoding::detect(&raw, complete),
        };
        let detected = detected.map_err(|doubt| doubtful(&name, &raw, doubt))?;
        if raw.len() == detected.mark {
            return Err(DataError::EmptyFile { path: name.into() });
        }
        Ok(Self {
            name,
            input,
            decoder: detected.encoding.new_decoder_without_bom_handling(),
            at: detected.mark,
            offset: detected.mark as u64,
            detected,
            raw,
            lines: 0,
            size,
            input_ended: false,
            finished: false,
            pending_cr: false,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn detected(&self) -> &Detected {
        &self.detected
    }

    /// Returns true if the beginning of the file has a line that is exactly this, ASCII.
    pub(super) fn begins_with_line(&self, line: &str) -> bool {
        let raw = &self.raw[self.detected.mark..];
        let is_end = |byte: Option<&u8>| matches!(byte, None | Some(b'\n' | b'\r'));
        memchr::memmem::find_iter(raw, line)
            .any(|at| (at == 0 || is_end(raw.get(at - 1))) && is_end(raw.get(at + line.len())))
    }

    /// Bytes of the file that are decoded so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next block to `text`; false at the end of the file.
    pub(super) fn read_into(&mut self, text: &mut String) -> Result<bool, DataError> {
        if self.finished {
            return Ok(false);
        }
        let from = text.len();
        if std::mem::take(&mut self.pending_cr) {
            text.push('\r');
        }
        if self.at == self.raw.len() {
            self.refill()?;
        }
        let block = &self.raw[self.at..self.raw.len().min(self.at + BLOCK)];
        let last = self.input_ended;
        text.reserve(self.decoder.max_utf8_buffer_length_without_replacement(block.len()).unwrap_or(0));
        let decoded_from = text.len();
        let (result, read) = self.decoder.decode_to_string_without_replacement(block, text, last);
        if let Some(zero) = memchr::memchr(0, &text.as_bytes()[decoded_from..]) {
            return Err(self.zero_byte(&text[from..decoded_from + zero], memchr::memchr(0, block)));
        }
        self.at += read;
        self.offset += read as u64;
        if let DecoderResult::Malformed(length, after) = result {
            self.lines += line_ends(&text[from..].replace("\r\n", "\n"));
            return Err(self.undecodable(u64::from(length), u64::from(after)));
        }
        self.finished = last;
        if !last && text.len() > from && text.ends_with('\r') {
            text.pop();
            self.pending_cr = true;
        }
        if memchr::memchr(b'\r', &text.as_bytes()[from..]).is_some() {
            let merged = text[from..].replace("\r\n", "\n");
            text.truncate(from);
            text.push_str(&merged);
        }
        self.lines += line_ends(&text[from..]);
        Ok(true)
    }

    /// Reads the next bytes of the file, and checks its length at the end.
    fn refill(&mut self) -> Result<(), DataError> {
        // The last bytes stay, to be shown in a message if they turn out to be none of a character.
        self.raw.drain(..self.raw.len().saturating_sub(SHOWN));
        self.at = self.raw.len();
        self.raw.resize(self.at + BLOCK, 0);
        self.raw.shrink_to(SHOWN + BLOCK); // the beginning was longer
        let read = loop {
            match self.input.read(&mut self.raw[self.at..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let read = read.map_err(|source| io_error(Path::new(&self.name), source))?;
        self.raw.truncate(self.at + read);
        self.input_ended = read == 0;
        match self.size {
            // Not only at the end: a file that somebody goes on writing may never end.
            Some(size) if self.offset > size || (self.input_ended && self.offset < size) => {
                Err(changed_while_read(&self.name, size, self.offset))
            }
            _ => Ok(()),
        }
    }

    /// The place of the byte sequence that was just refused.
    fn undecodable(&self, length: u64, after: u64) -> DataError {
        let start = self.offset - length - after;
        let from = self.at - (length + after) as usize;
        let shown = hexadecimal(&self.raw[from..from + length as usize]);
        let incomplete = if self.input_ended { " (the file ends in the middle of a character)" } else { "" };
        malformed(
            &self.name,
            format!("byte offset {start}, line {}", self.lines + 1),
            self.detected.name(),
            format!("the bytes{shown}{incomplete}"),
            "if the file is in another encoding, name it with --encoding (GB18030, Big5, UTF-16LE, ...); \
             if it is damaged here, mend it",
        )
    }

    /// A zero character after `text`, the part of the last block before it. In the block itself the byte
    /// is at `at`, except in UTF-16, where every other byte may be zero.
    fn zero_byte(&self, text: &str, at: Option<usize>) -> DataError {
        let line = self.lines + line_ends(&text.replace("\r\n", "\n")) + 1;
        let utf16 = [UTF_16LE, UTF_16BE].contains(&self.detected.encoding);
        let place = match at.filter(|_| !utf16) {
            Some(at) => format!("byte offset {}, line {line}", self.offset + at as u64),
            None => format!("line {line}"),
        };
        malformed(
            &self.name,
            place,
            "a text",
            "a zero byte",
            "this is a binary file, or its encoding is another than it seems: name it with --encoding",
        )
    }
}

fn line_ends(text: &str) -> u64 {
    text.bytes().filter(|&b| b == b'\n' || b == b'\r').count() as u64
}

/// A file that grows or shrinks is one that somebody is still writing.
pub(super) fn changed_while_read(name: &str, size: u64, read: u64) -> DataError {
    malformed(
        name,
        format!("byte offset {}", size.min(read)),
        format!("{size} bytes, its length when it was opened"),
        format!("{read}"),
        "it changed while it was read, or is not an ordinary file: wait until it is complete, or copy it",
    )
}

fn doubtful(name: &str, prefix: &[u8], doubt: Doubt) -> DataError {
    let remedy = |encoding: &str| format!("say which it is, for instance: --encoding {encoding}");
    match doubt {
        Doubt::UnknownName(stated) => malformed(
            name,
            "",
            "the name of an encoding",
            format!("--encoding {stated}"),
            "use UTF-8, UTF-16LE, UTF-16BE, GB18030, Big5, Shift_JIS, EUC-KR, windows-1252, ...",
        ),
        Doubt::Contradiction { stated, mark } => malformed(
            name,
            "byte offset 0",
            format!("{stated}, as stated"),
            format!("the byte order mark of {mark}"),
            "leave out --encoding",
        ),
        Doubt::Utf32(encoding) => malformed(
            name,
            "byte offset 0",
            "UTF-8, UTF-16, GB18030 or Big5",
            format!("the byte order mark of {encoding}"),
            format!("convert it with: iconv -f {encoding} -t UTF-8 INPUT > OUTPUT"),
        ),
        Doubt::ZeroByte(at) => malformed(
            name,
            place_in(prefix, at),
            "a text",
            "a zero byte",
            "this is a binary file; if it is a text, name its encoding with --encoding (UTF-16LE, ...)",
        ),
        Doubt::Damaged { at, length } => malformed(
            name,
            place_in(prefix, at),
            "UTF-8, as most of the file is",
            format!("the bytes{}", hexadecimal(&prefix[at..at + length])),
            "the file is cut short or damaged there: mend it, or name its encoding with --encoding if it has another",
        ),
        Doubt::Unsure { found, likely } => {
            malformed(name, "", "a text in a known encoding", found, remedy(likely))
        }
    }
}

/// The place of a byte near the beginning of a file.
fn place_in(prefix: &[u8], at: usize) -> String {
    format!("byte offset {at}, line {}", 1 + memchr::memchr_iter(b'\n', &prefix[..at]).count())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!(" {b:02X}")).collect()
}
