//! The names of special tokens.

use super::tokens::MAX_TOKENS;
use crate::DataError;
use std::collections::HashSet;

/// Special tokens must be told apart from characters, bytes and each other.
pub(super) fn check_special_names<S: AsRef<str>>(names: &[S]) -> Result<(), DataError> {
    let mut seen = HashSet::new();
    for name in names.iter().map(AsRef::as_ref) {
        if name.chars().count() < 2 {
            return Err(special_name(format!("{name:?}")));
        }
        if !seen.insert(name) {
            return Err(special_name(format!("{name:?}, given twice")));
        }
    }
    Ok(())
}

/// Refuses a name that is too short or an ordinary token's, and a token more than a vocabulary may have.
pub(super) fn check_new_special(
    name: &str,
    vocab_size: usize,
    ordinary: Option<u32>,
) -> Result<(), DataError> {
    check_special_names(&[name])?;
    if let Some(id) = ordinary {
        return Err(special_name(format!("{name:?}, which is the ordinary token {id}")));
    }
    // All characters there are make a vocabulary that is larger than this already.
    if vocab_size >= 2 * MAX_TOKENS {
        return Err(special_name(format!("{name:?} after {vocab_size} other tokens")));
    }
    Ok(())
}

fn special_name(found: String) -> DataError {
    let expected = "a name of at least 2 characters that no other token has, such as <|endoftext|>";
    DataError::InvalidSetting { name: "special token", found, expected }
}
