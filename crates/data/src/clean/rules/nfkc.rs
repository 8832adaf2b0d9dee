//! Unicode normal form NFKC (UAX #15): characters that mean the same become the same.
//!
//! Off unless asked for. It makes `ＡＢＣ１２３` into `ABC123` and `ﬁ` into `fi`, which helps classification
//! and search; but it also makes `，！？：` into `,!?:`, and `²` into `2`. A model that has only seen Chinese
//! with ASCII punctuation writes it so, and no later step can tell which commas were full-width.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

struct Nfkc;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Nfkc)
}

impl Rule for Nfkc {
    fn apply(&mut self, text: &mut String) -> Verdict {
        if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
            return Verdict::Unchanged;
        }
        let normal: String = text.nfkc().collect();
        Verdict::replaced(text, normal)
    }
}
