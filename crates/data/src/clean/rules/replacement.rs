//! U+FFFD, the mark that some program put where it could not decode: the text around it is damaged.

use super::{Rule, Verdict, without_setting};
use crate::DataError;

struct Replacement;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Replacement)
}

impl Rule for Replacement {
    fn apply(&mut self, text: &mut String) -> Verdict {
        Verdict::drop_if(text.contains('\u{FFFD}'))
    }
}
