//! Keeping a part of the text aside for validation.

use crate::DataError;

/// Splits tokens into a training part, the first `train_fraction` of them, and a validation part,
/// the rest: nanoGPT's `n = int(0.9 * len(data))`, cut between two characters.
///
/// The cut is made once and not shuffled: validation text that is interleaved with the training text
/// shares its sentences and looks easier than new text is. The validation part of a collection is
/// therefore its end (in Tiny Shakespeare, other plays), which may differ from the rest.
///
/// # Errors
/// If the fraction is not between 0 and 1, or a part would be empty.
///
/// ```
/// let ids: Vec<u32> = (0..11).collect();
/// let (train, val) = data::train_val_split(&ids, 0.9)?;
/// assert_eq!((train.len(), val.len()), (9, 2)); // int(9.9) = 9
/// # Ok::<(), data::DataError>(())
/// ```
pub fn train_val_split<T>(tokens: &[T], train_fraction: f64) -> Result<(&[T], &[T]), DataError> {
    Ok(tokens.split_at(cut(tokens.len(), train_fraction)?))
}

/// Where [`train_val_split`] cuts `len` tokens: how many go to training, at least 1 and at most `len - 1`.
///
/// # Errors
/// If the fraction is not between 0 and 1, or a part would be empty.
pub fn cut(len: usize, train_fraction: f64) -> Result<usize, DataError> {
    if !(train_fraction > 0.0 && train_fraction < 1.0) {
        return Err(DataError::InvalidSetting {
            name: "train_fraction",
            found: train_fraction.to_string(),
            expected: "a number between 0 and 1 (usually 0.9)",
        });
    }
    let n = (train_fraction * len as f64) as usize;
    // n <= len: rounding is monotonic and len itself is representable
    if n == 0 || n >= len {
        return Err(DataError::InvalidSetting {
            name: "train_fraction",
            found: format!("{train_fraction} for a text of {len} tokens"),
            expected: "a fraction and a text that leave at least one token in each part: use a longer text",
        });
    }
    Ok(n)
}

/// As [`train_val_split`] for a text: the cut is made after `train_fraction` of its characters, so that it
/// is at the same place whatever the tokenizer.
///
/// # Errors
/// As [`train_val_split`].
///
/// ```
/// assert_eq!(data::train_val_split_text("春眠不觉晓", 0.6)?, ("春眠不", "觉晓"));
/// # Ok::<(), data::DataError>(())
/// ```
pub fn train_val_split_text(text: &str, train_fraction: f64) -> Result<(&str, &str), DataError> {
    let n = cut(text.chars().count(), train_fraction)?;
    let (start, _) = text.char_indices().nth(n).expect("fewer characters than there are");
    Ok(text.split_at(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_like_nanogpt() {
        // python3: int(n * 0.9); 1115394 is the length of Tiny Shakespeare.
        for (n, train) in [(2, 1), (10, 9), (11, 9), (100, 90), (1_115_394, 1_003_854)] {
            let tokens = vec![0_u8; n];
            let parts = train_val_split(&tokens, 0.9).unwrap();
            assert_eq!((parts.0.len(), parts.1.len()), (train, n - train));
        }
    }

    #[test]
    fn impossible_splits_are_errors() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(train_val_split(&[0; 100], fraction).is_err());
        }
        assert!(train_val_split(&[0; 0], 0.9).is_err());
        assert!(train_val_split(&[0; 1], 0.9).is_err());
        assert!(train_val_split(&[0; 5], 0.1).is_err()); // int(0.5) = 0
        let message = train_val_split(&[0; 1], 0.9).unwrap_err().to_string();
        assert!(message.starts_with("train_fraction is 0.9 for a text of 1 tokens: expected"), "{message}");
    }
}
