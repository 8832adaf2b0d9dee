//! GPT-2's alphabet for bytes: one printable character for each of the 256 bytes, so that a token that is
//! no text (half of a Chinese character, a control character) can be written in JSON.
//!
//! The 188 bytes that are printable in Latin-1 stand for themselves; the other 68 are the characters from
//! U+0100 on, in the order of the bytes. A space is therefore `Ġ` and a new line `Ċ`
//! (`bytes_to_unicode` in `encoder.py` of <https://github.com/openai/gpt-2>).

/// Whether a byte stands for itself.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The character of every byte.
const CHARS: [char; 256] = {
    let mut chars = ['\0'; 256];
    let (mut byte, mut others) = (0, 0_u8);
    while byte < 256 {
        if is_printable(byte as u8) {
            chars[byte] = byte as u8 as char;
        } else {
            chars[byte] = match char::from_u32(0x100 + others as u32) {
                Some(c) => c,
                None => unreachable!(),
            };
            others += 1;
        }
        byte += 1;
    }
    chars
};

/// The byte of every character below U+0144, where the alphabet ends.
const BYTES: [Option<u8>; 0x144] = {
    let mut bytes = [None; 0x144];
    let mut byte = 0;
    while byte < 256 {
        bytes[CHARS[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    bytes
};

/// Bytes as characters of the alphabet.
pub(crate) fn to_chars(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| CHARS[usize::from(byte)]).collect()
}

/// The bytes that characters of the alphabet stand for; `None` if one is not in it.
pub(crate) fn to_bytes(chars: &str) -> Option<Vec<u8>> {
    chars.chars().map(|c| BYTES.get(c as usize).copied().flatten()).collect()
}

/// The bytes in the order of their characters: GPT-2's tokens 0 to 255.
pub(crate) fn in_order() -> [u8; 256] {
    let mut bytes: [u8; 256] = std::array::from_fn(|byte| byte as u8);
    bytes.sort_unstable_by_key(|&byte| CHARS[usize::from(byte)]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_characters() {
        assert_eq!(to_chars(b" \n\0A~\x7f\x80\xad\xff"), "ĠĊĀA~ġĢŃÿ");
        assert_eq!(to_bytes("ĠĊĀA~ġĢŃÿ").unwrap(), b" \n\0A~\x7f\x80\xad\xff");
        for outside in [" ", "\n", "ń", "中", "\u{a0}", "\u{ad}"] {
            assert_eq!(to_bytes(outside), None, "{outside:?}");
        }
    }

    #[test]
    fn all_bytes_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&to_chars(&bytes)).unwrap(), bytes);
        let order = in_order();
        assert_eq!((order[0], order[93], order[94], order[188], order[255]), (b'!', b'~', 0xA1, 0, 0xAD));
    }
}
