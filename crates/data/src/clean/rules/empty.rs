//! Documents without a visible character.

use super::{Rule, Verdict, without_setting};
use crate::DataError;

struct Empty;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Empty)
}

impl Rule for Empty {
    fn apply(&mut self, text: &mut String) -> Verdict {
        Verdict::drop_if(text.chars().all(char::is_whitespace))
    }
}
