//! What is said of a file that is damaged, too large, or has what this program cannot do.

use crate::DataError;

/// Larger files are refused unread. The largest vocabulary, all 1.1 million characters, needs 30 MB.
pub(in crate::tokenizer) const MAX_BYTES: usize = 64 << 20;

/// An error in the contents of a `tokenizer.json`.
pub(super) fn invalid(found: String) -> DataError {
    DataError::Tokenizer { found: shortened(found) }
}

/// A message without the middle of a token of a million characters.
pub(in crate::tokenizer) fn shortened(message: String) -> String {
    const BEGINNING: usize = 160;
    const END: usize = 80;
    let chars = message.chars().count();
    if chars <= BEGINNING + END {
        return message;
    }
    let beginning: String = message.chars().take(BEGINNING).collect();
    let end: String = message.chars().skip(chars - END).collect();
    format!("{beginning} … {end}")
}
